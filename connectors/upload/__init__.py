"""Files, folders and ZIPs as data sets, with an account of everything in them that is none.

    with tempfile.TemporaryDirectory() as scratch:
        for listing in list_inputs(paths, scratch=Path(scratch)):
            outcomes = list(read_members(listing.refs))

`list_inputs` is quick and opens no member; its `MemberRef`s can be cut into chunks and read by other
processes. Nothing of an input is ever written but ZIPs found in ZIPs, into `scratch`.
"""

from connectors.upload.facts import KINDS, UNSAFE, InputReport, Kind, Skipped, shown
from connectors.upload.file_set import FileSet
from connectors.upload.limits import Limits
from connectors.upload.listing import Listing, MemberRef, list_inputs, unsafe
from connectors.upload.pixels import pixel_digests
from connectors.upload.reading import Aside, Outcome, account, read_members

__all__ = [
    "KINDS",
    "UNSAFE",
    "Aside",
    "FileSet",
    "InputReport",
    "Kind",
    "Limits",
    "Listing",
    "MemberRef",
    "Outcome",
    "Skipped",
    "account",
    "list_inputs",
    "pixel_digests",
    "read_members",
    "shown",
    "unsafe",
]
