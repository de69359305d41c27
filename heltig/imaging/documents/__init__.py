"""Files of an analysis for people and programs: JSON, a table, masks, FHIR. DICOM objects are elsewhere."""
