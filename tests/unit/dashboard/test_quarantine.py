"""The pages of quarantine, asked of the real application."""

import asyncio

from browser.filled_operations import GATE, keep_back
from unit.api.service import Service
from unit.dashboard.reading import page, refused
from unit.store.samples import NOW, finding, judge, snapshot

from heltig.auth import keys
from heltig.auth.keys import NewKey
from heltig.store import archives, gate_studies
from heltig.store.archive_options import ArchiveOptions
from heltig.store.archives import Archive

OURS = {"Sec-Fetch-Site": "same-origin"}


async def kept_back(service: Service, study: str = "1.2.3") -> int:
    store = service.services.store
    await judge(store, snapshot(study=study, location=GATE), finding(), readiness="BLOCKED")
    return await store.write(keep_back, study, "It is BLOCKED.", objects=2, since=NOW)


async def test_nothing_kept_back_is_said(service: Service) -> None:
    assert "Nothing is kept back" in page(await service.get("/quarantine")).text


async def test_what_why_and_since_when(service: Service) -> None:
    id = await kept_back(service)
    seen = page(await service.get("/quarantine"))
    assert seen.rows() == [f"quarantine/{id}"]
    for text in (
        "BLOCKED",
        "1.2.3",
        "It is BLOCKED. PatientID is empty. PAT-ID-EMPTY",
        "main",
        "1.1 MB",
        "Doe, Jane P1, no date, no modality",
    ):
        assert text in seen.text, text
    one = page(await service.get(f"/quarantine/{id}"))
    assert "2 objects, 1.1 MB" in one.text
    for act in ("", "/release", "/discard"):
        said = page(await service.get(f"/quarantine/{id}{act}")).text
        assert "It is BLOCKED. PatientID is empty" in said
        assert ".." not in said
    assert "../studies/1.2.3?location=gate%3Amain" in [link["href"] for link in one.all("a")]
    assert page(await service.get("/quarantine?gate=other")).rows() == []
    assert page(await service.get("/quarantine?page=2")).rows() == []


async def test_released_with_a_reason(service: Service) -> None:
    id = await kept_back(service)
    asked = page(await service.get(f"/quarantine/{id}/release"))
    assert "Its 2 objects are forwarded to archive main" in asked.text
    again = await refused(service, f"/quarantine/{id}/release", headers=OURS, data={"reason": " "})
    assert "Say why, please." in again.text
    answer = await service.post(f"/quarantine/{id}/release", headers=OURS, data={"reason": "I looked at it"})
    assert (answer.status_code, answer.headers["location"]) == (303, "../../quarantine?done=released")
    assert page(await service.get("/quarantine")).rows() == []
    [entry] = await service.audit("quarantine.release")
    assert entry.detail["reason"] == "I looked at it"


async def test_thrown_away_with_a_reason(service: Service) -> None:
    id = await kept_back(service)
    assert "That cannot be undone." in page(await service.get(f"/quarantine/{id}/discard")).text
    await service.post(f"/quarantine/{id}/discard", headers=OURS, data={"reason": "a phantom"})
    assert len(await service.audit("quarantine.discard")) == 1
    page(await service.get(f"/quarantine/{id}"), 404)


async def test_forms_from_elsewhere_and_from_those_who_may_not_decide(guarded: Service) -> None:
    id = await kept_back(guarded)
    reviewer, operator = await guarded.key("reviewer"), await guarded.key("qa_operator")
    reason = {"reason": "because"}
    for headers in ({**reviewer, "Sec-Fetch-Site": "cross-site"}, {**operator, **OURS}):
        page(await guarded.post(f"/quarantine/{id}/release", headers=headers, data=reason), 403)
    seen = page(await guarded.get("/quarantine", headers=operator))
    assert seen.rows() == [f"quarantine/{id}"]
    for key, offered in ((operator, False), (reviewer, True)):
        shown = page(await guarded.get(f"/quarantine/{id}", headers=key))
        assert bool(shown.all("a", href=f"{id}/release")) == offered


async def two_decide(service: Service) -> None:
    """From now on the archive's profile wants a second person."""
    profile = service.home / "two.toml"
    profile.write_text('second_person = ["release", "discard"]')
    url = "http://127.0.0.1:9/"
    archive = Archive(name="main", qido_url=url, wado_url=url, options=ArchiveOptions(profile=str(profile)))
    await service.services.store.write(archives.add, archive)


async def reviewer(service: Service, name: str, maker: str) -> dict[str, str]:
    new = NewKey(name=name, role="reviewer")
    made = await service.services.store.write_durably(keys.create, new, actor=maker, origin="", now=NOW)
    return {"Authorization": f"Bearer {made}", **OURS}


async def test_one_asks_and_another_consents(guarded: Service) -> None:
    await two_decide(guarded)
    id = await kept_back(guarded)
    anna, carol = await reviewer(guarded, "anna", "user:root"), await reviewer(guarded, "carol", "cli:root")
    second_key, reader = await reviewer(guarded, "anna-2", "key:anna"), await guarded.key("reader")
    at, because = f"/api/v1/quarantine/{id}", {"reason": "Seen with Dr. Roe"}
    assert "Ask to release" in page(await guarded.get(f"/quarantine/{id}", headers=anna)).text
    asked = page(await guarded.get(f"/quarantine/{id}/release", headers=anna))
    assert "with a second person?" in asked.text
    assert "Nothing is done yet" in asked.text
    answer = await guarded.post(f"{at}/release", headers=anna, json=because)
    assert (answer.status_code, answer.json()["job"]) == (202, None)
    request = answer.json()["asked"]["id"]
    for path in ("/quarantine", f"/quarantine/{id}", "/studies/1.2.3"):
        assert "Waits for a second person" in page(await guarded.get(path, headers=carol)).text, path
    # Neither once more, nor by the same person, nor by a key that they made, nor by who may not decide.
    consent = {"request": request, "reason": "Likewise"}
    assert (await guarded.post(f"{at}/discard", headers=carol, json=because)).status_code == 409
    for headers, status in ((anna, 409), (second_key, 409), (reader, 403)):
        refused = await guarded.post(f"{at}/consent", headers=headers, json=consent)
        assert refused.status_code == status, refused.text
    assert (
        await guarded.post(f"{at}/consent", headers=carol, json={**consent, "request": 9})
    ).status_code == 409
    assert not await guarded.audit("quarantine.release")
    question = f"/quarantine/{id}/consent?request={request}"
    for headers in (anna, second_key):
        assert "you are the same person" in page(await guarded.get(question, headers=headers), 409).text
    assert "Consent and release" in page(await guarded.get(question, headers=carol)).text
    # Of two at once one comes too late.
    dora = await reviewer(guarded, "dora", "cli:root")
    answers = await asyncio.gather(
        *(guarded.post(f"{at}/consent", headers=one, json=consent) for one in (carol, dora))
    )
    assert sorted(answer.status_code for answer in answers) == [200, 404]
    [first], [done] = await guarded.audit("quarantine.ask"), await guarded.audit("quarantine.release")
    assert (first.actor, first.detail["act"]) == ("key:anna", "release")
    assert done.actor in ("key:carol", "key:dora")
    assert (done.detail["askedBy"], done.detail["reason"]) == ("key:anna", "Seen with Dr. Roe")


async def test_declined_taken_back_and_lapsed(guarded: Service) -> None:
    await two_decide(guarded)
    id = await kept_back(guarded)
    anna, carol = await reviewer(guarded, "anna", "user:root"), await reviewer(guarded, "carol", "cli:root")
    path, because = f"/quarantine/{id}", {"reason": "because"}

    async def ask() -> int:
        told = await guarded.post(f"{path}/discard", headers=anna, data=because)
        assert (told.status_code, told.headers["location"]) == (303, f"../{id}?done=asked"), told.text
        shown = await guarded.get(f"/api/v1{path}", headers=carol)
        return int(shown.json()["asked"]["id"])

    request = await ask()
    assert "Take it back" in page(await guarded.get(path, headers=anna)).text
    declined = await guarded.post(f"{path}/decline?request={request}", headers=carol, data=because)
    assert declined.headers["location"] == f"../{id}?done=declined"
    assert "key:carol declined: because" in page(await guarded.get(path, headers=anna)).text
    request = await ask()
    await guarded.post(f"{path}/decline?request={request}", headers=anna, data=because)
    request = await ask()
    await guarded.services.store.write(gate_studies.quarantine, id, since=NOW, reason="It is BLOCKED.")
    seen = page(await guarded.get(path, headers=carol))
    assert "Waits for a second person" not in seen.text
    assert "Ask to throw away" in seen.text
    late = await guarded.post(
        f"/api/v1{path}/consent", headers=carol, json={"request": request, "reason": "Yes"}
    )
    assert (late.status_code, "More of the study came since" in late.text) == (409, True)
    await ask()
    states = (await guarded.get(f"/api/v1{path}", headers=carol)).json()["answered"]
    assert [one["state"] for one in states] == ["lapsed", "withdrawn", "declined"]
    assert len(await guarded.audit("quarantine.decline")) == 2
