"""Part 10 files: the elements of a header as raw cells, read without pixel data and without decoding.

with open(path, "rb", buffering=0) as file:
    data_set = read_header(SeekableSource(file), origin=path)

with archive.open(member) as stream:
    data_set = read_header(ForwardSource(stream, size=member.file_size), origin=member.filename)

Whoever reads many takes a `HeaderReader`: neighbours that are alike then cost a fraction.
"""

from heltig.dicom.part10.digest import PixelDigest, pixel_digest
from heltig.dicom.part10.errors import NotDicom, UnreadableFile
from heltig.dicom.part10.header import read_header
from heltig.dicom.part10.items import read_items
from heltig.dicom.part10.reader import HeaderReader
from heltig.dicom.part10.source import BytesSource, ForwardSource, HeaderSource, SeekableSource

__all__ = [
    "BytesSource",
    "ForwardSource",
    "HeaderReader",
    "HeaderSource",
    "NotDicom",
    "PixelDigest",
    "SeekableSource",
    "UnreadableFile",
    "pixel_digest",
    "read_header",
    "read_items",
]
