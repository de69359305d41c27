"""The page of health, asked of the real application."""

from datetime import timedelta

from unit.api.service import LATER, Service
from unit.dashboard.reading import page
from unit.store import pulling

from heltig import __version__
from heltig.store.migrations import HEAD


async def test_processes_queue_breakers_database_and_what_is_kept(service: Service) -> None:
    store = service.services.store
    await pulling.add_archive(store, "main")
    await pulling.put_breaker(store, "main", error="It does not answer.")
    await pulling.put_job(store, "pull", "main", state="dead")
    await pulling.put_worker(store, "late", heard=LATER - timedelta(hours=1))
    await pulling.put_worker(store, "gone", heard=LATER - timedelta(days=2))
    seen = page(await service.get("/service"))
    for text in (
        f"Heltig {__version__}",
        HEAD,
        "main, search: not asked until",
        "Pull a study and judge it 0 0 1",
        "late 0.0.9",
        "1 h ago",
        "Verdicts 730 days",
        "Audit trail for ever",
        "can be written",
    ):
        assert text in seen.text, text
    assert "gone" not in seen.text


async def test_where_things_lie_is_for_those_who_run_it(guarded: Service) -> None:
    reader = page(await guarded.get("/service", headers=await guarded.key("reader")))
    assert str(guarded.home) not in reader.text
    assert str(guarded.home) in page(await guarded.get("/service", headers=await guarded.key("admin"))).text
    page(await guarded.get("/service", headers=await guarded.key("archive")), 403)
