"""Comments on a study and who sees to it: on its page, in the list, and by REST."""

from pathlib import Path

from unit.api.service import Service, running
from unit.dashboard.reading import page, refused
from unit.dashboard.test_quarantine import kept_back
from unit.store.samples import finding

from heltig.pipeline.identifiers.sights import NOTHING
from heltig.pipeline.review import shown
from heltig.store import comments
from heltig.store.records import Location

OURS = {"Sec-Fetch-Site": "same-origin"}
NAMES = "Seen with <b>Doe^Jane</b>"


async def test_said_withdrawn_and_owned_on_the_page(guarded: Service) -> None:
    await guarded.judged("1.2.3", finding(), readiness="BLOCKED")
    anna = {**await guarded.key("reviewer", name="anna"), **OURS}
    bob, admin = {**await guarded.key("qa_operator", name="bob"), **OURS}, await guarded.key("admin")
    reader = await guarded.key("reader")
    answer = await guarded.post("/studies/1.2.3/comments", headers=anna, data={"comment": NAMES})
    assert answer.status_code == 303
    seen = page(await guarded.get("/studies/1.2.3?done=commented", headers=bob))
    assert NAMES in seen.text  # escaped: as it was typed
    assert seen.all("textarea", name="comment")
    assert "key:anna" in seen.text
    assert not seen.all("a", href="../studies/1.2.3/comments/1/withdraw?location=archive%3Amain")
    assert not page(await guarded.get("/studies/1.2.3", headers=reader)).all("textarea")
    for headers, status in ((bob, 403), (reader, 403), ({**admin, **OURS}, 303), (anna, 409)):
        answer = await guarded.post("/studies/1.2.3/comments/1/withdraw", headers=headers)
        assert answer.status_code == status, headers
    assert NAMES not in page(await guarded.get("/studies/1.2.3", headers=anna)).text
    [added], [gone] = await guarded.audit("comment.add"), await guarded.audit("comment.withdraw")
    assert (added.actor, added.detail) == ("key:anna", {"comment": 1})
    assert (gone.actor, gone.detail) == ("key:admin-", {"comment": 1, "author": "key:anna"})


async def test_a_refused_comment_is_in_its_field_again(guarded: Service) -> None:
    await guarded.judged("1.2.3", finding(), readiness="BLOCKED")
    anna = {**await guarded.key("reviewer", name="anna"), **OURS}
    bob = await guarded.key("reviewer", name="bob")
    at = "/studies/1.2.3/comments?location=archive%3Amain"
    for text in (" ", "\0", "<i>" + "x" * 4000):
        seen = await refused(guarded, at, headers=anna, data={"comment": text})
        assert "Say something, in up to 4,000 characters." in seen.text
        [field] = seen.all("textarea", name="comment")
        assert field["aria-invalid"] == "true"
        assert text.strip(" \0") in seen.text
    answer = await guarded.post(at, headers=anna, data={"comment": NAMES})
    assert answer.headers["location"] == "../1.2.3?location=archive%3Amain&done=commented"
    answer = await guarded.post(at, headers=anna, data={"comment": ""})
    theirs = f"/studies/{answer.headers['location'].removeprefix('../')}"
    for where, whose in ((theirs, bob), ("/studies/1.2.3?answers=gone", anna)):
        seen = page(
            await guarded.get(where, headers=whose)
        )  # of somebody else, or kept no more: an empty field
        assert "Say something" not in seen.text
        assert "is not kept any more: fill in the form again" in seen.text


async def was_here(service: Service, *names: str) -> None:
    """Has the audit trail know somebody."""
    for name in names:
        await service.services.review.comment(
            Location("archive", "main"), "1.2.3" if name != "user:anna" else "1.2.1", "seen",
            actor=name, origin="",
        )  # fmt: skip


async def test_taken_given_and_dropped(service: Service) -> None:
    for number in (1, 2):
        await service.judged(f"1.2.{number}", finding(), readiness="BLOCKED")
    ticks = {"tick-1": "archive:main/1.2.1", "tick-2": "archive:main/1.2.2", "back": "./"}
    begun = await service.post("/ticked/own", headers=OURS, data=ticks)
    question = f"/ticked/{begun.headers['location']}"
    asked = page(await service.get(question))
    assert "Who sees to 2 studies?" in asked.text
    wrong = await service.post(question, headers=OURS, data={"sure": "yes", "who": "other"})
    assert wrong.status_code == 303
    again = f"/ticked/own/{wrong.headers['location']}"
    assert page(await service.get(again)).all("p", id="wrong-who")
    done = await service.post(again, headers=OURS, data={"sure": "yes", "who": "me"})
    assert done.headers["location"] == "../../?done=own&studies=2&left=0"
    mine = (await service.get("/api/v1/studies")).json()["items"]
    assert [one["owner"] for one in mine] == ["local", "local"]
    await was_here(service, "user:anna")
    form = {"who": "other", "name": "user:anna"}
    assert (await service.post("/studies/1.2.1/owner", headers=OURS, data=form)).status_code == 303
    assert "user:anna" in page(await service.get("/studies/1.2.1")).text
    [given] = (await service.client.put("/api/v1/studies/1.2.2/owner", json={"owner": None})).json()
    assert given["owner"] is None
    for owner, studies in (
        ("user:anna", ["1.2.1"]),
        ("nobody", ["1.2.2"]),
        ("mine", []),
        ("", ["1.2.2", "1.2.1"]),
    ):
        listed = (await service.get(f"/api/v1/studies?owner={owner}")).json()["items"]
        assert sorted(one["key"] for one in listed) == sorted(studies), owner
        rows = page(await service.get(f"/?owner={owner}")).rows()
        assert sorted(row.split("?")[0] for row in rows) == sorted(f"studies/{one}" for one in studies)
    report = await service.get("/api/v1/studies/1.2.1/report", headers={"Accept": "application/json"})
    assert report.json()["verdicts"][0]["owner"] == "user:anna"
    told = [(entry.subject, entry.detail) for entry in await service.audit("study.own")]
    assert told[-2:] == [
        ("archive:main 1.2.1", {"from": "local", "to": "user:anna"}),
        ("archive:main 1.2.2", {"from": "local", "to": ""}),
    ]


async def test_comments_by_rest(service: Service) -> None:
    await service.judged("1.2.3", finding(), readiness="BLOCKED")
    at = "/api/v1/studies/1.2.3/comments"
    made = (await service.post(at, json={"text": NAMES})).json()
    assert (made["id"], made["author"], made["location"], made["text"]) == (1, "local", "archive:main", NAMES)
    for body in ({"text": ""}, {"text": "x" * 4001}, {"text": "  "}, {"text": "a", "who": "b"}):
        assert (await service.post(at, json=body)).status_code == 400
    assert (await service.post("/api/v1/studies/9.9/comments", json={"text": "a"})).status_code == 404
    assert (await service.client.delete(f"{at}/2")).status_code == 404
    stands = await service.services.store.read(comments.of_study, "1.2.3")
    assert [one.text for one in shown(stands, NOTHING)] == ["[redacted]"]
    gone = (await service.client.delete(f"{at}/1")).json()
    assert (gone["text"], gone["withdrawnBy"]) == ("", "local")
    assert (await service.get(at)).json() == [gone]


async def test_reasons_are_masked_in_the_trail_and_in_waivers(tmp_path: Path) -> None:
    async with running(tmp_path / "home", auth_mode="api-key", identifiers="masked") as service:
        keys = {role: await service.key(role) for role in ("reviewer", "admin", "auditor", "reader")}
        id = await kept_back(service)
        reason = {"reason": NAMES}
        given = await service.post(f"/api/v1/quarantine/{id}/release", headers=keys["reviewer"], json=reason)
        assert given.status_code == 200, given.text
        waiver = {"rule": "PAT-ID-EMPTY", "tags": ["00100020"], "observed": "", "study": "1.2.3", **reason}
        waiver["expires"] = "2026-03-01T13:30:00Z"
        given = await service.post("/api/v1/waivers", headers=keys["reviewer"], json=waiver)
        assert given.json()["waiver"]["reason"] == NAMES
        lines = {"Accept": "application/x-ndjson"}
        for role, path, hidden in (
            ("admin", "/api/v1/audit", False),
            ("auditor", "/api/v1/audit", True),
            ("admin", "/audit", False),
            ("auditor", "/audit", True),
            ("reviewer", "/api/v1/waivers", False),
            ("reader", "/api/v1/waivers", True),
            ("reader", "/api/v1/waivers/1", True),
        ):
            for accept in ({}, lines) if path == "/api/v1/audit" else ({},):
                told = (await service.get(path, headers={**keys[role], **accept})).text
                assert ("Doe^Jane" not in told, "[redacted]" in told) == (hidden, hidden), (role, path)
        [kept] = await service.audit("quarantine.release")
        assert kept.detail["reason"] == NAMES


async def test_an_owner_is_somebody_who_logs_in(service: Service) -> None:
    await service.judged("1.2.3", finding(), readiness="BLOCKED")
    at = "/api/v1/studies/1.2.3/owner"
    for owner in ("Doe^Jane 19370317", "mine", "nobody", "user:", "patient:doe"):
        answer = await service.client.put(at, json={"owner": owner})
        assert (answer.status_code, "user:anna" in answer.text) == (400, True), owner
        assert "Doe" not in answer.text
        form = {"who": "other", "name": owner}
        assert (await refused(service, "/studies/1.2.3/owner", headers=OURS, data=form)).all(
            "p", id="wrong-who"
        )
    await service.key("reviewer", name="night-shift")
    for owner in ("user:Jane Doe", "user:Anna Berg", "token:router", "key:Doe", "key:night"):
        answer = await service.client.put(at, json={"owner": owner})
        assert (answer.status_code, "heltig keys list" in answer.text) == (400, True), owner
        assert owner.partition(":")[2] not in answer.text.replace(at, "")
        form = {"who": "other", "name": owner}
        assert (await refused(service, "/studies/1.2.3/owner", headers=OURS, data=form)).all(
            "p", id="wrong-who"
        )
    await was_here(service, "user:Anna Berg", "token:router")
    for owner in ("user:Anna Berg", "key:night-shift", "token:router", "local"):
        assert (await service.client.put(at, json={"owner": owner})).json()[0]["owner"] == owner
