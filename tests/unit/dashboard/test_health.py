"""The page of health, asked of the real application."""

from datetime import timedelta

from unit.api.service import LATER, Service
from unit.dashboard.reading import page
from unit.store import pulling

from heltig import __version__
from heltig.store import alerts
from heltig.store.alerts import Condition, Look
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
        "Superseded verdicts 730 days",
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


async def test_an_alert_leads_to_what_it_is_about(service: Service) -> None:
    found = (
        Condition(kind="audit-broken", subject="here audit trail", detail="It is not what was written."),
        Condition(kind="webhook-failing", subject="pager", detail="Webhook pager takes nothing."),
    )
    look = Look(kinds=frozenset({"audit-broken", "webhook-failing"}), conditions=found)
    await service.services.store.write(alerts.settle, look, now=LATER)
    links = [link.get("href") for link in page(await service.get("/service")).all("a")]
    assert {"./audit?verify=1", "./jobs?show=all&kind=webhook"} <= set(links)
