"""REST under `/api/v1`: for people's tools and scripts, where DICOMweb has no words for it."""
