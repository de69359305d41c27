"""Radiotherapy: do the counts and weights of plans agree with their beams, and those of histograms?"""

from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from heltig.dicom.cell import Cell
from heltig.dicom.table import ItemTable
from heltig.rules.pixel_facts import integer
from heltig.rules.rule import Hit, rule
from heltig.rules.views import StudyView
from heltig.rules.wording import cut
from heltig.standard.dictionary import tag_of

_OF_BEAMS: Final = (
    ("NumberOfWedges", "WedgeSequence"),
    ("NumberOfCompensators", "CompensatorSequence"),
    ("NumberOfBoli", "ReferencedBolusSequence"),
    ("NumberOfBlocks", "BlockSequence"),
)

_COUNTED: Final = {
    "FractionGroupSequence": (
        ("NumberOfBeams", "ReferencedBeamSequence"),
        ("NumberOfBrachyApplicationSetups", "ReferencedBrachyApplicationSetupSequence"),
    ),
    "BeamSequence": (("NumberOfControlPoints", "ControlPointSequence"), *_OF_BEAMS),
    "IonBeamSequence": (
        ("NumberOfControlPoints", "IonControlPointSequence"),
        ("NumberOfRangeShifters", "RangeShifterSequence"),
        ("NumberOfLateralSpreadingDevices", "LateralSpreadingDeviceSequence"),
        ("NumberOfRangeModulators", "RangeModulatorSequence"),
        *_OF_BEAMS,
    ),
}
"""By sequence: numbers in its items, and what they count (PS3.3 C.8.8.13, C.8.8.14 and C.8.8.25)."""


@rule(
    "REF-RT-COUNT",
    level="study",
    severity="review",
    reads=tuple(_COUNTED),
    reference="PS3.3 C.8.8",
)
def count(study: StudyView) -> Iterator[Hit]:
    """A plan has other beams, control points or devices than it says.

    Finds: NumberOfBeams (300A,0080) and NumberOfBrachyApplicationSetups of fraction groups,
        NumberOfControlPoints (300A,0110), NumberOfWedges, NumberOfBlocks and the like of beams that are not
        the number of items in the sequence they count. A sequence that is not there at all is a matter of
        IOD-TYPE1C, files that end early are one of ENC-TRUNCATED.
    Why: Part of the plan is missing, or there is some too much. A machine or planning system that goes by the
        number delivers another dose than the one that was planned, or refuses the plan.
    Mend: Export the plan again from the planning system. It must not be corrected by hand.
    Example: A plan for teaching from which a script removed a beam, and not its count.
    """
    for sequence, numbers in _COUNTED.items():
        for keyword, counted in numbers:
            yield from _hits(study, sequence, keyword, counted)


@rule(
    "REF-RT-BINS",
    level="study",
    severity="note",
    reads=("DVHSequence",),
    reference="PS3.3 C.8.8.4",
)
def bins(study: StudyView) -> Iterator[Hit]:
    """A dose-volume histogram has other bins than it says.

    Finds: Items of DVHSequence (3004,0050) whose DVHNumberOfBins (3004,0056) is not the number of bins in
        DVHData (3004,0058), of two values each. Half a bin is a matter of VAL-VM.
    Why: Programs that show the histogram go by the number, or by the data: a curve is cut short, or is not
        shown. The dose itself is not concerned.
    Mend: Nothing needs to be done before the study is moved; the histogram can be made again from dose and
        structure set. Tell the maker of the system that wrote it.
    Example: A histogram whose last bins, all zero, were left out.
    """
    yield from _hits(study, "DVHSequence", "DVHNumberOfBins", "DVHData")


_POINTS: Final = {"BeamSequence": "ControlPointSequence", "IonBeamSequence": "IonControlPointSequence"}
_FINAL: Final = "FinalCumulativeMetersetWeight"
_WEIGHT: Final = "CumulativeMetersetWeight"
_ROUNDED: Final = 0.001
"""What weights differ by, as a part of the final one, where they are rounded."""


@rule(
    "REF-RT-METERSET",
    level="study",
    severity="review",
    reads=tuple(_POINTS),
    reference="PS3.3 C.8.8.14",
)
def meterset(study: StudyView) -> Iterator[Hit]:
    """The weights of a beam do not add up.

    Finds: Beams of plans whose FinalCumulativeMetersetWeight (300A,010E) is not the CumulativeMetersetWeight
        (300A,0134) of their last control point, by more than a thousandth, or whose cumulative weights fall
        from one control point to the next. Beams for setup, control points without weights and beams with
        other control points than they say (REF-RT-COUNT) are left alone.
    Why: The dose at a control point is its weight by the final one: with a wrong one the beam ends too early,
        or is delivered with too much.
    Mend: Export the plan again from the planning system. It must not be corrected by hand.
    Example: A plan from a script that cut a beam's last control points off, and wrote the count anew.
    """
    damaged = {row for _, rows in study.faults("truncated", "unreadable") for row in rows}
    for sequence, points in _POINTS.items():
        column = study.table.columns.get(tag_of(sequence))
        if column is None:
            continue
        beams, found = study.table.items(column), dict[tuple[str, str, str], set[int]]()
        for beam, owner in enumerate(beams.owners):
            wrong = _wrong_weights(beams, points, beam)
            if wrong:
                found.setdefault(wrong, set()).add(owner)
        for (keyword, observed, expected), owners in sorted(found.items()):
            rows = [row for row in study.table.study_rows(column.tag, owners) if row not in damaged]
            path = (sequence, keyword) if keyword == _FINAL else (sequence, points, keyword)
            if rows:
                tags = ("/".join(map(tag_of, path)),)
                yield Hit(tags=tags, observed=observed, expected=expected, rows=rows)


def _wrong_weights(beams: ItemTable, points: str, beam: int) -> tuple[str, str, str] | None:
    """What is wrong with the weights of a beam: the attribute, what is there, what should be."""
    column = beams.columns.get(tag_of(points))
    if column is None or beams.at(tag_of("TreatmentDeliveryType"), beam).text == "SETUP":
        return None
    items = beams.items(column)
    there = [item for item, owner in enumerate(items.owners) if owner == column.codes[beam]]
    weights = [_number(items.at(tag_of(_WEIGHT), item)) for item in there]
    known = [weight for weight in weights if weight is not None]
    said, final = (
        integer(beams.at(tag_of("NumberOfControlPoints"), beam)),
        _number(beams.at(tag_of(_FINAL), beam)),
    )
    if not known or len(known) < len(weights) or said not in (None, len(there)):
        return None
    slack = _ROUNDED * max(map(abs, (*known, final or 0.0)))
    for before, after in pairwise(known):
        if after < before - slack:
            return _WEIGHT, cut(f"{after:.6g} after {before:.6g}"), "weights that do not fall"
    if final is not None and abs(final - known[-1]) > slack:
        observed = cut(f"{final:.6g}, where the last control point has {known[-1]:.6g}")
        return _FINAL, observed, "the weight of the last control point"
    return None


def _number(cell: Cell) -> float | None:
    return cell.numbers[0] if cell.values else None


def _hits(study: StudyView, sequence: str, keyword: str, counted: str) -> Iterator[Hit]:
    """A hit for each wrong number in the items of a sequence, files that end early left out."""
    column = study.table.columns.get(tag_of(sequence))
    if column is None:
        return
    damaged = {row for _, rows in study.faults("truncated", "unreadable") for row in rows}
    for (said, there), owners in sorted(_wrong(study.table.items(column), keyword, counted).items()):
        rows = [row for row in study.table.study_rows(column.tag, owners) if row not in damaged]
        if rows:
            yield Hit(
                tags=(f"{column.tag}/{tag_of(keyword)}", f"{column.tag}/{tag_of(counted)}"),
                observed=cut(f"{said}, where there {'is' if there == 1 else 'are'} {there}"),
                expected="the number that there are",
                rows=rows,
            )


def _wrong(items: ItemTable, keyword: str, counted: str) -> dict[tuple[int, int], set[int]]:
    """The cells of a sequence whose items count wrongly, by what is said and what there is."""
    wrong: dict[tuple[int, int], set[int]] = {}
    if tag_of(keyword) in items.columns and tag_of(counted) in items.columns:
        for item, owner in enumerate(items.owners):
            said, there = integer(items.at(tag_of(keyword), item)), _size(items.at(tag_of(counted), item))
            if said is not None and there and said != there:
                wrong.setdefault((said, there), set()).add(owner)
    return wrong


def _size(cell: Cell) -> int:
    """The items of a sequence, or the bins of DVHData; 0 where there are none, or nobody can tell."""
    return len(cell.items) if cell.vr == "SQ" else 0 if len(cell.values) % 2 else len(cell.values) // 2
