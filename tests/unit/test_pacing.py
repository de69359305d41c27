"""Token buckets: never more than the rate over time, and never less than can be had."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st
from servers.scripted import answer, scripted_server

from heltig import http
from heltig.pacing import Bucket, Pace


class Time:
    """A clock that moves when somebody sleeps, by itself only."""

    def __init__(self) -> None:
        self.now = 0.0

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


@given(st.floats(0.5, 1000), st.lists(st.floats(0.1, 5000), min_size=1, max_size=50))
def test_over_any_time_no_more_is_taken_than_was_saved_up_and_came_in(
    rate: float, amounts: list[float]
) -> None:
    time = Time()
    bucket = Bucket(rate, clock=time.clock, sleep=time.sleep)

    async def take() -> None:
        for amount in amounts:
            await bucket.take(amount)

    asyncio.run(take())
    saved_up = max(1.0, rate)
    assert sum(amounts) <= saved_up + rate * time.now * (1 + 1e-6) + 1e-6
    assert time.now <= max(0.0, sum(amounts) - saved_up) / rate * (1 + 1e-6) + 1e-6


async def test_what_was_not_used_is_saved_up_for_a_second_only() -> None:
    time = Time()
    pace = Pace(requests_per_second=10, clock=time.clock, sleep=time.sleep)
    time.now = 3600
    for _ in range(20):
        await pace.turn()
    assert time.now == pytest.approx(3601)


async def test_processes_share_a_limit_while_they_ask() -> None:
    time = Time()
    sharers = 4

    async def count() -> int:
        return sharers

    pace = Pace(
        requests_per_second=10, bytes_per_second=1000, sharers=count, clock=time.clock, sleep=time.sleep
    )
    await pace.received(1500)  # of which a second's share had been saved up
    assert time.now == pytest.approx(5)
    sharers = 0  # nobody but us is seen: what the others leave is ours
    await pace.received(1000)
    assert time.now == pytest.approx(6)
    sharers = 2
    await pace.received(1000)  # not counted again so soon
    assert time.now == pytest.approx(7)


async def test_requests_and_bytes_of_a_client_are_paced() -> None:
    time = Time()
    pace = Pace(requests_per_second=1, bytes_per_second=1024, clock=time.clock, sleep=time.sleep)
    body = b"x" * 4096
    async with (
        scripted_server([answer(body)] * 2) as server,
        http.client(server.root, pace=pace) as client,
    ):
        for _ in range(2):
            await http.get(client, "studies", accept="application/dicom+json", max_bytes=9999)
    assert time.now == pytest.approx((2 * 4096 - 1024) / 1024)
