"""A study's page: its verdict, why, and what it was judged on."""

from datetime import datetime

import msgspec

from heltig.errors import NotFoundError
from heltig.pipeline.identifiers.sights import Sight
from heltig.reports import reasons
from heltig.reports.reasons import Unseen
from heltig.rules.catalogue import catalogue
from heltig.rules.finding import Finding
from heltig.store import studies, verdicts
from heltig.store.records import Series, StoredVerdict, Study
from heltig.store.studies import RANKS
from heltig.store.transaction import ReadTransaction

REVISIONS_SHOWN = 20


class StudyPage(msgspec.Struct, frozen=True, kw_only=True):
    """What the page shows.

    Attributes:
        study: The study at the location that is shown.
        elsewhere: The study at every location that it was seen at, this one too, worst first.
        verdict: The revision that is shown, None before the first.
        groups: Its findings, as the person may see them, those that say the same together.
        why: Its reasons in plain words.
        unseen: What the source did not show, and the rules that needed it.
        manuals: Why a rule matters, by its id, for the rules that are still in the catalogue.
        series: The series of the newest snapshot.
        history: The last revisions, the newest first.
    """

    study: Study
    elsewhere: tuple[Study, ...]
    verdict: StoredVerdict | None
    groups: tuple[tuple[Finding, ...], ...]
    why: str
    unseen: tuple[Unseen, ...]
    manuals: dict[str, str]
    series: tuple[Series, ...]
    history: tuple[StoredVerdict, ...]


def study_page(
    transaction: ReadTransaction,
    study_key: str,
    *,
    now: datetime,
    location: str,
    revision: int | None,
    sight: Sight,
) -> StudyPage:
    """Collects what the page shows.

    Args:
        transaction: Any.
        study_key: StudyInstanceUID, or the key of a study without one.
        now: The time.
        location: The location to show, as text; empty for the worst one.
        revision: The revision of the verdict to show, None for the last one.
        sight: What the person sees of patients.

    Raises:
        NotFoundError: There is no such study, location or revision.
    """
    study, everywhere = seen_at(transaction, study_key, now=now, location=location)
    history = verdicts.history(transaction, study.location, study.study_key, limit=REVISIONS_SHOWN)
    verdict = next((v for v in history if revision in (None, v.revision)), None)
    if verdict is None and revision is not None:
        verdict = verdicts.revision(transaction, study.location, study.study_key, revision)
        if verdict is None:
            raise NotFoundError(f"This study's verdict has no revision {revision}.")
    given = verdict.verdict if verdict else None
    findings = sight.findings(given.findings if given else ())
    return StudyPage(
        study=sight.study(study),
        elsewhere=tuple(everywhere),
        verdict=verdict,
        groups=tuple(reasons.together(findings)),
        why=reasons.why(given.readiness, findings, not_evaluable=given.not_evaluable, errors=given.errors)
        if given
        else "",
        unseen=tuple(reasons.unseen(given.not_evaluable)) if given else (),
        manuals={f.rule: catalogue()[f.rule].manual["Why"] for f in findings if f.rule in catalogue()},
        series=tuple(
            map(
                sight.series,
                sorted(studies.series_of(transaction, study.location, study.study_key), key=by_number),
            )
        ),
        history=tuple(history),
    )


def seen_at(
    transaction: ReadTransaction, study_key: str, *, now: datetime, location: str
) -> tuple[Study, list[Study]]:
    """A study at one location, and at all that it was seen at, the worst first.

    Args:
        transaction: Any.
        study_key: Its key.
        now: The time.
        location: The location, as text; empty for the worst one.

    Raises:
        NotFoundError: There is no such study or location.
    """
    known = (study.at(now) for study in studies.find_everywhere(transaction, study_key))
    everywhere = sorted(known, key=_worst_first)
    if not everywhere:
        raise NotFoundError("No location has shown Heltig a study with this UID.")
    study = next((s for s in everywhere if not location or str(s.location) == location), None)
    if study is None:
        raise NotFoundError("This study was not seen at that location.")
    return study, everywhere


def _worst_first(study: Study) -> tuple[bool, int, str]:
    return study.state == "WITHDRAWN", -RANKS[study.readiness], str(study.location)


def by_number(series: Series) -> tuple[bool, int, str]:
    """Series Numbers are IS (PS3.5 6.2): in the order of the numbers, what is none at the end."""
    text = series.series_number
    is_number = text.isascii() and text.isdigit()
    return not is_number, int(text) if is_number else 0, series.series_key
