"""Do the numbers of a PET image give uptake (SUV): do they begin at zero, of which dose, and given when?"""

from collections.abc import Iterable, Iterator
from datetime import date, datetime, time, timedelta
from typing import Final, NamedTuple

from heltig.dicom.cell import Cell
from heltig.dicom.dates import parse_da, parse_dt, parse_tm
from heltig.rules.pixel_facts import by_lacking
from heltig.rules.rule import Hit, rule
from heltig.rules.views import RowsView, SeriesView, StudyView
from heltig.rules.wording import cut
from heltig.standard.dictionary import tag_of

PET_IMAGE: Final = "1.2.840.10008.5.1.4.1.1.128"


@rule("PIX-PET-RESCALE", level="study", severity="review", reads=("RescaleIntercept",),
    when=lambda study: bool(_pet_rows(study)), reference="PS3.3 C.8.9.4")  # fmt: skip
def pet_rescale(study: StudyView) -> Iterator[Hit]:
    """The values of a PET image do not begin at zero.

    Finds: PET images of one frame whose RescaleIntercept (0028,1052) is a number other than zero, however
        zero is written. An absent one is a matter of PIX-RESCALE.
    Why: In PET the intercept is always zero, so programs that measure uptake go by the slope alone: they and
        those that add the intercept come to different uptakes of one lesion.
    Mend: Have the images sent again from the scanner. A program that changed the pixels must write them with
        an intercept of zero.
    Example: `500` from a converter that keeps negative values apart.
    """
    view = RowsView(study.table, _pet_rows(study), study.context)
    for group in view.groups("RescaleIntercept"):
        number = group.cell.numbers[0] if group.cell.values else None
        if number:
            yield Hit(tags=("RescaleIntercept",), observed=cut(group.key), expected="0", rows=group.rows)


def _pet_rows(study: StudyView) -> list[int]:
    return next((group.rows for group in study.groups("SOPClassUID") if group.key == PET_IMAGE), [])


_OF_ANY_PET: Final = ("Units", "DecayCorrection")
_OF_UPTAKE: Final = ("Units", "PatientWeight", "DecayCorrection")
_RADIOPHARMACEUTICAL: Final = "RadiopharmaceuticalInformationSequence"
_OF_DOSE: Final = ("RadionuclideTotalDose", "RadionuclideHalfLife")
_STARTS: Final = ("RadiopharmaceuticalStartDateTime", "RadiopharmaceuticalStartTime")


@rule("PIX-PET-UNITS", level="series", severity="review", reference="PS3.3 C.8.9.1",
    needs=("metadata", "all_attributes"), reads=(*_OF_UPTAKE, _RADIOPHARMACEUTICAL, "SOPClassUID"),
    when=lambda series: _is_pet(series))  # fmt: skip
def pet_units(series: SeriesView) -> Iterator[Hit]:
    """Uptake (SUV) cannot be worked out from a PET series.

    Finds: PET images without Units (0054,1001) or DecayCorrection (0054,1102), and series in BQML without
        PatientWeight, RadionuclideTotalDose, RadionuclideHalfLife or the time of injection, or with a dose or
        half-life of zero. A weight of zero is a matter of VAL-ZERO-UNKNOWN; series in other units than BQML
        are not looked at further.
    Why: The standardised uptake value is activity by dose and weight, with decay: without one of them the
        images can be looked at, but not measured or compared with a later examination.
    Mend: Have the missing values filled in from the examination's record. A patient's weight is often known
        to the information system.
    Example: A de-identified PET in which the weight was removed.
    """
    is_activity = series.first("Units").text in ("", "BQML")
    lacking: dict[str, Iterable[int]] = {
        keyword: _rows_without(series, keyword) for keyword in (_OF_UPTAKE if is_activity else _OF_ANY_PET)
    }
    if is_activity:
        lacking |= dict.fromkeys(_without_dose(series), series.rows)
    for missing, rows in by_lacking(lacking):
        observed = cut(f"without {', '.join(missing)}", 160)
        yield Hit(tags=missing, observed=observed, expected="what SUV needs", rows=rows)


def _rows_without(series: SeriesView, keyword: str) -> Iterable[int]:
    if series.uniform(keyword):
        return series.rows if series.first(keyword).empty else ()
    return [row for row, cell in zip(series.rows, series.cells(keyword), strict=True) if cell.empty]


def _is_pet(series: SeriesView) -> bool:
    return series.modality == "PT" and series.first("SOPClassUID").text == PET_IMAGE


def _doses(series: SeriesView, *keywords: str) -> list[list[Cell]]:
    """What attributes say of each radiopharmaceutical of the first instance that names any."""
    table, tag = series.table, tag_of(_RADIOPHARMACEUTICAL)
    column = table.columns.get(tag)
    code = next(filter(None, table.codes(tag, series.rows)), 0)
    if column is None or not table.cell(column, code).items:
        return []
    items = table.items(column)
    rows = [row for row, owner in enumerate(items.owners) if owner == code]
    return [[items.at(tag_of(keyword), row) for keyword in keywords] for row in rows]


def _without_dose(series: SeriesView) -> list[str]:
    """What the radiopharmaceutical information of the first instance that has any lacks."""
    asked = (*_OF_DOSE, *_STARTS)
    doses = _doses(series, *asked)
    if not doses:
        return [_RADIOPHARMACEUTICAL]
    by_keyword = zip(asked, zip(*doses, strict=True), strict=True)
    told = {keyword: [cell for cell in cells if not cell.empty] for keyword, cells in by_keyword}
    missing = [keyword for keyword in _OF_DOSE if not told[keyword] or _are_zero(told[keyword])]
    return missing if any(told[keyword] for keyword in _STARTS) else [*missing, _STARTS[1]]


def _are_zero(cells: Iterable[Cell]) -> bool:
    numbers = [number for cell in cells for number in cell.numbers]
    return bool(numbers) and not any(number is None or number > 0 for number in numbers)


_ACQUIRED: Final = ("AcquisitionDate", "AcquisitionTime", "AcquisitionDateTime")
_DURATION: Final = "ActualFrameDuration"
_HALF_LIFE: Final = "RadionuclideHalfLife"
_DAY: Final = timedelta(days=1)
_MINUTE_OF_TIME: Final = 4
_MINUTE_OF_MOMENT: Final = 12
"""Digits of a time, and of a moment, that says hour and minute."""

_LEFT: Final = 10
"""Half-lives after which a thousandth of a dose is left: nobody takes images of that."""

_UNSAID: Final = 60_000.0
"""Milliseconds of an image that does not say how long it took."""

_LONGEST: Final = 1e9
"""Seconds of a half-life; thirty years, and more than of any nuclide that is given."""


class _Dose(NamedTuple):
    """When a dose was given, on the day of the images where a time alone is said.

    Attributes:
        keyword: The attribute that says so.
        lasts: How long after it images can be taken; None where the half-life is not known.
    """

    given: datetime
    keyword: str
    lasts: timedelta | None

    @property
    def is_time(self) -> bool:
        """Nobody says on which day it was given."""
        return self.keyword == _STARTS[1]

    def before(self, first: datetime) -> timedelta:
        """How long before the first image; by a time alone it was on that day or the day before."""
        wait = first - self.given
        return wait % _DAY if self.is_time else wait


@rule("PIX-PET-START", level="series", severity="review", reference="PS3.3 C.8.9.2",
    reads=(_RADIOPHARMACEUTICAL, *_ACQUIRED, _DURATION, "CountsSource"),
    when=lambda series: _is_pet(series))  # fmt: skip
def pet_start(series: SeriesView) -> Iterator[Hit]:
    """The dose of a PET series was given after its images, or so long before that nothing is left of it.

    Finds: PET images of one frame whose acquisition (AcquisitionDate (0008,0022) and AcquisitionTime
        (0008,0032), or AcquisitionDateTime (0008,002A); with ActualFrameDuration (0018,1242)) had ended
        before RadiopharmaceuticalStartDateTime (0018,1078), or began more than ten times
        RadionuclideHalfLife (0018,1075) after it. Where RadiopharmaceuticalStartTime (0018,1072) says the
        time of the day alone, it may be that of the first image's day, or of a day before on which something
        was left of the dose. One dose that may be right is enough. Moments with an offset from UTC, and
        transmission scans, are left alone.
    Why: Uptake is corrected for the decay between dose and image. A clock that is an hour off makes uptake of
        F-18 half as large again, a date that is off makes it absurd, and no number looks wrong by itself.
    Mend: Compare the clocks of scanner and injection with the record of the examination, and have the moment
        of the dose corrected. Where dates were shifted to de-identify, have this one shifted, too.
    Example: Study and acquisition dates shifted by some years, the date of the injection left as it was.
    """
    acquired = sorted(_acquired(series))
    if not acquired or series.first("CountsSource").text.upper() == "TRANSMISSION":
        return
    first, last, frame = acquired[0], acquired[-1], _longest_frame(series)
    amiss = []
    for cells in _doses(series, *_STARTS, _HALF_LIFE):
        dose = _dose(*cells, day=first.date())
        if dose is None:
            return
        is_late = dose.given - last > frame
        is_gone = dose.lasts is not None and dose.before(first) > dose.lasts
        if not (is_late and is_gone if dose.is_time else is_late or is_gone):
            return
        amiss.append((dose, is_late))
    for dose, is_late in amiss[:1]:
        given = f"{dose.given:%H:%M:%S}" if dose.is_time else f"{dose.given:%Y%m%d %H:%M:%S}"
        yield Hit(
            tags=(dose.keyword,) if is_late else (dose.keyword, _HALF_LIFE),
            observed=f"{dose.keyword} {given}, images from {first:%Y%m%d %H:%M:%S}",
            expected="before the images" if is_late else f"less than {_LEFT} half-lives before the images",
        )


def _dose(moment: Cell, clock: Cell, half_life: Cell, *, day: date) -> _Dose | None:
    """A dose of which it is known when it was given."""
    seconds = (*half_life.numbers, None)[0]
    lasts = timedelta(seconds=_LEFT * min(seconds, _LONGEST)) if seconds and seconds > 0 else None
    given = _moment(moment.text)
    if given is not None:
        return _Dose(given, _STARTS[0], lasts)
    at = _time(clock.text)
    if at is None or not moment.empty:
        return None
    return _Dose(datetime.combine(day, at), _STARTS[1], lasts)


def _acquired(series: SeriesView) -> Iterator[datetime]:
    """When the images were acquired, each moment once."""
    for day, clock, moment in set(zip(*map(series.texts, _ACQUIRED), strict=True)):
        on, at = parse_da(day), _time(clock)
        together = datetime.combine(on, at) if on and at is not None else _moment(moment)
        if together is not None:
            yield together


def _longest_frame(series: SeriesView) -> timedelta:
    """How long the longest image took, a day at most; a minute where none says it."""
    numbers = {number for cell in series.cells(_DURATION) for number in cell.numbers if number and number > 0}
    longest = max(numbers, default=_UNSAID)
    return timedelta(milliseconds=longest) if longest < _DAY / timedelta(milliseconds=1) else _DAY


def _time(text: str) -> time | None:
    """A time that says hour and minute."""
    return parse_tm(text) if len(text) >= _MINUTE_OF_TIME else None


def _moment(text: str) -> datetime | None:
    """A moment that says hour and minute, and no offset from UTC."""
    moment = parse_dt(text) if len(text) >= _MINUTE_OF_MOMENT else None
    return moment if moment is not None and moment.tzinfo is None else None
