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


OURS = {"Sec-Fetch-Site": "same-origin"}


async def test_pause_and_resume_by_plain_forms(service: Service) -> None:
    await pulling.add_archive(service.services.store, "main")
    for action, done, state in (("pause", "paused", "paused"), ("resume", "resumed", "unwatched")):
        before = page(await service.get("/archives/main"))
        assert before.all("a", href=f"main/{action}")
        assert (
            f"{action.capitalize()} archive main?" in page(await service.get(f"/archives/main/{action}")).text
        )
        assert await service.audit(f"archive.{action}") == []
        answer = await service.post(f"/archives/main/{action}", headers=OURS)
        assert (answer.status_code, answer.headers["location"]) == (303, f"../main?done={done}")
        after = page(await service.get(f"/archives/main?done={done}"))
        assert state in after.text
        assert "Resumed." in after.text or "Paused." in after.text
    assert [entry.subject for entry in await service.audit("archive.pause")] == ["archive:main"]
    assert (await service.audit("archive.resume"))[0].actor == "local"


async def test_a_test_that_fails_says_so(service: Service) -> None:
    await pulling.add_archive(service.services.store, "main", qido_url="http://127.0.0.1:9/dicom-web")
    assert "Nothing is sent to be stored" in page(await service.get("/archives/main/test")).text
    answer = await service.post("/archives/main/test", headers=OURS)
    assert answer.headers["location"] == "../main?done=failed"
    assert "does not answer as it should" in page(await service.get("/archives/main?done=failed")).text
    assert [entry.outcome for entry in await service.audit("archive.test")] == ["failure"]


FOREIGN = {
    "nobody knows where": {},
    "another site": {"Sec-Fetch-Site": "cross-site", "Origin": "http://127.0.0.1:8042"},
    "a sibling": {"Sec-Fetch-Site": "same-site"},
    "a link or the address bar": {"Sec-Fetch-Site": "none"},
    "another origin": {"Origin": "http://127.0.0.1:9999"},
    "a page without an origin": {"Origin": "null"},
}


@pytest.mark.parametrize("whence", FOREIGN)
async def test_forms_from_elsewhere_change_nothing(service: Service, whence: str) -> None:
    await refused(service, FOREIGN[whence], {})


@pytest.mark.parametrize("whence", FOREIGN)
async def test_nor_with_a_key_that_a_proxy_adds(guarded: Service, whence: str) -> None:
    await refused(guarded, FOREIGN[whence], await guarded.key("admin"))


async def refused(asked: Service, whence: dict[str, str], key: dict[str, str]) -> None:
    await pulling.add_archive(asked.services.store, "main")
    answer = await asked.post("/archives/main/pause", headers={**key, **whence})
    assert answer.status_code == 403
    assert "paused" not in page(await asked.get("/archives/main", headers=key)).text


async def test_an_older_browser_says_its_origin_alone(service: Service) -> None:
    await pulling.add_archive(service.services.store, "main")
    answer = await service.post("/archives/main/pause", headers={"Origin": "http://127.0.0.1:8042"})
    assert answer.status_code == 303


async def test_who_may_not_configure_sees_no_buttons(guarded: Service) -> None:
    await pulling.add_archive(guarded.services.store, "main")
    reader, operator = await guarded.key("reader"), await guarded.key("qa_operator")
    assert not page(await guarded.get("/archives/main", headers=reader)).all("form")[1:]
    assert page(await guarded.get("/archives/main", headers=operator)).all("form")[1:]
    assert (await guarded.post("/archives/main/pause", headers={**reader, **OURS})).status_code == 403
