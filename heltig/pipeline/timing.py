"""What each rule costs on some studies."""

import time
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path

import msgspec

from heltig.dicom.study import StudyTable
from heltig.pipeline.judging import ruleset_under
from heltig.pipeline.reading import read_inputs
from heltig.rules.engine import evaluate
from heltig.rules.index_facts import IndexFact
from heltig.rules.profile import Profile
from heltig.rules.stopwatch import Stopwatch
from heltig.rules.views import Context


class RuleCosts(msgspec.Struct, frozen=True):
    """What judging some studies took, in CPU time.

    Attributes:
        studies: Number of studies.
        instances: Number of instances.
        seconds: All of it.
        by_rule: What each rule took of it, in seconds, the costliest first; rules that were never called, as
            nothing there concerned them, are left out.
        shared: What was made once for several rules, in seconds, the costliest first.
    """

    studies: int
    instances: int
    seconds: float
    by_rule: dict[str, float]
    shared: dict[str, float]


def time_rules(paths: Iterable[str | Path], profile: Profile, *, reference_date: date) -> RuleCosts:
    """Judge inputs with a watch in hand; what is learned on the way, from study to study, is part of it.

    Args:
        paths: Files, folders and ZIPs.
        profile: The profile to judge under.
        reference_date: "Today" to the rules.
    """
    return time_tables(read_inputs(paths).studies, profile, reference_date=reference_date)


def time_tables(
    studies: Sequence[StudyTable],
    profile: Profile,
    *,
    reference_date: date,
    index_facts: tuple[IndexFact, ...] = (),
) -> RuleCosts:
    """Judge studies with a watch in hand.

    Args:
        studies: The studies, arranged.
        profile: The profile to judge under, without its exceptions for some studies.
        reference_date: "Today" to the rules.
        index_facts: What the index of all studies says about them.
    """
    context = Context(reference_date, profile.parameters)
    ruleset = ruleset_under(profile)
    stopwatch = Stopwatch(time.process_time)
    start = time.process_time()
    for table in studies:
        evaluate(ruleset, table, context, facts=index_facts, stopwatch=stopwatch)
    seconds = time.process_time() - start
    instances = sum(table.rows for table in studies)
    return RuleCosts(
        len(studies), instances, seconds, _costliest(stopwatch.seconds), _costliest(stopwatch.shared)
    )


def _costliest(costs: dict[str, float]) -> dict[str, float]:
    return dict(sorted(costs.items(), key=lambda cost: (-cost[1], cost[0])))
