"""Study: can it be found, by UID, accession and date?"""

from collections.abc import Iterator
from datetime import timedelta

from msgspec.structs import replace

from heltig.dicom.cell import Cell
from heltig.dicom.dates import parse_da, parse_tm
from heltig.rules import mending
from heltig.rules.absence import has_patient, lacking
from heltig.rules.conflict import conflict, values_of
from heltig.rules.identity import identity_removed
from heltig.rules.proposal import Change, mended
from heltig.rules.rule import Hit, rule
from heltig.rules.views import StudyView, Values
from heltig.rules.wording import counted_groups, cut
from heltig.standard.dictionary import tag_of

LONGEST_ACCESSION = 16
"""Characters of an SH value (PS3.5 6.2)."""


@rule(
    "STU-UID-MISSING",
    level="study",
    severity="block",
    reads=("StudyInstanceUID", "SOPClassUID"),
    needs=("metadata", "all_attributes"),
    when=has_patient,
    reference="PS3.3 C.7.2.1",
)
def uid_missing(study: StudyView) -> Iterator[Hit]:
    """StudyInstanceUID is absent or empty.

    Finds: Instances without a StudyInstanceUID (0020,000D). Objects that belong to no study, such as hanging
        protocols, are left alone.
    Why: Nobody can say which study such an instance belongs to, and no archive takes it.
    Mend: Send the study again from where it came. If the instance was damaged there, take the UID from the
        other instances of its series.
    Example: A file exported by a research tool that left out what it did not know.
    """
    yield from lacking(study, "StudyInstanceUID")


@rule(
    "STU-ACCESSION-EMPTY",
    level="study",
    severity="note",
    reads=("AccessionNumber", "SOPClassUID"),
    needs=("metadata", "all_attributes"),
    when=has_patient,
    reference="PS3.3 C.7.2.1",
)
def accession_empty(study: StudyView) -> Iterator[Hit]:
    """AccessionNumber is absent or empty.

    Finds: Instances without an AccessionNumber (0008,0050). Studies outside the worklist rightly have none; a
        site where each study has an order raises this rule to `review` or `block` in its profile.
    Why: The archive and the reporting system join images and orders by this number. Without it the study
        waits to be matched by hand, and its report may never reach it.
    Mend: Find the order by patient and date and have its number set in all instances. Where all other
        instances of the study have one number, it is proposed for these.
    Example: An emergency examination begun before the order was entered.
    """
    for hit in lacking(study, "AccessionNumber"):
        yield replace(hit, changes=_that_of_the_others(study))


def _that_of_the_others(study: StudyView) -> tuple[Change, ...]:
    """The one AccessionNumber of a study of one patient, for the instances that have none."""
    numbers = values_of(study, "AccessionNumber")
    if not study.has_uid or len(numbers) != 1 or study.has("IssuerOfAccessionNumberSequence"):
        return ()
    one = numbers[0].cell
    if len(values_of(study, "PatientID")) != 1 or len(one.values) != 1 or not _fits(one.text):
        return ()
    why = "All other instances of the study have this one number, and the study has one PatientID."
    return (Change(tag=tag_of("AccessionNumber"), vr="SH", was=(), becomes=(one.text,), why=why),)


def _fits(number: str) -> bool:
    return number.isascii() and number.isprintable() and len(number) <= LONGEST_ACCESSION


@rule(
    "STU-ACCESSION-CONFLICT",
    level="study",
    severity="review",
    compares=True,
    reads=("AccessionNumber",),
    reference="PS3.3 C.7.2.1",
)
def accession_conflict(study: StudyView) -> Iterator[Hit]:
    """One study has several AccessionNumbers.

    Finds: More than one AccessionNumber (0008,0050) within a study; instances without one do not count.
    Why: Archives keep one for a study, mostly that of the instance that came first: the others' orders stay
        open, and their reports find no images.
    Mend: Find out whether one examination served several orders. If so, agree with the archive which number
        the study is to have; if not, correct the wrong one, or separate the instances.
    Example: Chest and abdomen ordered apart and scanned in one go.
    """
    yield from conflict(study, "AccessionNumber", where="study")


@rule(
    "STU-ACCESSION-LEN",
    level="instance",
    severity="review",
    reads=("AccessionNumber",),
    when=lambda at: at.has("AccessionNumber"),
    reference="PS3.5 6.2",
)
def accession_length(at: Values) -> Iterator[Hit]:
    """AccessionNumber is too long or has characters that it must not have.

    Finds: An AccessionNumber (0008,0050) of more than 16 characters, with control characters, or with a
        backslash, which makes two values of it.
    Why: Databases cut it at 16 characters or at the backslash. What is left matches no order, or another
        study's.
    Mend: Have the information system issue numbers that fit, or have the modality send the part that is
        unique; correct the study in the source before it is moved. Trimming is proposed where control
        characters stand before or behind the number only.
    Example: `A1234567890123456789012345`, made of a site code, a date and an order number.
    """
    values = [text for text in at["AccessionNumber"].values if isinstance(text, str)]
    for text in values:
        if len(text) > LONGEST_ACCESSION:
            yield Hit(observed=f"{cut(text, 60)}: {len(text)} characters", expected="at most 16 characters")
        elif not text.isprintable():
            why = "Control characters before and behind a number are no part of it."
            changes = mended(tag_of("AccessionNumber"), at["AccessionNumber"], _trimmed, why)
            yield Hit(observed=cut(text), expected="no control characters", changes=changes)
    if len(values) > 1:
        yield Hit(observed=cut("\\".join(values)), expected="one value, without a backslash")


def _trimmed(number: str) -> str | None:
    core = mending.trimmed(number)
    return core if core and len(core) <= LONGEST_ACCESSION else None


@rule(
    "STU-DATE-EMPTY",
    level="study",
    severity="review",
    reads=("StudyDate", "SOPClassUID"),
    needs=("metadata", "all_attributes"),
    when=has_patient,
    reference="PS3.3 C.7.2.1",
)
def date_empty(study: StudyView) -> Iterator[Hit]:
    """StudyDate is absent or empty.

    Finds: Instances without a StudyDate (0008,0020).
    Why: A search for a date or a range of dates, by which people, routers and migrations find studies, does
        not find this one.
    Mend: Take the date from SeriesDate, AcquisitionDate or the order, and have it set in all instances.
    Example: Scanned documents, or data whose dates were removed with the identity.
    """
    yield from lacking(study, "StudyDate")


@rule(
    "STU-DATE-CONFLICT",
    level="study",
    severity="review",
    compares=True,
    reads=("StudyDate", "StudyTime"),
    reference="PS3.3 C.7.2.1",
)
def date_conflict(study: StudyView) -> Iterator[Hit]:
    """One study has several dates or times.

    Finds: More than one StudyDate (0008,0020) within a study; or one date and values of StudyTime (0008,0030)
        that lie further apart than the profile's `study_time_tolerance_minutes` (10).
    Why: Archives keep the date of the instance that came first: the study moves in the patient's history, and
        a search by date finds half of it. Two dates may also be two examinations under one worklist entry.
    Mend: Take the date and time at which the examination began and have them set in all instances; separate
        the instances of another examination.
    Example: A modality that puts the date of the series into StudyDate, in a study that ran past midnight.
    """
    dates = list(conflict(study, "StudyDate", where="study", key=_digits))
    yield from dates
    if dates or study.uniform("StudyTime"):
        return
    groups = values_of(study, "StudyTime", _minute)
    minutes = [int(group.key) for group in groups if group.key.isdecimal()]
    if minutes and max(minutes) - min(minutes) > study.context.parameters.study_time_tolerance_minutes:
        yield Hit(
            tags=("StudyTime",),
            observed=counted_groups(groups),
            expected="one StudyTime in the study",
            rows=sorted(row for group in groups[1:] for row in group.rows),
        )


def _digits(cell: Cell) -> str:
    """A date without the delimiters that older objects write."""
    return cell.shown.strip().replace(".", "").replace("-", "")


def _minute(cell: Cell) -> str:
    """The minute of the day; other text marked as such."""
    time = parse_tm(cell.text)
    return str(time.hour * 60 + time.minute) if time else f"no time: {cell.text}"


@rule(
    "STU-DATE-FUTURE",
    level="instance",
    severity="review",
    reads=("StudyDate", "PatientIdentityRemoved"),
    when=lambda at: parse_da(at["StudyDate"].text) is not None,
    reference="PS3.3 C.7.2.1",
)
def date_unbelievable(at: Values) -> Iterator[Hit]:
    """StudyDate lies in the future, or before there was DICOM imaging.

    Finds: A StudyDate (0008,0020) more than the profile's `future_days` (1) after the day the study was seen,
        or before `earliest_study_year` (1980). Data whose identity was removed may have any past date: its
        dates are often shifted.
    Why: The study stands at the wrong place in the patient's history, and retention periods end too early or
        never.
    Mend: Take the date from the order, and have it corrected in all instances; set the modality's clock.
    Example: `20991231`, or `19700101` from a clock whose battery was empty.
    """
    studied = parse_da(at["StudyDate"].text)
    if studied is None:
        return
    parameters = at.context.parameters
    if studied > at.context.reference_date + timedelta(days=parameters.future_days):
        expected = f"not after {at.context.reference_date:%Y%m%d}"
    elif studied.year < parameters.earliest_study_year and not identity_removed(at):
        expected = f"{parameters.earliest_study_year} or later"
    else:
        return
    yield Hit(tags=("StudyDate",), observed=at["StudyDate"].text, expected=expected)
