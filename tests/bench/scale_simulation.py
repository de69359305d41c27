"""How the pull service does at a size that no test has: archives, workers and a database as numbers.

    python tests/bench/scale_simulation.py

It simulates an hour at a time: what archives give, what workers do, what the database commits; whichever is
least decides. Costs are those measured (docs/performance.md). No chance is in it: the same costs give the
same table. docs/scale.md says what follows.
"""

import argparse
from dataclasses import dataclass, field

HOURS_OF_A_DAY = 24
SECONDS_OF_AN_HOUR = 3600
GIB = 2**30


@dataclass(frozen=True)
class Costs:
    """What was measured, on one core of the machine of docs/performance.md."""

    # CPU of a worker a study, whatever its size: requests, statements, jobs. On SQLite; on PostgreSQL it was
    # taken before this was made less, at 27.6, and not again.
    study_ms: float = 12.6
    instance_us: float = 105.0  # and an instance, judging included
    database_study_ms: float = 10.0  # CPU of PostgreSQL a study: some 75 statements in 7 transactions
    database_instance_us: float = 41.0  # 20 of them since the UID index does not fit into memory
    listed_us: float = 190.0  # CPU of a worker a study that is listed and known
    key_bytes: float = 40.0  # of the UID index an instance in PostgreSQL, with its tuple header
    evidence_bytes: float = 91.0  # evidence and lists of UIDs an instance
    study_bytes: float = 29_000.0  # all else of a study: verdict, findings, answer, series, indexes
    job_lock_ms: float = (
        3.0  # assumed: for so long whoever claims keeps the others from claiming, on PostgreSQL
    )


@dataclass
class Archive:
    """One archive.

    Attributes:
        left: Studies still to be pulled.
        rate: Instances of metadata a second that it gives.
        hours: In which it may be asked, of each day.
    """

    left: float
    rate: float
    hours: range = field(default_factory=lambda: range(HOURS_OF_A_DAY))


@dataclass(frozen=True)
class Fleet:
    """What works.

    Attributes:
        workers: Cores that pull and judge.
        databases: Servers that share the locations.
        cores: Of each of them.
        share: Of its time that a core is used, with room for look-ups and vacuum.
    """

    workers: int
    databases: int = 1
    cores: int = 16
    share: float = 0.6


def study_seconds(costs: Costs, instances: float) -> float:
    """CPU of a worker a study."""
    return costs.study_ms / 1e3 + instances * costs.instance_us / 1e6


def limits(costs: Costs, fleet: Fleet, instances: float) -> dict[str, float]:
    """Studies a second that each part of a fleet does at most."""
    of_database = costs.database_study_ms / 1e3 + instances * costs.database_instance_us / 1e6
    return {
        "workers": fleet.workers * fleet.share / study_seconds(costs, instances),
        "database": fleet.databases * fleet.cores * fleet.share / of_database,
        "claims": fleet.databases / (costs.job_lock_ms / 1e3),
    }


def archives(number: int, studies: float) -> list[Archive]:
    """Archives of unlike size and speed, the largest a hundred times the smallest; a third only at night."""
    weights = [100 ** (index / (number - 1)) for index in range(number)]
    night = range(7)
    return [
        Archive(
            left=studies * weight / sum(weights),
            rate=(1400, 2500, 4900)[index % 3],
            hours=night if index % 3 == 0 else range(HOURS_OF_A_DAY),
        )
        for index, weight in enumerate(weights)
    ]


def backfill(costs: Costs, fleet: Fleet, held: list[Archive], instances: float) -> tuple[float, str, float]:
    """Days until all is judged, what was the limit for most of the hours, and days until nine tenths are."""
    most = min(limits(costs, fleet, instances).values())
    total = sum(archive.left for archive in held)
    reached = dict.fromkeys((*limits(costs, fleet, instances), "archives"), 0)
    hour, nine_tenths = 0, 0.0
    while any(archive.left > 0.5 for archive in held):
        open_now = [a for a in held if a.left > 0 and hour % HOURS_OF_A_DAY in a.hours]
        room = most
        # The slowest are served in full, the rest share what is left: what weighted turns come to.
        for place, archive in enumerate(sorted(open_now, key=lambda a: a.rate)):
            given = min(room / (len(open_now) - place), archive.rate / instances)
            room -= given
            archive.left = max(0.0, archive.left - given * SECONDS_OF_AN_HOUR)
        parts = limits(costs, fleet, instances)
        limit = "archives" if room > most * 0.01 else min(parts, key=lambda part: parts[part])
        reached[limit] += 1 if open_now else 0
        hour += 1
        if not nine_tenths and sum(archive.left for archive in held) <= total / 10:
            nine_tenths = hour / HOURS_OF_A_DAY
    return hour / HOURS_OF_A_DAY, max(reached, key=lambda part: reached[part]), nine_tenths


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--archives", type=int, default=100)
    parser.add_argument("--studies", type=float, default=50e6)
    parser.add_argument("--instances", type=float, default=10e9)
    parser.add_argument("--new-a-day", type=float, default=50_000, help="studies, of all archives together")
    parser.add_argument("--study-ms", type=float, default=Costs.study_ms, help="CPU of a worker a study")
    given = parser.parse_args()
    costs, each = Costs(study_ms=given.study_ms), given.instances / given.studies

    print(f"{given.archives} archives, {given.studies:,.0f} studies, {given.instances:,.0f} instances\n")
    print("| table | size, GiB |\n|---|---|")
    sizes = {
        "UID index": given.instances * costs.key_bytes,
        "evidence and lists of UIDs": given.instances * costs.evidence_bytes,
        "studies, series, verdicts, findings, answers": given.studies * costs.study_bytes,
    }
    for name, size in (*sizes.items(), ("all", sum(sizes.values()))):
        print(f"| {name} | {size / GIB:,.0f} |")

    print("\n| workers | databases | days | nine tenths after | limit | workers: studies a second", end="")
    print(" | database | claims |\n|---|---|---|---|---|---|---|---|")
    for workers, databases in ((4, 1), (16, 1), (64, 1), (64, 4), (256, 4), (256, 16)):
        fleet = Fleet(workers, databases)
        held = archives(given.archives, given.studies)
        days, limit, nine_tenths = backfill(costs, fleet, held, each)
        parts = " | ".join(f"{value:,.0f}" for value in limits(costs, fleet, each).values())
        print(f"| {workers} | {databases} | {days:,.0f} | {nine_tenths:,.0f} | {limit} | {parts} |")

    print("\n| instances a study | workers that reach the claims of one database |\n|---|---|")
    for number in (1, 5, 50, 200):
        parts = limits(costs, Fleet(1), number)
        print(f"| {number} | {parts['claims'] / parts['workers']:,.0f} |")

    print("\n| steady state, cores of workers | |\n|---|---|")
    pulled = given.new_a_day * 2  # each comes late once
    load = {
        f"pulling and judging {pulled:,.0f} studies a day": pulled * study_seconds(costs, each),
        "cold sweeps, once a day": given.studies * costs.listed_us / 1e6,
        "hot windows of 4 days, once a minute": given.new_a_day * 4 * 1440 * costs.listed_us / 1e6,
    }
    for name, seconds in load.items():
        print(f"| {name} | {seconds / 86400:.2f} |")


if __name__ == "__main__":
    main()
