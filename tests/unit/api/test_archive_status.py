from unit.api.service import LATER, Service
from unit.store import pulling
from unit.store.pulling import MINUTE


async def test_one_archive(service: Service) -> None:
    store = service.services.store
    await pulling.add_archive(store, "main", title="Main PACS")
    await pulling.put_cursor(store, "main", covered=LATER - 2 * MINUTE, finished=LATER)
    await pulling.put_breaker(store, "main", state="closed", failures=0, until=None)
    await pulling.put_answers(store, "main", 0.1, at=LATER)
    found = (await service.get("/api/v1/archives/main/status")).json()
    assert (found["title"], found["state"], found["lagSeconds"]) == ("Main PACS", "current", 120)
    assert found["cursors"][0]["strategy"] == "hot"
    assert found["breakers"][0]["state"] == "closed"
    assert found["queue"]["settling"] == 0
    assert found["answers"][0]["answering"]["errorRate"] == 0


async def test_no_such_archive(service: Service) -> None:
    answer = await service.get("/api/v1/archives/nobody/status")
    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/not-found")


async def test_everything(service: Service) -> None:
    store = service.services.store
    for name in ("b", "a"):
        await pulling.add_archive(store, name)
    await pulling.put_worker(store, "w1", heard=LATER)
    found = (await service.get("/api/v1/status")).json()
    assert [archive["name"] for archive in found["archives"]] == ["a", "b"]
    assert "w1" in {worker["owner"] for worker in found["workers"]}
    assert found["oldestQueued"] is None
