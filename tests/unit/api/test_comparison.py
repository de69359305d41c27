"""`/api/v1/comparison`: two archives side by side over REST."""

from typing import Any

from unit.api.service import Service
from unit.store.samples import MAIN, OTHER, judge, series, snapshot

from heltig.dicom.snapshot import source_facts
from heltig.dicom.source import FILES

FACTS = source_facts(FILES)
PLACE = "/api/v1/comparison"
NAMES = {"source": "main", "destination": "other"}


async def filled(service: Service) -> None:
    for name in ("main", "other"):
        entry = {"name": name, "qidoUrl": "http://127.0.0.1:9", "options": {"strategy": "none"}}
        assert (await service.post("/api/v1/archives", json=entry)).status_code == 201
    store = service.services.store
    for uid, location in (("1.1", MAIN), ("1.1", OTHER), ("1.2", MAIN), ("1.3", OTHER)):
        await judge(store, snapshot(study=uid, location=location, facts=FACTS, study_date="20260102"))
    for location, blobs in ((MAIN, (1, 2)), (OTHER, (1,))):
        parts = [series(n, study="1.4") for n in blobs]
        await judge(store, snapshot(parts, study="1.4", location=location, facts=FACTS))


async def test_pages_follow_one_another(service: Service) -> None:
    await filled(service)
    found: list[dict[str, Any]] = []
    after: dict[str, str] = {}
    while True:
        answer = await service.get(PLACE, params={**NAMES, **after, "limit": 2})
        assert answer.status_code == 200, answer.text
        found += answer.json()["items"]
        if answer.json()["next"] is None:
            break
        after = {"after": answer.json()["next"]}
    assert [(one["study"], one["status"]) for one in found] == [
        ("1.1", "equal"), ("1.2", "only-source"), ("1.4", "different"), ("1.3", "only-destination"),
    ]  # fmt: skip
    assert found[2]["onlySource"] == 3


async def test_differences_alone_one_study_and_some_days(service: Service) -> None:
    await filled(service)
    some = (await service.get(PLACE, params={**NAMES, "differences": True})).json()
    assert [one["study"] for one in some["items"]] == ["1.2", "1.4"]
    assert some["counts"] == {"equal": 1, "only-source": 1, "different": 1}
    one = (await service.get(PLACE, params={**NAMES, "study": "1.3"})).json()
    assert [found["status"] for found in one["items"]] == ["only-destination"]
    days = (await service.get(PLACE, params={**NAMES, "from": "2026-01-02", "to": "2026-01-02"})).json()
    assert [one["study"] for one in days["items"]] == ["1.1", "1.2"]


async def test_what_makes_no_sense_is_refused(service: Service) -> None:
    await filled(service)
    for wrong, status in (
        ({"destination": "nobody"}, 404),
        ({"destination": "main"}, 400),
        ({"after": "elsewhere"}, 400),
        ({"study": "9.9"}, 404),
        ({"from": "2026-02-02", "to": "2026-01-01"}, 400),
    ):
        assert (await service.get(PLACE, params=NAMES | wrong)).status_code == status, wrong
