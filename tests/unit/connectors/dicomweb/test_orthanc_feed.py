"""How far the changes of an Orthanc are known, which sends no Date with its answers."""

import itertools
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from servers.dicomweb import connected
from servers.scripted import answer, scripted_server

from connectors.dicomweb.feeds.orthanc import OrthancFeed

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
NOTHING = answer(
    b'{"Changes":[],"Done":true,"Last":0}', headers={"Content-Type": "application/json; charset=utf-8"}
)


async def test_everything_before_it_was_asked_is_known_by_our_clock() -> None:
    async with scripted_server([NOTHING] * 3) as server, connected(server.root) as archive:
        feed = OrthancFeed(archive, server.root, clock=lambda: NOW)
        page = await feed.read(await feed.start(), limit=10)
    assert (page.is_end, page.covered) == (True, NOW)


def given(body: object) -> bytes:
    return answer(json.dumps(body).encode(), headers={"Content-Type": "application/json; charset=utf-8"})


def slowly() -> Callable[[], datetime]:
    """A clock by which everything takes ten seconds."""
    seconds = itertools.count(0, 10)
    return lambda: NOW + timedelta(seconds=next(seconds))


async def test_what_was_asked_for_in_a_slice_is_handed_out_and_the_rest_is_next() -> None:
    changes = [
        {"Seq": seq, "ChangeType": "NewStudy", "ID": f"id{seq}", "ResourceType": "Study"}
        for seq in range(1, 6)
    ]
    page = given({"Changes": changes, "Done": True, "Last": 5})
    studies = [
        given({"ID": f"id{seq}", "MainDicomTags": {"StudyInstanceUID": f"1.{seq}"}}) for seq in range(1, 6)
    ]
    script = [NOTHING, NOTHING, page, *studies[:2], page, *studies[2:4], page, *studies[4:]]
    async with scripted_server(script) as server, connected(server.root) as archive:
        feed = OrthancFeed(archive, server.root, clock=slowly())
        cursor, pages = await feed.start(), []
        for _ in range(3):
            read = await feed.read(cursor, limit=10)
            pages.append([(entry.study, entry.mark) for entry in read.entries])
            assert read.is_end == (read.covered is not None) == (len(pages) == 3)
            cursor = read.cursor
    assert pages == [[("1.1", "1"), ("1.2", "2")], [("1.3", "3"), ("1.4", "4")], [("1.5", "5")]]
