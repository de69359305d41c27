"""The choice of a series, and the audit of it: what became of every series, and why.

    selection = select_series(survey(paths).series, request=Request(target="brain"))
    selection.stack                        for `read_volume`; None where nothing can be measured
    selection.audit.entries                every stack and every series without one

The audit is a function of the headers, the policy and the request: the order of series changes nothing.
"""

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple, TypeAlias

import msgspec

from heltig.imaging.reading import Series
from heltig.imaging.selection.candidates import Candidate, Phase, Reason, all_candidates
from heltig.imaging.selection.policy import Policy, shipped
from heltig.imaging.selection.preferring import preference_of
from heltig.imaging.selection.ranking import Key, keys_of
from heltig.imaging.selection.rejecting import rejections, warnings_of
from heltig.imaging.selection.request import Request
from heltig.imaging.stacking import SliceStack

Outcome: TypeAlias = Literal["selected", "ranked", "rejected"]


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one candidate.

    Attributes:
        study_instance_uid: Study Instance UID (0020,000D).
        series_instance_uid: Series Instance UID (0020,000E).
        first_sop_instance_uid: That of the first slice of the stack; empty where there is none.
        modality: Modality (0008,0060).
        series_number: Series Number (0020,0011).
        outcome: `selected` is of rank 1.
        rank: Counted from 1; None where it is rejected.
        decided_by: The level of the key by which it stands behind the one of the rank before, and the one of
            rank 1 before the second. Empty where there is no other.
        key: None where it is rejected.
        hints: Which words of the policy its preference comes from.
        reasons: Why it is rejected.
        warnings: Keys of `heltig.imaging.selection.codes.WARNINGS`.
    """

    study_instance_uid: str
    series_instance_uid: str
    first_sop_instance_uid: str
    modality: str
    series_number: int | None
    outcome: Outcome
    rank: int | None = None
    decided_by: str = ""
    key: Key | None = None
    hints: tuple[str, ...] = ()
    reasons: tuple[Reason, ...] = ()
    warnings: tuple[str, ...] = ()


class Audit(msgspec.Struct, frozen=True, kw_only=True):
    """Every candidate, and what chose among them.

    Attributes:
        policy: Its version.
        policy_digest: SHA-256 of its values.
        request: What was asked for.
        entries: By rank; then what is rejected, by series number and UID.
    """

    policy: str
    policy_digest: str
    request: Request
    entries: tuple[Entry, ...]

    @property
    def winner(self) -> Entry | None:
        """The entry that is selected."""
        return next((entry for entry in self.entries if entry.outcome == "selected"), None)


class Selection(NamedTuple):
    """The choice.

    Attributes:
        audit: How it was made.
        stack: What is chosen.
        phase: Its phase of contrast enhancement, as far as the choice knew it.
    """

    audit: Audit
    stack: SliceStack | None
    phase: Phase | None


def select_series(
    found: Sequence[Series],
    *,
    request: Request | None = None,
    policy: Policy | None = None,
    phases: Mapping[str, Phase] | None = None,
) -> Selection:
    """Choose one stack of some series, as a rule those of one study.

    Args:
        found: What `survey` found.
        request: What is to be measured.
        policy: `select/1` where none is given.
        phases: By Series Instance UID, in place of what the headers say.
    """
    known = phases or {}
    pairs = [
        (msgspec.structs.replace(one, phase=known.get(one.series_instance_uid, one.phase)), stack)
        for one, stack in all_candidates(found)
    ]
    audit = select([candidate for candidate, _ in pairs], request=request, policy=policy)
    winner = audit.winner
    chosen = next((pair for pair in pairs if winner and _names(pair[0]) == _names(winner)), None)
    return Selection(audit, *((chosen[1], chosen[0].phase) if chosen else (None, None)))


def select(
    candidates: Sequence[Candidate], *, request: Request | None = None, policy: Policy | None = None
) -> Audit:
    """Choose one candidate and say what became of all.

    Args:
        candidates: In any order.
        request: What is to be measured.
        policy: `select/1` where none is given.
    """
    policy, request = policy or shipped(), request or Request()
    judged = [(candidate, rejections(candidate, policy, request)) for candidate in candidates]
    possible = [candidate for candidate, reasons in judged if not reasons]
    pairs = zip(possible, keys_of(possible, policy, request), strict=True)
    ranked = sorted(pairs, key=lambda pair: pair[1].order)
    rejected = [
        _entry(candidate, policy, request, outcome="rejected", reasons=reasons)
        for candidate, reasons in judged
        if reasons
    ]
    entries = [_ranked(place, ranked, policy, request) for place in range(len(ranked))]
    return Audit(
        policy=policy.version,
        policy_digest=policy.digest,
        request=request,
        entries=(*entries, *sorted(rejected, key=_by_number)),
    )


def _ranked(place: int, ranked: Sequence[tuple[Candidate, Key]], policy: Policy, request: Request) -> Entry:
    candidate, key = ranked[place]
    next_to_it = ranked[place - 1 if place else 1][1] if len(ranked) > 1 else key
    hinted = candidate.technique.modality == "CT" and request.target != "any"
    return _entry(
        candidate,
        policy,
        request,
        outcome="ranked" if place else "selected",
        rank=place + 1,
        decided_by=key.decided_before(next_to_it),
        key=key,
        hints=preference_of(candidate, policy).hints if hinted else (),
    )


def _entry(
    candidate: Candidate,
    policy: Policy,
    request: Request,
    *,
    outcome: Outcome,
    rank: int | None = None,
    decided_by: str = "",
    key: Key | None = None,
    hints: tuple[str, ...] = (),
    reasons: tuple[Reason, ...] = (),
) -> Entry:
    return Entry(
        study_instance_uid=candidate.study_instance_uid,
        series_instance_uid=candidate.series_instance_uid,
        first_sop_instance_uid=candidate.first_sop_instance_uid,
        modality=candidate.technique.modality,
        series_number=candidate.technique.series_number,
        outcome=outcome,
        rank=rank,
        decided_by=decided_by,
        key=key,
        hints=hints,
        reasons=reasons,
        warnings=warnings_of(candidate, policy, request),
    )


def _names(one: Candidate | Entry) -> tuple[str, str, str]:
    return one.study_instance_uid, one.series_instance_uid, one.first_sop_instance_uid


def _by_number(entry: Entry) -> tuple[float, str, str, str]:
    number = float("inf") if entry.series_number is None else entry.series_number
    return number, entry.series_instance_uid, entry.study_instance_uid, entry.first_sop_instance_uid
