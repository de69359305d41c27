"""Whether what an archive lists of a study is what its instances hold, as far as its answer can write that.

Orthanc converts its answers to ISO 8859-1 unless it is told otherwise: a Greek name becomes `^`, of a Korean
one the alphabetic group is left, a Polish one loses letters. The index is none the worse for it.
"""

from heltig.dicom.cell import Cell, DataSet
from heltig.dicom.charset import DEFINED_TERMS, normalise_charset
from heltig.dicom.study import element
from heltig.rules.conflict import shown
from heltig.standard.dictionary import tag_of


def name_key(cell: Cell) -> str:
    """A person name as archives compare it: no case, no empty components at its end."""
    return "=".join(group.rstrip("^ ") for group in shown(cell).upper().split("=")).rstrip("=")


def says_the_same(row: DataSet, keyword: str, listed: str, held: str) -> bool:
    """Whether a row's value is the instances' one, as far as the row's character set can write it.

    Of names only the groups count that the row has: archives leave the ideographic and phonetic one out.
    """
    if listed == held:
        return True
    if keyword != "PatientName":
        return listed == _writable(row, held)
    given, kept = listed.split("="), held.split("=")
    kept += [""] * (len(given) - len(kept))
    pairs = [(one, other) for one, other in zip(given, kept, strict=False) if one]
    return all(one == other or one == _writable(row, other) for one, other in pairs)


def _writable(row: DataSet, text: str) -> str:
    """What is left of a text that an archive converts to its row's character set: the rest is dropped."""
    terms, _ = normalise_charset(
        tuple(str(v) for v in element(row, tag_of("SpecificCharacterSet")).values if v)
    )
    if len(terms) != 1 or not terms[0].startswith("ISO_IR "):
        return text
    codec = DEFINED_TERMS[terms[0]]
    return text.encode(codec, "ignore").decode(codec).rstrip("^ ")
