"""What each rule costs on some studies."""

import time
from collections.abc import Iterable
from datetime import date
from pathlib import Path

import msgspec

from heltig.pipeline.judging import ruleset_under
from heltig.pipeline.reading import read_inputs
from heltig.rules.engine import evaluate
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
    context = Context(reference_date, profile.parameters)
    ruleset = ruleset_under(profile)
    studies = read_inputs(paths).studies
    stopwatch = Stopwatch(time.process_time)
    start = time.process_time()
    for table in studies:
        evaluate(ruleset, table, context, stopwatch=stopwatch)
    seconds = time.process_time() - start
    instances = sum(table.rows for table in studies)
    return RuleCosts(
        len(studies), instances, seconds, _costliest(stopwatch.seconds), _costliest(stopwatch.shared)
    )


def _costliest(costs: dict[str, float]) -> dict[str, float]:
    return dict(sorted(costs.items(), key=lambda cost: (-cost[1], cost[0])))
