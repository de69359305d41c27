from datetime import datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio
from unit.api.service import Service, together
from unit.store.samples import NOW, put_judged_with, snapshot, verdict

from heltig.pipeline.again.context import withdraw
from heltig.store import publication, snapshots
from heltig.store.records import Location

FEED = "/dicom-web/changefeed"
STUDIES = [f"1.2.3.{number}" for number in range(1, 6)]


async def changes(service: Service, query: str = "") -> dict[str, Any]:
    answer = await service.get(FEED + query)
    assert answer.status_code == 200
    body: dict[str, Any] = answer.json()
    return body


async def sequences(service: Service, query: str = "") -> list[int]:
    return [change["sequence"] for change in (await changes(service, query))["changes"]]


async def judged_at(service: Service, study: str, at: datetime) -> None:
    store = service.services.store
    await store.write(put_judged_with)
    put = await store.write(snapshots.put, snapshot(study=study))
    await store.write_durably(publication.publish, verdict(put, study=study, at=at))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(shared: Service) -> Service:
    for seconds, study in enumerate(STUDIES):
        await judged_at(shared, study, NOW + timedelta(seconds=seconds))
    return shared


async def test_an_empty_feed(service: Service) -> None:
    assert await changes(service) == {"changes": [], "next": 0, "latest": 0}
    assert (await service.get(f"{FEED}/latest")).json() == {"changes": [], "next": 0, "latest": 0}


async def test_a_verdict_is_told_without_patient_data(service: Service) -> None:
    given = await service.judged(STUDIES[0], readiness="BLOCKED")
    assert given.verdict is not None
    assert await changes(service) == {
        "changes": [
            {
                "sequence": 1,
                "at": "2026-03-01T12:00:00Z",
                "studyInstanceUID": STUDIES[0],
                "key": STUDIES[0],
                "location": "archive:main",
                "state": "JUDGED",
                "readiness": "BLOCKED",
                "revision": 1,
                "verdict": given.verdict.verdict.id,
            }
        ],
        "next": 1,
        "latest": 1,
    }


async def test_whoever_goes_on_with_next_misses_nothing(service: Service) -> None:
    for study in STUDIES:
        await service.judged(study)
    seen, since = [], 0
    while (page := await changes(service, f"?since={since}&limit=2"))["changes"]:
        seen += [change["key"] for change in page["changes"]]
        since = page["next"]
    assert seen == STUDIES
    assert since == page["latest"] == 5


async def test_the_last_change_alone(service: Service) -> None:
    for study in STUDIES:
        await service.judged(study)
    last = (await service.get(f"{FEED}/latest")).json()
    assert [change["key"] for change in last["changes"]] == [STUDIES[-1]]
    assert last["next"] == last["latest"] == 5


async def test_a_study_that_went_away_is_told_without_a_readiness(service: Service) -> None:
    await service.judged(STUDIES[0])
    services = service.services
    await services.store.write_durably(
        withdraw, Location("archive", "main"), STUDIES[0], services.queue, at=NOW
    )
    last = (await changes(service, "?since=1"))["changes"][-1]
    assert (last["state"], last["readiness"], last["revision"]) == ("WITHDRAWN", None, 1)


@together
@pytest.mark.parametrize(
    ("window", "found"),
    [
        ("startTime=2026-03-01T12:00:00Z", [1, 2, 3, 4, 5]),
        ("startTime=2026-03-01T12:00:01Z", [2, 3, 4, 5]),
        ("startTime=2026-03-01T13:00:01%2B01:00", [2, 3, 4, 5]),
        ("startTime=2026-03-01T12:00:01", [2, 3, 4, 5]),
        ("endTime=2026-03-01T12:00:02Z", [1, 2]),
        ("startTime=2026-03-01T12:00:01Z&endTime=2026-03-01T12:00:03Z", [2, 3]),
        ("startTime=2026-03-01T12:00:01Z&endTime=2026-03-01T12:00:03Z&since=2", [3]),
        ("startTime=2026-03-01T12:00:01Z&limit=1", [2]),
        ("startTime=2027-03-01T12:00:01Z", []),
        ("startTime=0001-01-01T00:00:00Z&endTime=9999-12-31T23:59:59Z", [1, 2, 3, 4, 5]),
    ],
)
async def test_a_window_of_time(shared: Service, window: str, found: list[int]) -> None:
    assert await sequences(shared, f"?{window}") == found


async def test_clocks_that_differ_do_not_hide_a_change_from_a_window(service: Service) -> None:
    for minutes, study in zip((0, 30, -20, 10), STUDIES, strict=False):
        await judged_at(service, study, NOW + timedelta(minutes=minutes))
    assert await sequences(service, "?startTime=2026-03-01T12:05:00Z") == [2, 4]
    assert await sequences(service, "?endTime=2026-03-01T12:05:00Z") == [1, 3]


async def test_next_leads_out_of_a_window_that_is_read(service: Service) -> None:
    for study in STUDIES:
        await service.judged(study)
    page = await changes(service, "?startTime=2027-01-01T00:00:00Z")
    assert (page["changes"], page["next"], page["latest"]) == ([], 5, 5)


async def test_whoever_is_up_to_date_is_sent_nothing(service: Service) -> None:
    await service.judged(STUDIES[0])
    first = await service.get(f"{FEED}?since=1")
    again = await service.get(f"{FEED}?since=1", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    await service.judged(STUDIES[1])
    news = await service.get(f"{FEED}?since=1", headers={"If-None-Match": first.headers["etag"]})
    assert [change["key"] for change in news.json()["changes"]] == [STUDIES[1]]


@together
@pytest.mark.parametrize(
    "query", ["since=-1", "since=x", "since=6", "limit=0", "limit=10001", "startTime=today"]
)
async def test_what_is_no_place_in_the_feed(shared: Service, query: str) -> None:
    answer = await shared.get(f"{FEED}?{query}")
    assert answer.status_code == 400
    assert [error["name"] for error in answer.json()["errors"]] == [query.partition("=")[0]]


async def test_archives_may_read_it(guarded: Service) -> None:
    await guarded.judged(STUDIES[0])
    assert (await guarded.get(FEED)).status_code == 401
    assert (await guarded.get(FEED, headers=await guarded.key("archive"))).status_code == 200
