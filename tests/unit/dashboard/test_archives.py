"""The pages of archives, asked of the real application."""

import pytest
from unit.api.service import LATER, Service
from unit.dashboard.reading import page
from unit.store import pulling
from unit.store.pulling import MINUTE

from heltig.credentials import BasicAuth
from heltig.dashboard.archives import DAYS_IN_LIST, DAYS_ON_PAGE
from heltig.reports.charts import HEIGHT, WIDTH, columns
from heltig.store.archive_options import ArchiveOptions


async def test_nothing_configured_says_what_to_do(service: Service) -> None:
    seen = page(await service.get("/archives"))
    assert "There is no archive yet" in seen.text
    assert "heltig archives add NAME URL" in seen.text
    assert not seen.all("table")


async def test_worst_first_with_lag_queue_errors_and_studies(service: Service) -> None:
    store = service.services.store
    await pulling.add_archive(store, "able", title="Able & <b>co</b>")
    await pulling.add_archive(store, "broken")
    await pulling.put_cursor(store, "able", covered=LATER - 2 * MINUTE, finished=LATER - MINUTE)
    await pulling.put_breaker(store, "broken", "metadata")
    await pulling.put_job(store, "made-up", "able")
    await pulling.put_job(store, "made-up", "able", state="dead")
    await service.judged("1.2.3")
    await pulling.put_answers(store, "able", *[0.1] * 15, at=LATER)
    seen = page(await service.get("/archives"))
    assert seen.rows() == ["archives/broken", "archives/able"]
    for text in (
        "stopped broken It failed too often (metadata)",
        "current Able & <b>co</b> able 1 min ago lag 2 min",
        "1 job 1 given up",
        "1 a minute 0 % errors, p95",
        "Jobs given up 1",
    ):
        assert text in seen.text
    assert len(seen.all("rect")) >= 2 * DAYS_IN_LIST


async def test_an_archive_as_a_whole(service: Service) -> None:
    store = service.services.store
    auth = BasicAuth(username="u", secret="env:NOT_SHOWN")
    options = ArchiveOptions(concurrency=7, certificate="/etc/heltig/client.pem")
    await pulling.add_archive(
        store, "main", auth=auth, options=options, capabilities={"counts": False}, probed=LATER
    )
    await pulling.put_cursor(store, "main", "hot", error="It answers 500.", position="1.2.840.99.4711")
    await pulling.put_breaker(store, "main", "search", state="half-open", error="It was silent.")
    await pulling.put_answers(store, "main", 0.2, at=LATER)
    await pulling.put_answers(store, "main", 30, outcome="failed", at=LATER)
    seen = page(await service.get("/archives/main"))
    for text in (
        "failing",
        "It answers 500.",
        "Searches: being tried It was silent.",
        "50 %",
        "Counts no instances",
        "user name and password, over TLS with our certificate",
        "concurrency 7",
        "pollSeconds 60",
    ):
        assert text in seen.text, text
    for secret in ("NOT_SHOWN", "4711"):
        assert secret not in seen.text
    assert len(seen.all("svg", **{"class": "days chart"})) == 0


async def test_studies_are_counted_by_the_day_they_were_first_seen(service: Service) -> None:
    await pulling.add_archive(service.services.store, "main")
    for study in ("1.1", "1.2", "1.3"):
        await service.judged(study)
    seen = page(await service.get("/archives/main"))
    assert "3 studies seen for the first time in 42 days, 3 of them today." in seen.text
    assert len(seen.all("rect")) == DAYS_ON_PAGE
    assert ("0, " * (DAYS_ON_PAGE - 1) + "3").strip() in seen.text


async def test_no_such_archive(service: Service) -> None:
    assert "There is no archive of this name" in page(await service.get("/archives/nobody"), 404).text


async def test_the_same_pages_for_everybody_who_may_see_pages(guarded: Service) -> None:
    await pulling.add_archive(guarded.services.store, "main")
    page(await guarded.get("/archives"), 401)
    for path in ("/archives", "/archives/main"):
        page(await guarded.get(path, headers=await guarded.key("auditor", name=path)), 403)
        page(await guarded.get(path, headers=await guarded.key("reader", name=f"r{path}")))


@pytest.mark.parametrize("numbers", [(), (0, 0), (5,), (1, 100_000, 0)])
def test_columns_stay_in_their_chart(numbers: tuple[int, ...]) -> None:
    made = columns(numbers)
    assert [column.number for column in made] == list(numbers)
    for column in made:
        assert 0 < column.height <= HEIGHT
        assert column.y + column.height == pytest.approx(HEIGHT)
        assert 0 <= column.x < column.x + column.width <= WIDTH
    if any(numbers):
        assert max(made, key=lambda column: column.height).number == max(numbers)
