"""Purges that somebody asks for over REST."""

from datetime import timedelta

from msgspec.structs import replace
from unit.api.service import LATER, Service
from unit.store.samples import MAIN, judge, snapshot

from heltig.store import states

PURGE = "/api/v1/ops/purge"


async def test_a_purge_is_a_dry_run_unless_it_is_told_otherwise(guarded: Service) -> None:
    store = guarded.services.store
    admin, operator = await guarded.key("admin"), await guarded.key("qa_operator")
    long_ago = LATER - timedelta(days=500)
    await judge(store, replace(snapshot(), received=long_ago))
    await store.write_durably(states.withdraw, MAIN, snapshot().study_key, at=long_ago)
    assert (await guarded.post(PURGE, json={}, headers=operator)).status_code == 403
    assert (await guarded.post(PURGE, json={"dry": 1}, headers=admin)).status_code == 400
    for lax in (0, 1, "0", "false", "no", None):
        refused = await guarded.post(PURGE, json={"dryRun": lax}, headers=admin)
        assert refused.status_code == 400, lax
        assert [one["name"] for one in refused.json()["errors"]] == ["dryRun"]
    for body, is_dry in (({}, True), ({"dryRun": False}, False), ({"dryRun": True}, True)):
        answer = await guarded.post(PURGE, json=body, headers=admin)
        assert answer.status_code == 202
        assert not {"actor", "origin"} & set(answer.json()["arguments"])  # readers see jobs, not the trail
        done = await guarded.services.uploads.ended(answer.json()["id"], within=120)
        assert done.result, done.error
        assert done.result["dryRun"] == is_dry
        # The service's own daily purge may have been quicker.
        assert done.result["kinds"]["withdrawn"]["count"] <= 1
    assert done.result["kinds"]["withdrawn"]["count"] == 0
    [entry] = await guarded.audit("retention.purge")
    assert entry.detail["withdrawn"]["count"] == 1


async def test_whoever_missed_changes_that_were_purged_is_told(service: Service) -> None:
    for number in range(4):
        await service.judged(f"1.{number}")
    await service.services.store.write(
        lambda t: t.connection.exec_driver_sql("DELETE FROM changes WHERE sequence < 4")
    )
    feed = "/dicom-web/changefeed"
    for since, status in ((0, 200), (1, 400), (2, 400), (3, 200), (4, 200), (5, 400)):
        answer = await service.get(feed, params={"since": since})
        assert answer.status_code == status, since
    assert "begins at 4" in (await service.get(feed, params={"since": 1})).text
    assert (await service.get(f"{feed}/stream", params={"since": 1})).status_code == 400
