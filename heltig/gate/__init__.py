"""The gate: the way into an archive that stands before it, over DICOMweb."""
