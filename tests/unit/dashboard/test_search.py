"""The search that every page has, asked of the real application."""

from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from unit.api.service import LATER, Service, running
from unit.dashboard.reading import page
from unit.dashboard.test_worklist import fill
from unit.store import pulling

OURS = {"Sec-Fetch-Site": "same-origin"}


async def send(service: Service, text: str, **headers: str) -> httpx.Response:
    return await service.post("/search", data={"text": text}, headers={**OURS, **headers})


async def find(service: Service, text: str, **headers: str) -> list[str]:
    answer = await send(service, text, **headers)
    assert answer.status_code == 303
    seen = page(await service.get(f"/{answer.headers['location']}", headers=headers))
    return [link.partition("?")[0].removeprefix("../studies/") for link in seen.rows()]


FINDS = {
    "1.2": ["1.2"],
    "9.9": [],
    "A-77": ["1.3"],
    "P7": ["1.3"],
    "roe": ["1.3"],
    "Doe, Jane": ["1.3", "1.2", "1.1"],
    "*ane": ["1.3", "1.2", "1.1"],
    "77": [],
    "<b>\0": [],
}


async def test_by_uid_accession_number_and_patient(service: Service) -> None:
    await fill(service)
    assert {text: await find(service, text) for text in FINDS} == FINDS


async def test_every_page_has_it_and_no_address_tells_what_was_typed(service: Service) -> None:
    await fill(service)
    for path in ("/", "/studies/1.2", "/overview", "/studies/9.9"):
        answer = await service.get(path, headers={"Accept": "text/html"})
        assert page(answer, answer.status_code).all("form", role="search", method="post")
    answer = await send(service, "Doe, Jane")
    assert answer.headers["location"].startswith("search/")
    assert "Doe" not in str(answer.headers)
    seen = page(await service.get(f"/{answer.headers['location']}"))
    assert seen.all("input", value="Doe, Jane")
    assert "By name of the patient: 3 studies" in seen.text
    assert (
        "Heltig has seen nothing of this name"
        in page(await service.get(f"/{(await send(service, 'x')).headers['location']}")).text
    )
    assert "looked for as a whole" in page(await service.get("/search")).text
    assert "looked for as a whole" in page(await send(service, " ")).text


async def test_of_a_study_that_never_arrived_it_says_what_was_tried_and_who_may_have_it(
    service: Service,
) -> None:
    store = service.services.store
    await pulling.add_archive(store, "main", title="Main PACS")
    await pulling.put_cursor(store, "main", covered=LATER - 2 * pulling.MINUTE)
    await pulling.add_archive(store, "broken")
    await pulling.put_breaker(store, "broken")
    for study in ("9.9", "9.8"):
        await pulling.put_job(store, "pull", "broken", state="dead", key=f"archive:broken {study}")
    seen = page(await service.get(f"/{(await send(service, '9.9')).headers['location']}"))
    assert "Heltig has not seen this study" in seen.text
    assert len([link for link in seen.all("a") if "/jobs/" in str(link["href"])]) == 1
    assert "broken stopped never read Main PACS" in seen.text, seen.text
    assert (
        "none was given up"
        in page(await service.get(f"/{(await send(service, '9.7')).headers['location']}")).text
    )
    await pulling.put_job(
        store, "pull", "main", state="succeeded", key="archive:main 9.6", result='{"outcome":"not found"}'
    )
    seen = page(await service.get(f"/{(await send(service, '9.6')).headers['location']}"))
    assert "archive:main done The archive was asked, and does not have it." in seen.text, seen.text
    await service.judged("9.8")
    assert (
        "Its jobs Pull a study and judge it, archive:broken given up"
        in page(await service.get("/studies/9.8")).text
    )
    given_up = page(await service.get("/archives/broken"))
    assert given_up.all("a", href="../jobs?group=archive%3Abroken")
    assert "Given up last Pull a study and judge it" in given_up.text


async def test_a_search_is_of_whoever_typed_it(guarded: Service) -> None:
    await fill(guarded)
    reader, other = await guarded.key("reader"), await guarded.key("admin")
    address = f"/{(await send(guarded, 'P7', **reader)).headers['location']}"
    assert len(page(await guarded.get(address, headers=reader)).rows()) == 1
    assert "not kept any more" in page(await guarded.get(address, headers=other), 404).text
    page(await guarded.get("/search/unknown", headers=reader), 404)
    page(await send(guarded, "P7", **{**reader, "Sec-Fetch-Site": "cross-site"}), 403)
    page(await send(guarded, "P7", **await guarded.key("auditor")), 403)


async def test_a_search_is_kept_for_a_while(tmp_path: Path) -> None:
    times = [LATER]
    async with running(tmp_path / "home", clock=lambda: times[-1]) as service:
        address = f"/{(await send(service, 'P7')).headers['location']}"
        page(await service.get(address))
        times.append(LATER + timedelta(minutes=30))
        seen = page(await service.get(address), 404)
        assert "Type it again." in seen.text
        assert "autofocus" in seen.all("input", name="text")[-1]


@pytest.mark.parametrize("mode", ["masked", "hashed"])
async def test_who_does_not_see_patients_searches_by_uid_alone(tmp_path: Path, mode: str) -> None:
    async with running(tmp_path / "home", auth_mode="api-key", identifiers=mode) as service:
        await service.judged("1.2")
        reader = await service.key("reader")
        assert await find(service, "1.2", **reader) == ["1.2"]
        for text in ("P1", "Doe"):
            refused = page(await send(service, text, **reader), 403)
            assert "you cannot search by" in refused.text
            assert text not in refused.text
        assert (await send(service, "P1", **await service.key("admin"))).status_code == 303


async def test_of_a_name_that_never_came_it_says_what_was_given_up_and_who_may_have_it(
    guarded: Service,
) -> None:
    store = guarded.services.store
    await pulling.add_archive(store, "main", title="Main PACS")
    await pulling.put_cursor(store, "main", covered=LATER - 2 * pulling.MINUTE)
    await pulling.put_job(store, "pull", "main", state="dead", key="archive:main 9.9")
    reader = await guarded.key("reader")
    for text in ("A-9000", "CT_SCANNER_3"):
        address = f"/{(await send(guarded, text, **reader)).headers['location']}"
        seen = page(await guarded.get(address, headers=reader))
        assert "What was given up last Pull a study and judge it, archive:main given up" in seen.text
        assert "Main PACS" in seen.text


async def test_beside_what_a_station_sent_it_says_what_may_not_have_come(service: Service) -> None:
    """Whoever asks for last night's study of a scanner finds older ones of it: those are not the answer."""
    await service.judged("1.2", accession_number="A-9000")
    await pulling.add_archive(service.services.store, "main", title="Main PACS")
    seen = page(await service.get(f"/{(await send(service, 'A-9000')).headers['location']}"))
    assert len(seen.rows()) == 1
    assert "What did not come" in seen.text
    assert "All known until Main PACS" in seen.text
    seen = page(await service.get(f"/{(await send(service, '1.2')).headers['location']}"))
    assert "What did not come" not in seen.text
