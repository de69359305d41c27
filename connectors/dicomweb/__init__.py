"""Archives over DICOMweb.

async with http.client(root, auth=auth) as client:
    archive = DicomWebArchive("main", qido=client, wado=client)
    rows = await archive.search_studies({"StudyDate": "20260101-"}, limit=200, offset=0)
"""

from connectors.dicomweb.archive import DicomWebArchive

__all__ = ["DicomWebArchive"]
