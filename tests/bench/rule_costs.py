"""What each rule costs: `python tests/bench/rule_costs.py`, by hand.

Tables of the costliest rules and of the families, on a large study, on small ones and on real ones. Studies
like those that are measured were judged before, as in an archive that is watched for a while.

The clock itself takes about half a microsecond a rule that is called. What the source or an attribute decides
without a call, and what is known from studies before, costs a rule nothing here.
"""

import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import synthetic
from heltig_way import ARCHIVE, PROFILE, TODAY, read_body
from measuring import machine
from msgspec import Struct
from real_metadata import NotAtHandError, imaging_data_commons

from heltig.pipeline.judging import ruleset_under
from heltig.rules.catalogue import catalogue, family_of
from heltig.rules.engine import evaluate
from heltig.rules.stopwatch import Stopwatch
from heltig.rules.views import Context

SHOWN = 20
"""Rules in the table."""

_CONTEXT = Context(TODAY, PROFILE.parameters)


class Costs(Struct):
    """Microseconds an instance.

    Attributes:
        rules: By rule; what several share counts for the one that asks first.
        rest: What no rule takes: bringing values to rules, and findings into order.
    """

    rules: Mapping[str, float]
    rest: float


def costs_of(bodies: Iterable[bytes], before: Iterable[bytes]) -> Costs:
    """What rules cost on some studies.

    Args:
        bodies: A study each.
        before: Studies that are judged before.
    """
    ruleset = ruleset_under(PROFILE)
    for body in before:
        for table in read_body(body):
            evaluate(ruleset, table, _CONTEXT)
    stopwatch, seconds, instances = Stopwatch(time.process_time), 0.0, 0
    for body in bodies:
        for table in read_body(body):
            instances += table.rows
            start = time.process_time()
            evaluate(ruleset, table, _CONTEXT, stopwatch=stopwatch)
            seconds += time.process_time() - start
    known = stopwatch.seconds | {f"shared: {name}": taken for name, taken in stopwatch.shared.items()}
    each = {name: taken / instances * 1e6 for name, taken in known.items()}
    return Costs(each, seconds / instances * 1e6 - sum(each.values()))


def by_family(costs: Costs) -> dict[str, float]:
    """The costs of the families of rules."""
    rules = catalogue()
    found: dict[str, float] = defaultdict(float)
    for name, cost in costs.rules.items():
        found[family_of(rules[name]) if name in rules else "shared by several"] += cost
    return {**found, "no rule": costs.rest}


def print_costs(title: str, columns: Mapping[str, Mapping[str, float]], most: int) -> None:
    """Print the costliest lines of a table as Markdown."""
    names = {name for column in columns.values() for name in column}
    costliest = sorted(names, key=lambda name: (-max(c.get(name, 0.0) for c in columns.values()), name))
    print(f"\n### {title}, µs an instance\n\n|  | {' | '.join(columns)} |\n|---|{'---|' * len(columns)}")
    for name in costliest[:most]:
        print("|", name, "|", " | ".join(f"{column.get(name, 0.0):.2f}" for column in columns.values()), "|")
    print("| all |", " | ".join(f"{sum(column.values()):.2f}" for column in columns.values()), "|")


def _halves(bodies: Sequence[bytes]) -> tuple[Sequence[bytes], Sequence[bytes]]:
    return bodies[1::2], bodies[::2]


def main() -> None:
    print(machine("heltig", "msgspec"), f"; {len(catalogue())} rules; source shows", *sorted(ARCHIVE.shows))
    columns = {
        "1 × 2000": costs_of(synthetic.bodies("1x2000", first=1), synthetic.bodies("1x2000")),
        "400 × 5": costs_of(synthetic.bodies("400x5", first=400), synthetic.bodies("400x5")),
    }
    try:
        with tempfile.TemporaryDirectory() as scratch:
            columns["real studies"] = costs_of(*_halves(imaging_data_commons(Path(scratch))))
    except NotAtHandError as missing:
        print(f"Not measured: {missing}.", file=sys.stderr)
    families = {name: by_family(costs) for name, costs in columns.items()}
    print_costs(f"The {SHOWN} costliest rules", {name: costs.rules for name, costs in columns.items()}, SHOWN)
    print_costs("Families", families, len(families["400 × 5"]) + 10)


if __name__ == "__main__":
    main()
