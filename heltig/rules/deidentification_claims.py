"""Which instances are said to be de-identified and how, and the columns that rules about it look through."""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from heltig.dicom.cell import Cell
from heltig.dicom.column import Column
from heltig.dicom.table import Table
from heltig.rules.acquisition import ACQUIRED
from heltig.rules.references_read import is_sequence
from heltig.rules.views import Context, StudyView
from heltig.standard.dictionary import tag_of
from heltig.standard.sop_classes import lookup

REMOVED: Final = tag_of("PatientIdentityRemoved")
METHOD: Final = tag_of("DeidentificationMethod")
METHOD_CODES: Final = tag_of("DeidentificationMethodCodeSequence")
DATES_MODIFIED: Final = tag_of("LongitudinalTemporalInformationModified")

FULL_DATES: Final = "113106"
MODIFIED_DATES: Final = "113107"

_SECONDARY_CAPTURE: Final = "1.2.840.10008.5.1.4.1.1.7"
_PRIVATE_SEQUENCE: Final = re.compile(rb'SQ|\{"vr": ?"SQ"')
_CODE: Final = re.compile(r"(?<!\d)1131(?:0\d|1[0-2])(?!\d)")
_OF_DATES: Final = {"UNMODIFIED": FULL_DATES, "MODIFIED": MODIFIED_DATES}


class Claim(NamedTuple):
    """What some instances say about their de-identification.

    Attributes:
        rows: The instances.
        codes: Profile and options claimed by code (PS3.16 CID 7050), as coded entries or within the method's
            text.
        dates: LongitudinalTemporalInformationModified in capitals; where it is absent, MODIFIED if the method
            says in words that dates were shifted and no option says anything of dates; otherwise empty.
        later: Instances that say nothing themselves and were made from these: segmentations, reports, plans
            of the same PatientName and PatientID, beside an image or an object of another maker.
    """

    rows: frozenset[int]
    codes: frozenset[str]
    dates: str
    later: frozenset[int] = frozenset()

    @property
    def checked(self) -> frozenset[int]:
        """The instances in which nothing may be left: those that claim it, and what was made from them."""
        return self.rows | self.later if self.later else self.rows

    @property
    def options(self) -> frozenset[str]:
        """The options in force: those claimed, and what is said of dates."""
        return self.codes | {_OF_DATES[self.dates]} if self.dates in _OF_DATES else self.codes


def declared(context: Context) -> bool:
    """Whoever handed the data in, or the profile, declares it de-identified."""
    return context.deidentified or context.parameters.declared_deidentified


def claims(study: StudyView) -> list[Claim]:
    """The claims of a study's instances; empty where none claims to be de-identified."""
    return study.once(_claims)


def _claims(study: StudyView) -> list[Claim]:
    table = study.table
    columns = [table.columns.get(tag) for tag in (REMOVED, METHOD, METHOD_CODES, DATES_MODIFIED)]
    everything = declared(study.context)
    if not everything and columns[:3] == [None, None, None]:
        return []
    found: dict[tuple[frozenset[str], str], set[int]] = {}
    for combination, rows in _combinations(columns, table.rows).items():
        cells = [
            Cell("") if column is None else table.cell(column, code)
            for column, code in zip(columns, combination, strict=True)
        ]
        if everything or _says_so(*cells[:3]):
            claimed = set(_CODE.findall(cells[1].shown)) | _codes(table, columns[2], combination[2])
            dates = cells[3].text.upper()
            if not dates and claimed.isdisjoint(_OF_DATES.values()) and _says_shifted(cells[1].shown):
                dates = "MODIFIED"
            found.setdefault((frozenset(claimed), dates), set()).update(rows)
    every = [
        Claim(frozenset(rows), codes, dates)
        for (codes, dates), rows in sorted(found.items(), key=lambda pair: min(pair[1]))
    ]
    is_whole = sum(len(claim.rows) for claim in every) == len(study)
    return every if is_whole else _with_later(study, every)


def _says_shifted(method: str) -> bool:
    """A method of de-identification says that it shifts dates."""
    return _SHIFTED.search(method) is not None and _NOT_SHIFTED.search(method) is None


_SHIFTED: Final = re.compile(
    r"(?i)\bdates?(?:[ _-]?times?)?\W{1,2}(?:\w+\W){0,3}?(?:shift|offset|jitter|increment|randomi[sz]ed)"
    r"|date(?:shift|jitter|inc(?:rement)?\b)|(?:shift|jitter|increment|offset)(?:ed|ing|s)?\W(?:\w+\W){0,3}?dates?\b"
    r"|@incrementdate|\bdat(?:um|en)\w*\W(?:\w+\W){0,2}?verschoben"
)
_NOT_SHIFTED: Final = re.compile(
    r"(?i)\b(?:not?|without|never|nicht|keine?)\W(?:\w+\W){0,3}?(?:dates?\W?)?(?:shift|offset|jitter|increment|verschoben)"
)


def _with_later(study: StudyView, every: list[Claim]) -> list[Claim]:
    """The claims, with what was made from their instances."""
    classes, answers = study.texts("SOPClassUID"), study.texts("PatientIdentityRemoved")
    claimed = frozenset[int]().union(*(claim.rows for claim in every))
    made = {
        row
        for row in study.rows
        if row not in claimed and not answers[row].strip() and _is_made_from_images(classes[row])
    }
    if not made:
        return every
    names = list(zip(study.texts("PatientName"), study.texts("PatientID"), strict=True))
    makers = study.texts("Manufacturer")
    found = []
    for claim in every:
        images = {names[row] for row in claim.rows if not _is_made_from_images(classes[row])}
        others = {(names[row], makers[row]) for row in claim.rows if names[row] not in images}
        later = frozenset(
            row
            for row in made
            if names[row] in images
            or any(name == names[row] and maker != makers[row] for name, maker in others)
        )
        made -= later
        found.append(claim._replace(later=later))
    return found


def _is_made_from_images(sop_class_uid: str) -> bool:
    sop_class = lookup(sop_class_uid)
    return (
        sop_class is not None
        and sop_class_uid != _SECONDARY_CAPTURE
        and bool(sop_class.modality)
        and ACQUIRED.isdisjoint(sop_class.modality)
    )


def _combinations(columns: Sequence[Column | None], rows: int) -> dict[tuple[int, ...], Sequence[int]]:
    """The rows of each combination of the cells of some columns."""
    if all(column is None or column.constant for column in columns):
        return {tuple([0 if column is None else 1 for column in columns]): range(rows)}
    codes = zip(*[[0] * rows if column is None else column.codes for column in columns], strict=True)
    found: dict[tuple[int, ...], list[int]] = {}
    for row, combination in enumerate(codes):
        found.setdefault(combination, []).append(row)
    return dict(found)


def claimed_rows(study: StudyView) -> frozenset[int]:
    """The instances that claim to be de-identified."""
    return study.once(_claimed_rows)


def _claimed_rows(study: StudyView) -> frozenset[int]:
    every = claims(study)
    return every[0].rows if len(every) == 1 else frozenset[int]().union(*(claim.rows for claim in every))


def checked_rows(study: StudyView) -> frozenset[int]:
    """The instances that claim to be de-identified, and those made from them: see `Claim.later`."""
    return study.once(_checked_rows)


def _checked_rows(study: StudyView) -> frozenset[int]:
    claimed = claimed_rows(study)
    later = [claim.later for claim in claims(study) if claim.later]
    return claimed.union(*later) if later else claimed


def is_claimed(study: StudyView) -> bool:
    """Some instance claims to be de-identified."""
    return bool(claims(study))


def _says_so(removed: Cell, method: Cell, codes: Cell) -> bool:
    answer = removed.text.upper()
    return answer == "YES" or (answer != "NO" and not (method.empty and codes.empty))


def _codes(table: Table, column: Column | None, code: int) -> set[str]:
    if column is None or not code:
        return set()
    items = table.items(column)
    tag = tag_of("CodeValue")
    return {items.at(tag, item).text for item, owner in enumerate(items.owners) if owner == code}


class Found(NamedTuple):
    """One distinct cell of a study, in items of sequences too.

    Attributes:
        path: Tags of the sequences around it, and its own tag or private key.
        table: The table that has it.
        column: Its column.
        code: Its number there.
    """

    path: tuple[str, ...]
    table: Table
    column: Column
    code: int

    @property
    def cell(self) -> Cell:
        """The decoded cell."""
        return self.table.cell(self.column, self.code)

    @property
    def raw(self) -> bytes:
        """The cell as the source wrote it."""
        return self.column.cells[self.code]

    @property
    def name(self) -> str:
        """The path as findings name attributes."""
        return "/".join(self.path)

    def rows(self) -> set[int]:
        """The instances that have it."""
        return set(self.table.study_rows(self.column.tag, {self.code}))

    def among(self, rows: frozenset[int]) -> frozenset[int]:
        """Of some instances those that have it."""
        is_everywhere = self.column.constant and not self.table.depth
        return rows if is_everywhere else rows.intersection(self.rows())


def columns(study: StudyView) -> list[tuple[tuple[str, ...], Table, Column]]:
    """Every column of a study, in items of sequences too, with its path."""
    return study.once(_columns)


def _columns(study: StudyView) -> list[tuple[tuple[str, ...], Table, Column]]:
    return list(_below(study.table, ()))


def _below(table: Table, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Table, Column]]:
    for tag, may_have_items in _ordered(tuple(table.columns)):
        column = table.columns[tag]
        yield (*path, tag), table, column
        if may_have_items and _has_items(column):
            yield from _below(table.items(column), (*path, tag))


@lru_cache(1024)
def _ordered(tags: tuple[str, ...]) -> list[tuple[str, bool]]:
    """The attributes in order, and whether each may be a sequence; studies share most of theirs."""
    return [(tag, is_sequence(tag) or "xx" in tag) for tag in sorted(tags)]


def _has_items(column: Column) -> bool:
    """The column is a sequence: by the dictionary, or for a private one as the source says."""
    return is_sequence(column.tag) or _PRIVATE_SEQUENCE.match(column.cells[1]) is not None


def cells(path: tuple[str, ...], table: Table, column: Column) -> Iterator[Found]:
    """The distinct cells of a column."""
    return (Found(path, table, column, code) for code in range(1, len(column.cells)))
