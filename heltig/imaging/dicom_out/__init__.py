"""The results of an analysis as DICOM objects."""
