from datetime import datetime, timedelta

from unit.store.samples import NOW

from heltig.store import measurements
from heltig.store.engine import Store
from heltig.store.measurements import Answers, Count

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


def answers(archive: str = "main", *, operation: str = "search", bucket: int = 7) -> Answers:
    return Answers(archive, operation, "ok", bucket)


async def add(store: Store, number: int, *, at: datetime, of: Answers | None = None) -> None:
    counted = {of or answers(): Count(number, number * 0.5, number * 100)}
    await store.write(measurements.add, counted, at=at)


async def counted(store: Store, since: datetime, until: datetime = NOW) -> int:
    found = await store.read(measurements.between, ["main"], since=since, until=until)
    return sum(count.count for count in found.values())


async def test_answers_of_a_minute_add_up(store: Store) -> None:
    await add(store, 2, at=NOW)
    await add(store, 3, at=NOW + timedelta(seconds=59))
    await add(store, 5, at=NOW, of=answers("other"))
    found = await store.read(measurements.between, ["main", "nobody"], since=NOW, until=NOW)
    assert found == {answers(): Count(5, 2.5, 500)}


async def test_only_the_minutes_asked_for(store: Store) -> None:
    for minutes in range(5):
        await add(store, 10**minutes, at=NOW - minutes * MINUTE)
    assert await counted(store, NOW - 2 * MINUTE) == 111
    assert await counted(store, NOW - 4 * MINUTE, NOW - 3 * MINUTE) == 11000


async def test_minutes_become_hours_and_hours_go_while_the_sum_of_all_stays(store: Store) -> None:
    moments = [NOW - n * 7 * MINUTE for n in range(0, 60 * 24 * 9, 60)]
    for moment in moments:
        await add(store, 1, at=moment)
    day = NOW - 24 * HOUR
    of_a_day, of_an_hour = await counted(store, day), await counted(store, NOW - HOUR)
    for _ in range(2):
        await store.write(measurements.sweep, now=NOW)
        assert await counted(store, day) == of_a_day
        assert await counted(store, NOW - HOUR) == of_an_hour
        kept = sum(moment >= NOW - measurements.KEPT for moment in moments)
        assert await counted(store, NOW - 30 * 24 * HOUR) == kept < len(moments)
    ever = await store.read(measurements.ever, ["main"])
    assert ever == {answers(): Count(len(moments), len(moments) * 0.5, len(moments) * 100)}


async def test_what_is_counted_by_the_hour_is_few_rows(store: Store) -> None:
    for minute in range(600):
        await add(store, 1, at=NOW - minute * MINUTE)
    await store.write(measurements.sweep, now=NOW)
    rows = await store.read(
        lambda transaction: transaction.connection.exec_driver_sql(
            "SELECT count(*) FROM measurements"
        ).scalar_one()
    )
    assert rows < 135


async def test_an_answer_after_its_minute_became_an_hour_still_counts(store: Store) -> None:
    at = NOW - 5 * HOUR + 3 * MINUTE
    await add(store, 1, at=at)
    await store.write(measurements.sweep, now=NOW)
    await add(store, 1, at=at)
    await store.write(measurements.sweep, now=NOW)
    assert await counted(store, NOW - 6 * HOUR) == 2
