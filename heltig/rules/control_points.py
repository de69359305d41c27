"""Radiotherapy: can a machine go from one control point of a beam to the next (PS3.3 C.8.8.14, C.8.8.25)?"""

from collections.abc import Iterator
from typing import Final, NamedTuple

from heltig.dicom.points import numbers_in
from heltig.dicom.table import ItemTable
from heltig.rules.contours import below
from heltig.rules.image_planes import by_owner
from heltig.rules.pixel_facts import integer
from heltig.rules.rule import Hit, rule
from heltig.rules.views import Place, StudyView
from heltig.rules.wording import cut
from heltig.standard.dictionary import tag_of

_BEAMS: Final = {
    "BeamSequence": ("ControlPointSequence", "BeamLimitingDeviceSequence"),
    "IonBeamSequence": ("IonControlPointSequence", "IonBeamLimitingDeviceSequence"),
}
"""By sequence of beams: those of their control points, and of their jaws and collimators."""

_SHAPES: Final = "BeamLimitingDevicePositionSequence"
_CROSSED_MM: Final = 1.0
"""Millimetres by which closed leaves may pass one another in rounded numbers."""

_TURN: Final = 360.0
_ANGLES: Final = (
    *("BeamLimitingDeviceAngle", "GantryAngle", "PatientSupportAngle", "TableTopEccentricAngle"),
)


class _Device(NamedTuple):
    """A jaw or collimator at one control point.

    Attributes:
        sequence: The sequence of beams it is in.
        beams: The beams.
        beam: Its beam.
        kind: RTBeamLimitingDeviceType.
        positions: Of one side, then of the other, in millimetres.
    """

    sequence: str
    beams: ItemTable
    beam: int
    kind: str
    positions: tuple[float | None, ...]


def _devices(study: StudyView) -> Iterator[_Device]:
    """The positions of jaws and leaves in all plans."""
    for sequence, (points_of_beam, _) in _BEAMS.items():
        beams = below(study.table, sequence)
        points = below(beams, points_of_beam)
        shapes = below(points, _SHAPES)
        if beams is None or points is None or shapes is None:
            continue
        positions = numbers_in(shapes, tag_of("LeafJawPositions"), range(shapes.rows))
        points_in, shapes_in = by_owner(points), by_owner(shapes)
        codes = points.columns[tag_of(_SHAPES)].codes
        for beam, cell in enumerate(beams.columns[tag_of(points_of_beam)].codes):
            for point in points_in.get(cell, ()):
                for shape in shapes_in.get(codes[point], ()):
                    kind = shapes.at(tag_of("RTBeamLimitingDeviceType"), shape).text
                    yield _Device(sequence, beams, beam, kind, positions[shape])


def _rows(study: StudyView, sequence: str, owners: set[int]) -> list[int]:
    """The rows of plans with these cells of a sequence, files that end early left out."""
    damaged = {row for _, rows in study.faults("truncated", "unreadable") for row in rows}
    return [row for row in study.table.study_rows(tag_of(sequence), owners) if row not in damaged]


@rule("REF-RT-CONTROL-POINT", level="study", severity="review", reads=tuple(_BEAMS),
    reference="PS3.3 C.8.8.14")  # fmt: skip
def control_point(study: StudyView) -> Iterator[Hit]:
    """The control points of a beam are not numbered one after the other.

    Finds: Beams of plans whose ControlPointIndex (300A,0112) does not go from 0 on by one, in the order of
        the control points. Other control points than their number says are a matter of REF-RT-COUNT.
    Why: A machine goes from one control point to the next: where one is missing, twice or out of order it
        moves leaves and gantry another way while it irradiates, or refuses the plan.
    Mend: Export the plan again from the planning system. It must not be corrected by hand.
    Example: A script that joined two beams and left the indices of each.
    """
    for sequence, (points_of_beam, _) in _BEAMS.items():
        beams = below(study.table, sequence)
        points = below(beams, points_of_beam)
        if beams is None or points is None:
            continue
        points_in = by_owner(points)
        wrong: dict[tuple[int, int], set[int]] = {}
        for beam, cell in enumerate(beams.columns[tag_of(points_of_beam)].codes):
            indices = [integer(points.at(tag_of("ControlPointIndex"), p)) for p in points_in.get(cell, ())]
            off = [(place, index) for place, index in enumerate(indices) if index != place]
            said = integer(beams.at(tag_of("NumberOfControlPoints"), beam))
            if off and None not in indices and said in (None, len(indices)):
                place, index = off[0]
                wrong.setdefault((place, index or 0), set()).add(beams.owners[beam])
        for (place, index), owners in sorted(wrong.items()):
            if rows := _rows(study, sequence, owners):
                yield Hit(
                    tags=("/".join(map(tag_of, (sequence, points_of_beam, "ControlPointIndex"))),),
                    observed=cut(f"index {index} at place {place + 1}"),
                    expected=f"index {place}",
                    rows=rows,
                )


@rule("REF-RT-LEAVES", level="study", severity="review", reads=tuple(_BEAMS), reference="PS3.3 C.8.8.14")
def leaves(study: StudyView) -> Iterator[Hit]:
    """A collimator has positions for more or fewer leaves than it has.

    Finds: Beams of plans with LeafJawPositions (300A,011C) that are not two for each of the
        NumberOfLeafJawPairs (300A,00BC) of their device, and devices whose LeafPositionBoundaries (300A,00BE)
        are not one more than these.
    Why: Which position is of which leaf goes by their order: with another number the field has another shape
        than the one that was planned, or the machine refuses the plan.
    Mend: Export the plan again from the planning system. It must not be corrected by hand.
    Example: A plan for a collimator of 60 pairs of leaves, converted for one of 80.
    """
    wrong: dict[tuple[str, str, str, str], set[int]] = {}
    pairs: dict[tuple[str, int, str], int] = {}
    for sequence, (_, devices_of_beam) in _BEAMS.items():
        beams = below(study.table, sequence)
        devices = below(beams, devices_of_beam)
        if beams is None or devices is None:
            continue
        devices_in = by_owner(devices)
        for beam, cell in enumerate(beams.columns[tag_of(devices_of_beam)].codes):
            for device in devices_in.get(cell, ()):
                kind = devices.at(tag_of("RTBeamLimitingDeviceType"), device).text
                said = integer(devices.at(tag_of("NumberOfLeafJawPairs"), device))
                edges = len(devices.at(tag_of("LeafPositionBoundaries"), device).values)
                if said is None:
                    continue
                pairs[sequence, beam, kind] = said
                if edges and edges != said + 1:
                    path = "/".join(map(tag_of, (sequence, devices_of_beam, "LeafPositionBoundaries")))
                    observed = f"{kind}: {edges} boundaries of {said} pairs"
                    wrong.setdefault((sequence, path, observed, f"{said + 1}"), set()).add(beams.owners[beam])
    for one in _devices(study):
        told = pairs.get((one.sequence, one.beam, one.kind))
        if told is not None and one.positions and len(one.positions) != 2 * told:
            points_of_beam = _BEAMS[one.sequence][0]
            path = "/".join(map(tag_of, (one.sequence, points_of_beam, _SHAPES, "LeafJawPositions")))
            observed = f"{one.kind}: {len(one.positions)} positions of {told} pairs"
            key = one.sequence, path, observed, f"{2 * told}"
            wrong.setdefault(key, set()).add(one.beams.owners[one.beam])
    for (sequence, path, observed, expected), owners in sorted(wrong.items()):
        if rows := _rows(study, sequence, owners):
            yield Hit(tags=(path,), observed=cut(observed), expected=cut(expected), rows=rows)


@rule("REF-RT-JAWS", level="study", severity="review", reads=tuple(_BEAMS), reference="PS3.3 C.8.8.14")
def jaws(study: StudyView) -> Iterator[Hit]:
    """A jaw or leaf stands on the wrong side of its opposite.

    Finds: LeafJawPositions (300A,011C) of beams in which the first jaw, or a leaf of the first side, is more
        than a millimetre beyond the second.
    Why: No machine can do that. It refuses the plan; programs that work out the dose take the field for
        closed, or for another one.
    Mend: Export the plan again from the planning system. It must not be corrected by hand: which side was
        meant cannot be told.
    Example: A script that mirrored the field and did not exchange the sides.
    """
    wrong: dict[tuple[str, str], tuple[float, set[int]]] = {}
    for one in _devices(study):
        half = len(one.positions) // 2
        if 2 * half != len(one.positions) or None in one.positions:
            continue
        known = [position for position in one.positions if position is not None]
        crossed = max((a - b for a, b in zip(known[:half], known[half:], strict=True)), default=0.0)
        if crossed > _CROSSED_MM:
            worst, owners = wrong.get((one.sequence, one.kind), (0.0, set()))
            owners.add(one.beams.owners[one.beam])
            wrong[one.sequence, one.kind] = max(worst, crossed), owners
    for (sequence, kind), (worst, owners) in sorted(wrong.items()):
        if rows := _rows(study, sequence, owners):
            path = (sequence, _BEAMS[sequence][0], _SHAPES, "LeafJawPositions")
            yield Hit(
                tags=("/".join(map(tag_of, path)),),
                observed=cut(f"{kind}: crossed by up to {worst:.5g} mm"),
                expected="the first side before the second",
                rows=rows,
            )


@rule("VAL-RT-ANGLE", level="value", severity="review", reads=_ANGLES, reference="PS3.3 C.8.8.14")
def angle(at: Place) -> Iterator[Hit]:
    """An angle of a treatment machine is more than a turn.

    Finds: GantryAngle, BeamLimitingDeviceAngle, PatientSupportAngle and TableTopEccentricAngle beyond 360
        degrees, in either direction, of beams and setups.
    Why: No machine goes there: it refuses the plan, or takes another angle.
    Mend: Export the plan again from the planning system. It must not be corrected by hand.
    Example: `720`, from a script that added angles up.
    """
    if any(number is not None and abs(number) > _TURN for number in at.cell.numbers):
        yield Hit(observed=cut(at.cell.shown), expected="0 to 360")
