"""What can be said about an input beside its data sets: why a member is none, what is odd about a package.

The kinds are a closed list. Rules are written on them (SRC-ZIP-SAFE on what is about the package,
SRC-NOT-DICOM on what is about the content of a member, one each on what is about the layout), and an upload
is refused for the unsafe ones.
"""

import re
from typing import Final, Literal

import msgspec

from heltig.dicom.source import PackageFact

About = Literal["package", "content", "layout", "aside"]


class Kind(msgspec.Struct, frozen=True):
    """What one kind of fact means.

    Attributes:
        about: `package`: how a ZIP is made. `content`: a member that should have been an instance.
            `layout`: what a ZIP or folder holds beside, around or instead of what it should. `aside`: nothing
            is wrong, the member is only not an instance to judge.
        meaning: What is wrong, in one line.
        remedy: What to do about it.
        unsafe: A ZIP with it should not be unpacked by anyone; a server refuses it whole.
    """

    about: About
    meaning: str
    remedy: str
    unsafe: bool = False


_MAKE_AGAIN = "Make the ZIP again from the folder of DICOM files."
_FIND_OUT = "Find out who made it and how, before anybody unpacks it."
_SEND_AGAIN = "Copy or send it again."

KINDS: Final = {
    "traversal": Kind("package", "a name that leads out of the folder it is unpacked in", _MAKE_AGAIN, True),
    "absolute-path": Kind("package", "a name that is an absolute path or has a drive", _MAKE_AGAIN, True),
    "special-member": Kind("package", "a symbolic link, device, pipe or socket", _MAKE_AGAIN, True),
    "encrypted": Kind("package", "encrypted, so that nobody can see what it holds", _MAKE_AGAIN, True),
    "bomb": Kind("package", "expands far beyond its packed size", _FIND_OUT, True),
    "overlap": Kind("package", "its bytes are also part of another member", _FIND_OUT, True),
    "header-mismatch": Kind("package", "its two headers in the ZIP contradict each other", _MAKE_AGAIN, True),
    "too-large": Kind("package", "over the limit on one or all members", "Send less at a time.", True),
    "too-many": Kind("package", "more members than the limit", "Send fewer at a time.", True),
    "nesting": Kind("package", "a ZIP in more ZIPs than the limit", "Unpack the inner ZIPs first.", True),
    "damaged-package": Kind("package", "a ZIP whose directory cannot be read", _SEND_AGAIN),
    "empty-package": Kind("package", "a ZIP that holds no files", "Pack the folder of DICOM files anew."),
    "damaged-member": Kind("package", "a member whose bytes cannot be unpacked", _SEND_AGAIN),
    "checksum": Kind("package", "its bytes do not have the checksum the ZIP declares", _SEND_AGAIN),
    "length": Kind("package", "unpacks to another length than the ZIP declares", _SEND_AGAIN),
    "compression": Kind("package", "a compression method other than stored and deflated", _MAKE_AGAIN),
    "duplicate-name": Kind("package", "a name that another member has too", _MAKE_AGAIN),
    "case-collision": Kind("package", "another member's name in other case", "Rename one of them."),
    "bad-name": Kind("package", "a name that some systems cannot write or show", "Rename it."),
    "empty-member": Kind("package", "a member of 0 bytes", _SEND_AGAIN),
    "empty": Kind("content", "a file of 0 bytes", _SEND_AGAIN),
    "not-dicom": Kind("content", "not a DICOM file (PS3.10 7.1)", "Leave it out, or unpack what it holds."),
    "unreadable": Kind("content", "a data set that no reader can read", "Export it again."),
    "inaccessible": Kind("content", "a file or folder that cannot be opened", "See that it may be read."),
    "inner-package": Kind("layout", "a ZIP inside a ZIP: it was opened and read too", "Unpack it first."),
    "several-studies": Kind("layout", "a ZIP with instances of several studies", "Send one at a time."),
    "dicomdir-missing": Kind("layout", "listed in the DICOMDIR, and not there", "Copy the medium again."),
    "dicomdir-unlisted": Kind("layout", "an instance that no DICOMDIR lists", "Write the DICOMDIR anew."),
    "dicomdir-damaged": Kind("layout", "a DICOMDIR whose records cannot be read", "Write it anew."),
    "special-file": Kind("aside", "not a regular file", "Nothing to do."),
    "outside-link": Kind("aside", "a link that leads out of the folder", "Give what it leads to by itself."),
    "already-read": Kind("aside", "the same file or folder as one read before", "Nothing to do."),
    "system-file": Kind("aside", "left behind by an operating system", "Nothing to do."),
    "dicomdir": Kind("aside", "a DICOMDIR (PS3.10 8.6): an index, not an instance", "Nothing to do."),
}  # fmt: skip
"""Every kind of `Skipped` and `PackageFact` about an input."""

UNSAFE: Final = frozenset(kind for kind, meaning in KINDS.items() if meaning.unsafe)


class Skipped(msgspec.Struct, frozen=True, order=True):
    """A member that is in no data set, and why.

    Attributes:
        origin: The file or member, as the user would recognise it.
        kind: One of `KINDS`.
        detail: What is wrong, without the name and without patient data.
        package: Origin of the ZIP that was handed in with it, which may be this one; empty for a file by
            itself.
    """

    origin: str
    kind: str
    detail: str
    package: str = ""

    @property
    def may_be_instance(self) -> bool:
        """Whether it may be an instance that is lost, and not only something beside the images.

        Of what could not be unpacked only the name speaks. What was read and is not DICOM counts only when
        its name says that it is, or that it holds other files.
        """
        name = re.split(r"[!/\\]", re.sub(r"#\d+$", "", self.origin))[-1].lower()
        suffix = name.rpartition(".")[2] if "." in name else ""
        if self.kind in ("unreadable", "inaccessible"):
            return True
        if self.kind == "not-dicom":
            return suffix in _DICOM_SUFFIXES or suffix in _HOLDING_SUFFIXES
        is_ordinary = name.startswith(".") or name in _ORDINARY_NAMES or suffix in _ORDINARY_SUFFIXES
        return KINDS[self.kind].about != "aside" and not is_ordinary

    @property
    def is_beside(self) -> bool:
        """Whether it is a document, a viewer or the like beside the images, with which nothing is lost."""
        kind = KINDS[self.kind]
        return kind.about in ("package", "content") and not kind.unsafe and not self.may_be_instance

    @property
    def fact(self) -> PackageFact:
        """The same as evidence for a rule."""
        return PackageFact(kind=self.kind, origin=self.origin, detail=self.detail)


class InputReport(msgspec.Struct, frozen=True):
    """The account of one input: every member is an instance or named in `skipped`.

    Attributes:
        path: The input as the user gave it.
        members: Files and ZIP members, without folders and without ZIPs that were opened.
        instances: How many of them became data sets.
        skipped: The others, by origin.
        facts: What there is to say about the package and its members, by origin, but for documents and
            the like beside the images (`Skipped.is_beside`). What is said of a member that became a data set
            is among the faults of that too.
    """

    path: str
    members: int
    instances: int
    skipped: tuple[Skipped, ...]
    facts: tuple[PackageFact, ...]


_DICOM_SUFFIXES: Final = frozenset({"dcm", "dicom", "dc3", "ima", "acr"})
_HOLDING_SUFFIXES: Final = frozenset({"zip", "gz", "tgz", "bz2", "xz", "tar", "7z", "rar"})
_ORDINARY_NAMES: Final = frozenset({"readme", "license", "licence", "version", "autorun", "dicomdir"})
_ORDINARY_SUFFIXES: Final = frozenset({
    "txt", "md", "rtf", "pdf", "doc", "docx", "odt", "xls", "xlsx", "csv", "tsv", "ppt", "pptx",
    "htm", "html", "css", "js", "json", "xml", "xsl", "jpg", "jpeg", "png", "gif", "bmp", "ico", "svg",
    "tif", "tiff", "mp4", "avi", "wmv", "mov", "exe", "dll", "msi", "bat", "cmd", "com", "sh", "py", "jar",
    "class", "inf", "ini", "cfg", "conf", "db", "log", "lnk", "url", "chm", "hlp", "ttf", "md5", "sha1",
    "sha256",
})  # fmt: skip
"""Of what lies beside the images on the media that scanners and archives write: documents and viewers."""


def shown(name: str) -> str:
    r"""A name from a file system or a ZIP, safe to print: what cannot be printed is escaped.

    Bytes that are not text in the file system's encoding (PEP 383) appear as `\xNN`.
    """
    if name.isprintable():
        return name
    return "".join(c if c.isprintable() else _escaped(ord(c)) for c in name)


def _escaped(code: int) -> str:
    if 0xDC80 <= code <= 0xDCFF:
        code -= 0xDC00
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
