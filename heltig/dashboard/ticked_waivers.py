"""Waivers for several studies at once: one for each finding of a rule that their last verdicts have."""

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from heltig.api.services import Services, services_of
from heltig.dashboard.own_forms import AnyRequest, principal_of
from heltig.dashboard.ticked_plans import Plan, Ticked, plan
from heltig.dashboard.visibility import sight_of
from heltig.errors import AuthorisationError, NotFoundError
from heltig.pipeline.again.waiving import LONGEST
from heltig.rules.catalogue import catalogue
from heltig.rules.finding import Finding
from heltig.store import verdicts, waivers
from heltig.store.records import Study
from heltig.store.transaction import ReadTransaction
from heltig.store.waivers import NewWaiver

REASON: Final = "reason"
MOST_REASON: Final = 2000
"""Characters, as in the API."""


class RuleChoice(msgspec.Struct, frozen=True):
    """A rule that found something in some of the studies."""

    id: str
    title: str
    studies: int


class WaiverForm(msgspec.Struct, frozen=True):
    """What was typed.

    Attributes:
        rule: The rule whose findings are accepted.
        reason: Why.
        expires: The first day on which they are not accepted any more, as YYYY-MM-DD.
    """

    rule: str
    reason: str
    expires: str

    @classmethod
    def read(cls, typed: Mapping[str, str]) -> "WaiverForm":
        """Out of the fields of the form."""
        return cls(typed.get("rule", "")[:64], typed.get(REASON, ""), typed.get("expires", ""))

    def end(self) -> datetime | None:
        """The beginning of the day of expiry in UTC; None where that is no day."""
        try:
            return datetime.strptime(self.expires, "%Y-%m-%d").replace(tzinfo=UTC)
        except ValueError:
            return None

    def wrong(self, rules: tuple[RuleChoice, ...] | None, now: datetime) -> dict[str, str]:
        """What is wrong with it, by field.

        Args:
            rules: Those that may be chosen; None where none is asked for.
            now: The time.
        """
        found = {}
        if rules is not None and self.rule not in {rule.id for rule in rules}:
            found["rule"] = "Choose the rule whose findings are accepted."
        if not self.reason or len(self.reason) > MOST_REASON:
            found[REASON] = f"Say why, in at most {MOST_REASON:,} characters."
        end = self.end()
        if end is None or not now < end <= now + LONGEST:
            found["expires"] = (
                f"Give a day to come, at most {LONGEST / timedelta(days=365.25):.0f} years away."
            )
        return found


def insist_on_seeing_findings(request: AnyRequest) -> None:
    """Lets nobody accept what they do not see.

    Raises:
        AuthorisationError: What was observed is masked for whoever asks.
    """
    if not sight_of(principal_of(request), services_of(request.app.state).sights).identifiers:
        raise AuthorisationError(
            "You do not see what was observed (HELTIG_IDENTIFIERS), so you cannot accept it for others."
        )


def plan_waiving(
    transaction: ReadTransaction, ticked: Ticked, rule: str, *, now: datetime
) -> tuple[Plan, tuple[RuleChoice, ...]]:
    """The studies in which a rule found something that nobody accepted yet; and all rules that did.

    Args:
        transaction: Any.
        ticked: The studies.
        rule: The rule; without one every study with a finding counts.
        now: The time.
    """
    counts = Counter[str]()

    def refuses(study: Study) -> str:
        rules = {finding.rule for finding in open_findings(transaction, study, now)}
        counts.update(rules)
        if not rules:
            return "Its last verdict has no finding that is not waived."
        return "" if not rule or rule in rules else f"{rule} found nothing in it that is not waived."

    found = plan(transaction, ticked, refuses)
    known = catalogue()
    choices = (
        RuleChoice(id, known[id].title if id in known else "", studies)
        for id, studies in counts.most_common()
    )
    return found, tuple(choices)


def open_findings(transaction: ReadTransaction, study: Study, now: datetime) -> tuple[Finding, ...]:
    """What the last verdict on a study has and no waiver covers, given meanwhile or before."""
    last = verdicts.current(transaction, study.location, study.study_key)
    covered = {
        (waiver.rule, waiver.digest)
        for waiver in waivers.in_force(transaction, study.location, study.study_key, at=now)
        if not waiver.series
    }
    found = last.verdict.findings if last else ()
    return tuple(one for one in found if not one.waived and (one.rule, one.digest) not in covered)


async def give(
    services: Services, study: Study, form: WaiverForm, *, now: datetime, actor: str, origin: str
) -> None:
    """Gives a waiver for each finding of the rule in one study.

    Raises:
        NotFoundError: There is none any more.
        ConflictError: A finding was told by an older version, which did not say what it had seen.
    """
    end = form.end()
    found = await services.store.read(open_findings, study, now)
    wanted = {finding.digest: finding for finding in found if finding.rule == form.rule}
    if not wanted or end is None:
        raise NotFoundError("No last verdict there has this finding.")
    for finding in wanted.values():
        new = NewWaiver(
            rule=finding.rule,
            tags=finding.tags,
            observed=finding.observed,
            digest=finding.digest,
            location=study.location,
            study_key=study.study_key,
            reason=form.reason,
            author=actor,
            created=now,
            expires=end,
        )
        await services.waivers.give(new, origin=origin)
