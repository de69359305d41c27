"""What reading a file can end with other than a data set."""

from heltig.dicom.cell import Fault


class UnreadableFile(Exception):
    """A Part 10 file of which not one element could be read.

    Attributes:
        reason: Why, without a value of the file.
        faults: What was found on the way.
    """

    def __init__(self, reason: str, faults: tuple[Fault, ...] = ()) -> None:
        super().__init__(reason)
        self.reason = reason
        self.faults = faults


class NotDicom(UnreadableFile):
    """A file that is no DICOM object: it has no `DICM` prefix and does not start with a data set."""
