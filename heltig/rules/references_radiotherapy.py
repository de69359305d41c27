"""References: the numbers by which radiotherapy objects name regions, beams, dose references and setups."""

from collections import Counter
from collections.abc import Iterator
from typing import Final, NamedTuple

from heltig.dicom.table import Table
from heltig.rules.references_read import references_by_row
from heltig.rules.references_sources import STRUCTURE_SET
from heltig.rules.rule import Hit, rule
from heltig.rules.views import StudyView
from heltig.rules.wording import cut, listed
from heltig.standard.dictionary import tag_of

_RT: Final = "1.2.840.10008.5.1.4.1.1.481."
_WITH_NUMBERS: Final = frozenset({STRUCTURE_SET, *(_RT + number for number in ("1", "2", "5", "8"))})
"""Structure sets, images, doses and plans, of ions too."""

_PLAN: Final = "ReferencedRTPlanSequence"
_SET: Final = "ReferencedStructureSetSequence"


class Numbering(NamedTuple):
    """A number that items of a sequence have, and where it is used.

    Attributes:
        name: What it numbers.
        defined: Paths of keywords to the number in the items that have it.
        used: Paths to it in the same object.
        linked: Paths to it in other objects, each with the sequence by which they name the object that
            defines it.
        may_lack: Systems write a number though nothing of the kind is defined at all.
    """

    name: str
    defined: tuple[str, ...]
    used: tuple[str, ...] = ()
    linked: tuple[tuple[str, str], ...] = ()
    may_lack: bool = False


_GROUP: Final = f"{_PLAN}.ReferencedFractionGroupSequence"

NUMBERINGS: Final = (
    Numbering(
        "region",
        ("StructureSetROISequence.ROINumber",),
        ("ROIContourSequence.ReferencedROINumber", "RTROIObservationsSequence.ReferencedROINumber"),
        (
            (_SET, "DoseReferenceSequence.ReferencedROINumber"),
            (_SET, "DVHSequence.DVHReferencedROISequence.ReferencedROINumber"),
        ),
    ),
    Numbering(
        "beam",
        ("BeamSequence.BeamNumber", "IonBeamSequence.BeamNumber"),
        ("FractionGroupSequence.ReferencedBeamSequence.ReferencedBeamNumber",),
        (
            (_PLAN, f"{_GROUP}.ReferencedBeamSequence.ReferencedBeamNumber"),
            (_PLAN, "ReferencedBeamNumber"),
        ),
    ),
    Numbering(
        "fraction group",
        ("FractionGroupSequence.FractionGroupNumber",),
        (),
        (
            (_PLAN, f"{_GROUP}.ReferencedFractionGroupNumber"),
            (_PLAN, "ReferencedFractionGroupNumber"),
        ),
    ),
    Numbering(
        "brachytherapy setup",
        ("ApplicationSetupSequence.ApplicationSetupNumber",),
        (
            "FractionGroupSequence.ReferencedBrachyApplicationSetupSequence"
            ".ReferencedBrachyApplicationSetupNumber",
        ),
        (
            (
                _PLAN,
                f"{_GROUP}.ReferencedBrachyApplicationSetupSequence.ReferencedBrachyApplicationSetupNumber",
            ),
        ),
    ),
    Numbering(
        "source",
        ("SourceSequence.SourceNumber",),
        ("ApplicationSetupSequence.ChannelSequence.ReferencedSourceNumber",),
    ),
    Numbering(
        "dose reference",
        ("DoseReferenceSequence.DoseReferenceNumber",),
        (
            "FractionGroupSequence.ReferencedDoseReferenceSequence.ReferencedDoseReferenceNumber",
            "BeamSequence.ControlPointSequence.ReferencedDoseReferenceSequence.ReferencedDoseReferenceNumber",
            "IonBeamSequence.IonControlPointSequence.ReferencedDoseReferenceSequence"
            ".ReferencedDoseReferenceNumber",
        ),
        may_lack=True,
    ),
    Numbering(
        "patient setup",
        ("PatientSetupSequence.PatientSetupNumber",),
        ("BeamSequence.ReferencedPatientSetupNumber", "IonBeamSequence.ReferencedPatientSetupNumber"),
        may_lack=True,
    ),
    Numbering(
        "tolerance table",
        ("ToleranceTableSequence.ToleranceTableNumber", "IonToleranceTableSequence.ToleranceTableNumber"),
        ("BeamSequence.ReferencedToleranceTableNumber", "IonBeamSequence.ReferencedToleranceTableNumber"),
        may_lack=True,
    ),
)
"""PS3.3 C.8.8.2 to C.8.8.6, C.8.8.8, C.8.8.10 to C.8.8.15, C.8.8.24 and C.8.8.25."""

_Numbers = dict[int, list[float]]
"""Numbers by row of the study."""


@rule(
    "REF-RT-NUMBER",
    level="study",
    severity="review",
    needs=("metadata", "all_attributes"),
    when=lambda study: any(group.key in _WITH_NUMBERS for group in study.groups("SOPClassUID")),
    reference="PS3.3 C.8.8",
)
def number(study: StudyView) -> Iterator[Hit]:
    """A radiotherapy object names a region, a beam or a setup by a number that nothing has.

    Finds: Numbers by which contours and observations name a region, fraction groups a beam, beams a patient
        setup or tolerance table, control points a dose reference, and which the object does not define;
        beams, fraction groups and regions that a dose or plan names, and that the plan or structure set it
        refers to does not have, where that one is in the study; and one number for two regions, beams and so
        on. Tolerance tables, patient setups and dose references are only judged where the plan has any.
    Why: The number is the only link: a contour without a region has no name, a dose belongs to no beam. Two
        beams of one number get one another's dose. Planning systems refuse the object, or mix them up.
    Mend: Export the object again from the planning system. Where a tool took regions or beams out, it has to
        take out what names them, too.
    Example: A structure set of which a script removed the region of the couch and left its contours.
    """
    classes = study.texts("SOPClassUID")
    links = _linked_rows(study)
    for numbering in NUMBERINGS:
        defined: _Numbers = {}
        for path in numbering.defined:
            of_path = _numbers(study.table, tuple(path.split(".")))
            for row, numbers in of_path.items():
                defined.setdefault(row, []).extend(numbers)
            yield from _twice(path, {row: n for row, n in of_path.items() if classes[row] in _WITH_NUMBERS})
        for path in numbering.used:
            used = _numbers(study.table, tuple(path.split(".")))
            known = {
                row: set(defined.get(row, ()))
                for row in used
                if classes[row] in _WITH_NUMBERS and (row in defined or not numbering.may_lack)
            }
            yield from _undefined(numbering, path, used, known, "the object")
        for sequence, path in numbering.linked:
            used = _numbers(study.table, tuple(path.split(".")))
            known = {
                row: {n for target in links[sequence, row] for n in defined.get(target, ())}
                for row in used
                if (sequence, row) in links
            }
            yield from _undefined(numbering, path, used, known, "the object that it refers to")


def _undefined(
    numbering: Numbering, path: str, used: _Numbers, known: dict[int, set[float]], where: str
) -> Iterator[Hit]:
    wrong: dict[tuple[float, ...], list[int]] = {}
    for row, defined in known.items():
        unknown = tuple(sorted(set(used[row]) - defined))
        if unknown:
            wrong.setdefault(unknown, []).append(row)
    for unknown, rows in sorted(wrong.items()):
        yield Hit(
            tags=(_tags(path),),
            observed=cut(f"{numbering.name} {_named(unknown)}, not defined"),
            expected=f"a {numbering.name} of {where}",
            rows=rows,
        )


def _twice(path: str, defined: _Numbers) -> Iterator[Hit]:
    wrong: dict[tuple[float, ...], list[int]] = {}
    for row, numbers in defined.items():
        if len(set(numbers)) < len(numbers):
            several = sorted(n for n, count in Counter(numbers).items() if count > 1)
            wrong.setdefault(tuple(several), []).append(row)
    for twice, rows in sorted(wrong.items()):
        yield Hit(
            tags=(_tags(path),),
            observed=cut(f"{_named(twice)} more than once"),
            expected="a number of its own for each item",
            rows=rows,
        )


def _named(numbers: tuple[float, ...]) -> str:
    return listed([f"{number:.15g}" for number in numbers[:20]], 40)


def _tags(path: str) -> str:
    return "/".join(map(tag_of, path.split(".")))


def _linked_rows(study: StudyView) -> dict[tuple[str, int], set[int]]:
    """The rows of the plans and structure sets that objects name, by sequence, where all are there."""
    rows = {uid: row for row, uid in enumerate(study.texts("SOPInstanceUID"))}
    links: dict[tuple[str, int], set[int]] = {}
    for row, several in references_by_row(study).items():
        for sequence in (_PLAN, _SET):
            targets = {one.instance for one in several if one.path == (tag_of(sequence),)}
            if targets and targets <= rows.keys():
                links[sequence, row] = {rows[uid] for uid in targets}
    return links


def _numbers(table: Table, path: tuple[str, ...]) -> _Numbers:
    """The first value of an attribute in the items at the end of a path, by row of the table."""
    column = table.columns.get(tag_of(path[0]))
    if column is None:
        return {}
    if len(path) == 1:
        firsts = {code: table.cell(column, code).numbers[:1] for code in set(column.codes)}
        return {row: [n] for row, code in enumerate(column.codes) for n in firsts[code] if n is not None}
    items = table.items(column)
    below = _numbers(items, path[1:])
    by_cell: _Numbers = {}
    for item, numbers in below.items():
        by_cell.setdefault(items.owners[item], []).extend(numbers)
    return {row: by_cell[code] for row, code in enumerate(column.codes) if code in by_cell}
