"""How far the changes of an Orthanc are known, which sends no Date with its answers."""

from datetime import UTC, datetime

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
