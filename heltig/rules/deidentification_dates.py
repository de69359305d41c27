"""De-identification: do the dates fit what is said of them, and one another?"""

from collections.abc import Iterator
from typing import Final

from heltig.dicom.dates import parse_da
from heltig.rules.acquisition import ACQUIRED
from heltig.rules.deidentification_claims import (
    FULL_DATES,
    MODIFIED_DATES,
    Claim,
    claimed_rows,
    claims,
    is_claimed,
)
from heltig.rules.rule import Hit, rule
from heltig.rules.views import StudyView
from heltig.rules.wording import cut
from heltig.standard.deidentification import BASIC_PROFILE


@rule("DEI-OPTION-CODES", level="study", severity="review", when=is_claimed, reference="PS3.15 E.3")
def options_claimed(study: StudyView) -> Iterator[Hit]:
    """The claimed options contradict each other, or the dates that are there.

    Finds: In instances said to be de-identified: both options for dates (113106 full, 113107 modified);
        LongitudinalTemporalInformationModified (0028,0303) that says otherwise than the option; REMOVED, or
        the Basic Profile (113100) without an option for dates, where dates of the acquisition are there and
        the method does not say either that dates were shifted.
    Why: Whoever combines the data with other data relies on what is said of its dates. True dates where
        shifted ones are promised lead to the patient.
    Mend: Find out what was done to the dates, and have the de-identifier say that, or do what it says.
    Example: The code for modified dates beside LongitudinalTemporalInformationModified UNMODIFIED.
    """
    for claim in claims(study):
        said = claim.codes & {FULL_DATES, MODIFIED_DATES}
        if len(said) == 2:
            yield _option(claim, "113106 and 113107", "one of the two options for dates")
        elif (claim.dates == "UNMODIFIED" and MODIFIED_DATES in said) or (
            claim.dates == "MODIFIED" and FULL_DATES in said
        ):
            yield _option(claim, f"{claim.dates} with option {min(said)}", "what the option says")
        elif claim.dates == "REMOVED" or (BASIC_PROFILE in claim.codes and not claim.options & _DATE_OPTIONS):
            yield from _dates_kept(study, claim)


_DATE_OPTIONS: Final = frozenset({FULL_DATES, MODIFIED_DATES})


def _option(claim: Claim, observed: str, expected: str) -> Hit:
    return Hit(
        tags=("DeidentificationMethodCodeSequence", "LongitudinalTemporalInformationModified"),
        observed=observed,
        expected=expected,
        rows=sorted(claim.rows),
    )


def _dates_kept(study: StudyView, claim: Claim) -> Iterator[Hit]:
    names, rows = [], set()
    for keyword in (
        "SeriesDate",
        "AcquisitionDate",
        "AcquisitionDateTime",
        "PerformedProcedureStepStartDate",
    ):
        having = {row for group in study.groups(keyword) if _is_day(group.key) for row in group.rows}
        if having & claim.rows:
            names.append(keyword)
            rows |= having & claim.rows
    if names:
        yield Hit(
            tags=tuple(names),
            observed=cut(", ".join(names)),
            expected="removed, or an option for dates (113106, 113107) claimed",
            rows=sorted(rows),
        )


def _is_day(text: str) -> bool:
    day = parse_da(text[:8])
    return day is not None and (day.month, day.day) != (1, 1)


@rule("DEI-DATES-CONFLICT", level="study", severity="review", when=is_claimed, reference="PS3.15 E.3.6")
def dates_conflict(study: StudyView) -> Iterator[Hit]:
    """Some dates were shifted and others left.

    Finds: In acquired images said to be de-identified, dates of series, acquisition, content and procedure
        step that lie more than thirty days from StudyDate.
    Why: The date that was left is the true one, and with it the shift of all others is known.
    Mend: De-identify the study again, with a tool that shifts every date by the same number of days.
    Example: StudyDate shifted by two years, AcquisitionDateTime as the scanner wrote it.
    """
    claimed = claimed_rows(study)
    wrong: dict[tuple[str, str], tuple[list[str], set[int]]] = {}
    for series in study.series:
        if series.modality not in ACQUIRED or claimed.isdisjoint(series.rows):
            continue
        days = {group.key: parse_da(group.key) for group in series.groups("StudyDate")}
        if len(days) != 1:
            continue
        text, day = next(iter(days.items()))
        for keyword in _DATES:
            for group in series.groups(keyword):
                other = parse_da(group.key[:8])
                is_far = day and other and abs((other - day).days) > _MOST_DAYS
                rows = claimed.intersection(group.rows) if is_far else ()
                if rows:
                    names, concerned = wrong.setdefault((group.key[:8], text), ([], set()))
                    names.append(keyword)
                    concerned.update(rows)
    for (other_text, text), (names, concerned) in sorted(wrong.items()):
        yield Hit(
            tags=(*dict.fromkeys(names), "StudyDate"),
            observed=f"{other_text}, study {text}",
            expected="every date shifted by the same number of days",
            rows=sorted(concerned),
        )


_DATES: Final = (
    "SeriesDate",
    "AcquisitionDate",
    "AcquisitionDateTime",
    "ContentDate",
    "PerformedProcedureStepStartDate",
)
_MOST_DAYS: Final = 30
