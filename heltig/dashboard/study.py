"""A study's page: its verdict, why, and what it was judged on."""

from datetime import datetime

import msgspec

from heltig.errors import NotFoundError
from heltig.pipeline.identifiers.sights import Sight
from heltig.reports import reasons
from heltig.reports.reasons import Unseen
from heltig.rules.catalogue import catalogue
from heltig.rules.finding import Finding
from heltig.store import studies, verdicts, waivers
from heltig.store.records import Series, StoredVerdict, Study
from heltig.store.studies import RANKS
from heltig.store.transaction import ReadTransaction
from heltig.store.waivers import GivenWaiver
from heltig.verdict import Verdict

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
        places: The place in the verdict of the first finding of each group.
        waivers: Those that cover a finding of each group, now or then, as the person may see them.
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
    places: tuple[int, ...]
    waivers: tuple[tuple[GivenWaiver, ...], ...]

    def of_group(self, group: tuple[Finding, ...]) -> tuple[int, tuple[GivenWaiver, ...]]:
        """The place of a group's first finding, and the group's waivers."""
        n = next(n for n, one in enumerate(self.groups) if one is group)
        return self.places[n], self.waivers[n]


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
    groups = reasons.together(findings)
    places = {id(finding): n for n, finding in enumerate(findings)}
    covering = _covering(transaction, study, given, is_last=verdict in history[:1], now=now)
    return StudyPage(
        study=sight.study(study),
        elsewhere=tuple(everywhere),
        verdict=verdict,
        groups=tuple(groups),
        why=reasons.why(given.readiness, findings, not_evaluable=given.not_evaluable, errors=given.errors)
        if given
        else "",
        unseen=tuple(reasons.unseen(given.not_evaluable)) if given else (),
        manuals={f.rule: catalogue()[f.rule].manual["Why"] for f in findings if f.rule in catalogue()},
        series=tuple(map(sight.series, series_of(transaction, study))),
        history=tuple(history),
        places=tuple(places[id(group[0])] for group in groups),
        waivers=tuple(
            tuple(
                sight.waiver(one)
                for one in dict.fromkeys(
                    waiver for finding in group for waiver in covering.get(places[id(finding)], ())
                )
            )
            for group in groups
        ),
    )


def _covering(
    transaction: ReadTransaction, study: Study, given: Verdict | None, *, is_last: bool, now: datetime
) -> dict[int, list[GivenWaiver]]:
    """The waivers of each finding, by its place: those of the verdict, and those that were given since."""
    if given is None:
        return {}
    covering_it = [*given.waivers]
    if is_last:
        covering_it += waivers.in_force(transaction, study.location, study.study_key, at=now)
    known = waivers.known(transaction, {int(waiver.id) for waiver in covering_it}) if covering_it else []
    covering: dict[int, list[GivenWaiver]] = {}
    for place, finding in enumerate(given.findings):
        covering[place] = [
            waiver
            for waiver in known
            if waiver.rule == finding.rule
            and waiver.digest == finding.digest
            and finding.digest
            and (finding.waived or not waiver.series_key)
        ]
    return covering


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


def series_of(transaction: ReadTransaction, study: Study) -> tuple[Series, ...]:
    """The series of a study's newest snapshot, by their numbers."""
    return tuple(sorted(studies.series_of(transaction, study.location, study.study_key), key=_by_number))


def _by_number(series: Series) -> tuple[bool, int, str]:
    """Series Numbers are IS (PS3.5 6.2): in the order of the numbers, what is none at the end."""
    text = series.series_number
    is_number = text.isascii() and text.isdigit()
    return not is_number, int(text) if is_number else 0, series.series_key
