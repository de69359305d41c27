"""Instance: do InstanceNumbers count the images of a series?"""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from itertools import pairwise, repeat

from heltig.dicom.numbers import parse_is, whole_numbers
from heltig.rules.absence import has_patient, lacking
from heltig.rules.acquisition import TOMOGRAPHIC, is_single_frame
from heltig.rules.conflict import parts
from heltig.rules.rule import Hit, rule
from heltig.rules.views import RowsView, SeriesView, StudyView
from heltig.rules.wording import counted, cut
from heltig.standard.sop_classes import lookup

_APART = (
    "SOPClassUID",
    "ImageType",
    "AcquisitionNumber",
    "TemporalPositionIdentifier",
    "EchoNumbers",
    "DiffusionBValue",
    "TriggerTime",
    "InConcatenationNumber",
)
"""What tells two images of one InstanceNumber apart: each of these may begin to count anew."""

_RT_WITHOUT_NUMBERS = frozenset({"RTDOSE", "RTPLAN", "RTSTRUCT", "RTRECORD"})


@rule(
    "INS-NUMBER-DUP",
    level="series",
    severity="review",
    reads=("InstanceNumber",),
    when=lambda series: series.modality in TOMOGRAPHIC and series.has("InstanceNumber"),
    reference="PS3.3 C.7.6.1",
)
def number_duplicate(series: SeriesView) -> Iterator[Hit]:
    """Images of a series have the same number.

    Finds: One InstanceNumber (0020,0013) on several images of a CT, MR, PET or NM series. Where acquisitions,
        temporal positions, echoes, b-values, trigger times or kinds of image each count anew, it is looked
        for within each. Copies of one object do not count: they have one SOPInstanceUID.
    Why: Viewers sort the images by it: two with one number change places, or one is not shown. It may show
        that two series became one.
    Mend: Find out whether the images belong to one series. If so, have the series numbered anew; the position
        in space tells the order.
    Example: Two reconstructions of one acquisition stored under one SeriesInstanceUID.
    """
    numbers = series.texts("InstanceNumber")
    if len(set(numbers)) == len(numbers):
        return
    parts = _parts_by_number(series)
    repeated: dict[str, list[int]] = {}
    strays = _strays([numbers_of.keys() for numbers_of in parts])
    for numbers_of in parts:
        for number, rows in numbers_of.items():
            if len(rows) > 1 or number in strays:
                repeated.setdefault(number, []).extend(rows.values())
    if repeated:
        ordered = sorted(repeated, key=lambda number: (parse_is(number) or 0, number))
        yield Hit(
            tags=("InstanceNumber",),
            observed=counted((number, len(repeated[number])) for number in ordered),
            expected="a number for each image",
            rows=sorted(row for rows in repeated.values() for row in rows),
        )


def _parts_by_number(series: SeriesView) -> list[dict[str, dict[str, int]]]:
    """For each part of a series that may count anew: of each number the objects with it, UID and row."""
    columns = [
        [cell.shown for cell in series.cells(keyword)] for keyword in _APART if not series.uniform(keyword)
    ]
    keys = zip(*columns, strict=True) if columns else repeat(())
    parts: dict[tuple[str, ...], dict[str, dict[str, int]]] = {}
    texts = (series.texts("InstanceNumber"), series.texts("SOPInstanceUID"))
    for row, number, uid, key in zip(series.rows, *texts, keys, strict=False):
        if number:
            parts.setdefault(key, {}).setdefault(number, {}).setdefault(uid, row)
    return list(parts.values())


def _strays(parts: Sequence[Collection[str]]) -> set[str]:
    """Numbers that two parts share although neither counts anew: at most half of the smaller part's."""
    holders: dict[str, list[int]] = {}
    for index, numbers in enumerate(parts):
        for number in numbers:
            holders.setdefault(number, []).append(index)
    shared = Counter(pair for indices in holders.values() for pair in pairwise(indices))
    chance = {(a, b) for (a, b), both in shared.items() if both * 2 <= min(len(parts[a]), len(parts[b]))}
    return {number for number, indices in holders.items() if not chance.isdisjoint(pairwise(indices))}


def _is_stack(series: SeriesView) -> bool:
    return series.modality in TOMOGRAPHIC and len(series) > 2 and is_single_frame(series)


@rule(
    "INS-NUMBER-GAP",
    level="series",
    severity="review",
    reads=("InstanceNumber",),
    needs=("metadata", "complete_study"),
    when=lambda series: _is_stack(series) and series.has("InstanceNumber"),
    reference="PS3.3 C.7.6.1",
)
def number_gap(series: SeriesView) -> Iterator[Hit]:
    """InstanceNumbers are missing within a series.

    Finds: Numbers missing between the first and the last InstanceNumber (0020,0013) of a CT, MR or PET
        series of at least three single-frame images, judged by its own steps: a series that counts 1, 5, 9,
        or in equal blocks, is whole, and so is one that has as many images as numbers. Of four blocks or
        more, most of them equal, with as many numbers left out between them as they have or more, only
        numbers within blocks count. Where numbers repeat, each AcquisitionNumber is looked at by itself.
    Why: Images may not have arrived. Nobody notices a missing slice until a measurement or a plan is wrong.
    Mend: Compare with the modality's own list of the series and send it again. Images that were left out or
        deleted on purpose can be accepted by a waiver.
    Example: 239 of 240 slices after a timeout in the middle of the transfer.
    """
    texts = series.texts("InstanceNumber")
    views: list[RowsView] = [series]
    if len(set(texts)) != len(texts):
        views = parts(series, "AcquisitionNumber")
    for view in views:
        numbers = _numbers(view.texts("InstanceNumber"))
        missing = _missing(numbers)
        count = sum(map(len, missing))
        if missing and len(set(view.texts("SOPInstanceUID"))) < count + len(numbers):
            named = ", ".join(f"{r[0]}" if len(r) == 1 else f"{r[0]} to {r[-1]}" for r in missing)
            yield Hit(
                tags=("InstanceNumber",),
                observed=cut(f"{count} missing of {count + len(numbers)}: {named}"),
                expected="every number from the first to the last",
                rows=view.rows,
            )


def _numbers(texts: list[str]) -> list[int]:
    """The different numbers, ascending; what is none is left out."""
    plain = whole_numbers(texts, 8)
    if plain is not None:
        return sorted(set(plain))
    found = {int(text) if text.isdecimal() and len(text) < 9 else parse_is(text) for text in texts}
    return sorted(number for number in found if number is not None)


def _missing(numbers: list[int]) -> list[range]:
    """The numbers missing in an ascending list, by its own step; none where it has no step, or blocks."""
    steps = [after - before for before, after in pairwise(numbers)]
    if len(steps) < 2 or steps.count(steps[0]) == len(steps):
        return []
    step, often = min(Counter(steps).items(), key=lambda pair: (-pair[1], pair[0]))
    if often * 2 < len(steps):
        return []
    gaps = [index for index, found in enumerate(steps) if found > step]
    if _in_blocks(steps, gaps):
        return []
    counted = _by_blocks(numbers, step, gaps)
    if counted is not None:
        return _ranges(sorted(set(counted).difference(numbers)), step)
    return [range(numbers[i] + step, numbers[i + 1], step) for i in gaps]


def _in_blocks(steps: list[int], gaps: list[int]) -> bool:
    """Three or more runs of one length, equally far apart: numbered so, not lost."""
    ends = [-1, *gaps, len(steps)]
    lengths = {after - before for before, after in pairwise(ends)}
    return len(gaps) > 1 and len(lengths) == 1 and len({steps[index] for index in gaps}) == 1


def _by_blocks(numbers: list[int], step: int, gaps: list[int]) -> list[int] | None:
    """The numbers that equal blocks would hold, with as many left out between them as each has, or more.

    Args:
        numbers: Ascending.
        step: From number to number within a block.
        gaps: Indices of numbers after which others are left out.

    Returns:
        All from the first number to the last; None where most runs do not make such blocks.
    """
    ends = [-1, *gaps, len(numbers) - 1]
    runs = [(numbers[before + 1], after - before) for before, after in pairwise(ends)]
    if len(runs) <= _FEW_BLOCKS:
        return None
    length, often = Counter(length for _, length in runs).most_common(1)[0]
    period, regular = Counter(b - a for (a, _), (b, _) in pairwise(runs)).most_common(1)[0]
    if often * 2 < len(runs) or regular * 2 < len(runs) - 1 or period < 2 * length * step:
        return None
    anchor = Counter(start % period for start, _ in runs).most_common(1)[0][0]
    first, last = numbers[0], numbers[-1]
    starts = range(first - (first - anchor) % period, last + 1, period)
    expected = [
        n for start in starts for n in range(start, start + length * step, step) if first <= n <= last
    ]
    return expected if set(numbers).issubset(expected) else None


_FEW_BLOCKS = 3


def _ranges(numbers: list[int], step: int) -> list[range]:
    """Ascending numbers, those that follow one another in one range."""
    ranges: list[range] = []
    for number in numbers:
        if ranges and ranges[-1].stop == number:
            ranges[-1] = range(ranges[-1].start, number + step, step)
        else:
            ranges.append(range(number, number + step, step))
    return ranges


@rule(
    "INS-NUMBER-EMPTY",
    level="study",
    severity="note",
    reads=("InstanceNumber", "SOPClassUID"),
    needs=("metadata", "all_attributes"),
    when=has_patient,
    reference="PS3.3 C.7.6.1",
)
def number_empty(study: StudyView) -> Iterator[Hit]:
    """InstanceNumber is absent or empty.

    Finds: Instances without an InstanceNumber (0020,0013). Objects of radiotherapy that need none, objects
        that belong to no patient, and private SOP Classes are left alone.
    Why: Viewers sort images by it, and people name images by it.
    Mend: Have the sending system number its images.
    Example: Screenshots of a workstation.
    """
    yield from lacking(study, "InstanceNumber", needed_by=is_numbered)


def is_numbered(sop_class_uid: str) -> bool:
    """Objects of the SOP Class have an InstanceNumber."""
    sop_class = lookup(sop_class_uid)
    return (
        sop_class is not None and sop_class.study and not _RT_WITHOUT_NUMBERS.intersection(sop_class.modality)
    )
