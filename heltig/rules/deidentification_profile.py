"""De-identification: was done what PS3.15 annex E says, with the options that are claimed?"""

from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from heltig.dicom.cell import Cell
from heltig.rules.deidentification_claims import (
    Claim,
    Found,
    cells,
    checked_rows,
    claims,
    columns,
    is_claimed,
)
from heltig.rules.deidentification_replaced import replaced_attributes
from heltig.rules.deidentification_words import is_dummy
from heltig.rules.rule import Hit, rule
from heltig.rules.views import StudyView
from heltig.rules.wording import cut, listed
from heltig.standard.deidentification import BASIC_PROFILE, OPTIONS, SAFE_PRIVATE, Protection, protection
from heltig.standard.dictionary import is_private, keyword_of, lookup, tag_of

_TEXT: Final = frozenset({"AE", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"})
_NUMBERS: Final = frozenset({"AS", "DS", "FD", "FL", "IS", "US"})
_OF_TIME: Final = frozenset({"DA", "DT", "TM"})

_OTHER_RULES: Final = frozenset(
    map(
        tag_of,
        (
            *("PatientName", "PatientID", "PatientBirthDate"),  # DEI-CLAIM-NAME
            *("OtherPatientIDs", "OtherPatientIDsSequence", "OtherPatientNames", "PatientBirthName"),
            *("OriginalAttributesSequence", "IconImageSequence", "EncapsulatedDocument"),
            "DataSetTrailingPadding",
        ),
    )
)
"""Attributes that other rules of this family look at, and padding."""

_CLOSED: Final = _OTHER_RULES | {
    tag_of("ContributingEquipmentSequence"),  # names the de-identifier itself
    tag_of("DeidentificationMethodCodeSequence"),
}

_TRIAL: Final = "0012"  # the group in which a trial says whose data it is: put in when de-identifying


@rule("DEI-TABLE-X", level="study", severity="review", when=is_claimed, reference="PS3.15 table E.1-1")
def profile_attributes(study: StudyView) -> Iterator[Hit]:
    """An attribute that the profile removes or replaces still has a value.

    Finds: In instances said to be de-identified, items of sequences too, attributes that PS3.15 table E.1-1
        removes (X), and names and texts that it may also empty or replace (Z, D) with a value that does not
        look like a replacement. What an option keeps is left alone where the option is claimed by code;
        otherwise the attributes of one option are told together. Also told, for no option keeps them: a
        PatientBirthDate other than a first of January although dates are said to be shifted, and an
        AccessionNumber or StudyID in the form of a hospital's numbers: seven to twelve digits, behind up to
        four letters, or a year and a number. Shorter ones are counters and longer ones hash values; nor are
        those told that hold the PatientID or PatientName or that the profile's `pseudonyms` describe. Objects
        made from the images, see DEI-MIXED, are looked through except for their content, descriptions and
        devices. Dates, UIDs, private attributes, pictures and the patient's own name have rules of their own.
    Why: Institution, physicians and descriptions narrow down who the patient is, often to one person.
    Mend: Have the attributes removed or replaced. Where they were kept on purpose, have the de-identifier
        write the code of the option that allows it (PS3.16 CID 7050). A number that was replaced by another
        of the same form: say in the profile how they look (`pseudonyms`), or waive the finding.
    Example: InstitutionName and ReferringPhysicianName left in research data.
    """
    by_option: dict[str, tuple[list[str], set[int]]] = {}
    for claim in claims(study):
        for found, options in _kept(study, claim):
            looked_at = claim.rows if _OF_ITS_MAKING.intersection(options) else claim.checked
            rows = found.among(looked_at)
            if not rows:
                continue
            if options:
                names, concerned = by_option.setdefault(options[0], ([], set()))
                if found.name not in names:
                    names.append(found.name)
                concerned.update(rows)
            else:
                yield Hit(
                    tags=(found.name,),
                    observed=cut(found.cell.shown) or "present",
                    expected="removed, or replaced by a dummy",
                    rows=sorted(rows),
                )
    for option, (names, concerned) in sorted(by_option.items()):
        keywords = [keyword_of(name.rpartition("/")[2]) for name in names]
        yield Hit(
            tags=tuple(names),
            observed=listed(list(dict.fromkeys(keywords))),
            expected=f"removed, or the {OPTIONS[option]} ({option}) claimed",
            rows=sorted(concerned),
        )
    yield from replaced_attributes(study)


_OF_ITS_MAKING: Final = frozenset({"113104", "113105", "113109"})
"""Options for content, descriptions and devices: what was made from the images has its own."""


def _kept(study: StudyView, claim: Claim) -> Iterator[tuple[Found, tuple[str, ...]]]:
    """Cells that the profile would not leave, with the options that would."""
    flagged: set[tuple[str, ...]] = set()
    claimed = claim.options
    for path, table, column in columns(study):
        options = _options_of(path[-1])
        if (
            options is None
            or not claimed.isdisjoint(options)
            or not _CLOSED.isdisjoint(path[:-1])
            or any(path[:n] in flagged for n in range(1, len(path)))
        ):
            continue
        is_removed = _is_removed(path[-1])
        for found in cells(path, table, column):
            if _says_something(found.cell, is_removed=is_removed):
                flagged.add(path)
                yield found, options


@lru_cache(4096)
def _options_of(tag: str) -> tuple[str, ...] | None:
    """The options that keep an attribute; None for those that this rule leaves alone."""
    action = protection(tag)
    if action is None or not _is_looked_at(tag, action):
        return None
    return tuple(option for option in action.options if option in OPTIONS)


def _is_looked_at(tag: str, action: Protection) -> bool:
    entry = lookup(tag)
    if entry is None or tag in _OTHER_RULES or tag.startswith(_TRIAL) or "x" in action.tag:
        return False
    if _is_removed(tag):
        return entry.vr in _TEXT | _NUMBERS | {"SQ", "CS"}
    return entry.vr in _TEXT and not entry.keyword.endswith(("ID", "Number", "Identifier", "Label"))


@lru_cache(4096)
def _is_removed(tag: str) -> bool:
    """The profile removes the attribute, and nothing else will do."""
    action = protection(tag)
    return action is not None and {"Z", "D"}.isdisjoint(action.action.split("/"))


def _says_something(cell: Cell, *, is_removed: bool) -> bool:
    """A value is left. Of one that should have been removed only a replacement says nothing, not a number."""
    if cell.empty:
        return False
    if cell.items:
        return any(item.tags for item in cell.items)
    has_number = any(character in "123456789" for character in cell.shown)
    if cell.vr in _NUMBERS:
        return has_number
    if cell.vr == "PN":
        from heltig.rules.deidentification_names import names_somebody  # loaded where something is claimed

        return names_somebody(cell.shown)
    return cell.vr == "CS" or not is_dummy(cell.shown) or (is_removed and has_number)


@rule("DEI-PRIVATE", level="study", severity="review", when=is_claimed, reference="PS3.15 E.3.10")
def private_attributes(study: StudyView) -> Iterator[Hit]:
    """De-identified data has private attributes that nobody vouches for.

    Finds: In instances said to be de-identified, private attributes with values that are neither in the
        standard's list of safe ones nor declared safe in the object itself (0008,0300), by creator.
    Why: Only their maker knows what they hold; names, dates and serial numbers were found in many.
    Mend: Have private attributes removed, or all but those known to be safe kept under option 113111.
    Example: Siemens protocols, which hold the patient's age, weight and the time of the examination.
    """
    claimed = checked_rows(study)
    declared_safe = _declared_safe(study)
    by_creator: dict[str, tuple[list[str], set[int]]] = {}
    for path, table, column in columns(study):
        key = path[-1]
        if not is_private(key) or _is_reservation(key):
            continue
        group, low, creator = key[:4], key[6:8], key[9:].strip()
        if (
            (group, creator) == _STAMP
            or low in SAFE_PRIVATE.get((group, creator.upper()), ())
            or not declared_safe.isdisjoint({(group, creator, low), (group, creator, "")})
        ):
            continue
        rows = {row for cell in cells(path, table, column) if not cell.cell.empty for row in cell.rows()}
        if rows & claimed:
            names, concerned = by_creator.setdefault(f"{group} {creator or 'without creator'}", ([], set()))
            names.append("/".join(path))
            concerned |= rows & claimed
    for creator, (names, concerned) in sorted(by_creator.items()):
        number = f"{len(names)} attribute{'s' * (len(names) != 1)}"
        yield Hit(
            tags=tuple(names[:_MOST_NAMED]),
            observed=cut(f"{number} of {creator}"),
            expected="none but safe private attributes",
            rows=sorted(concerned),
        )


_MOST_NAMED: Final = 5

_STAMP: Final = ("0013", "CTP")
"""In this block de-identifiers (RSNA's Clinical Trial Processor first) write the collection and its site."""


def _is_reservation(key: str) -> bool:
    """A private creator, or a group length: it says who wrote, not what."""
    return len(key) == 8 and key[4:6] == "00"


def _declared_safe(study: StudyView) -> set[tuple[str, str, str]]:
    """What objects declare to hold nothing that identifies: group, creator and low byte (PS3.3 C.12.1).

    The low byte is empty where all of a block is safe.
    """
    column = study.table.columns.get(tag_of("PrivateDataElementCharacteristicsSequence"))
    if column is None:
        return set()
    items = study.table.items(column)
    safe = set()
    for item in range(items.rows):
        group = items.at(tag_of("PrivateGroupReference"), item).values
        if not group or not isinstance(group[0], int):
            continue
        block = (f"{group[0]:04X}", items.at(tag_of("PrivateCreatorReference"), item).text)
        if items.at(tag_of("BlockIdentifyingInformationStatus"), item).text.upper() == "SAFE":
            safe.add((*block, ""))
        for element in items.at(tag_of("NonidentifyingPrivateElements"), item).values:
            if isinstance(element, int):
                safe.add((*block, f"{element:02X}"))
    return safe


_MAKERS: Final = {
    "1.2.840.113619.": "GE",
    "1.3.12.2.1107.5.": "Siemens",
    "1.3.46.670589.": "Philips",
    "1.2.392.200036.": "Canon and other makers of Japan",
    "1.2.246.352.": "Varian",
    "1.2.840.113704.": "Philips CT",
    "1.2.528.1.1001.": "Philips",
}
"""What UIDs that a scanner made begin with."""


def _replaces_uids(study: StudyView) -> bool:
    return any(BASIC_PROFILE in claim.codes and "113110" not in claim.codes for claim in claims(study))


@rule("DEI-UID-ORIGINAL", level="study", severity="note", when=_replaces_uids, reference="PS3.15 E.3.9")
def original_uids(study: StudyView) -> Iterator[Hit]:
    """UIDs are still those of the scanner, although the profile replaces them.

    Finds: SOP, series and study UIDs that begin as a maker's scanners write them, in instances that claim the
        Basic Profile (113100) without the option to retain UIDs (113110).
    Why: A UID made by a scanner holds its serial number and the time. Whoever has access to the archive finds
        the patient by it.
    Mend: Have UIDs replaced, the same one everywhere by the same; or, where they were kept on purpose, the
        option claimed.
    Example: Images without names whose SOPInstanceUID still finds them in the hospital's archive.
    """
    rows = frozenset[int]().union(
        *(
            claim.rows
            for claim in claims(study)
            if BASIC_PROFILE in claim.codes and "113110" not in claim.codes
        )
    )
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
        found: dict[str, list[int]] = {}
        for row, uid in enumerate(study.texts(keyword)):
            maker = next((maker for root, maker in _MAKERS.items() if uid.startswith(root)), None)
            if maker and row in rows:
                found.setdefault(maker, []).append(row)
        for maker, concerned in sorted(found.items()):
            yield Hit(
                tags=(keyword,),
                observed=f"UIDs of {maker}",
                expected="UIDs made when de-identifying",
                rows=concerned,
            )
