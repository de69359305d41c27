"""`/api/v1/archives`: archives added, changed, tested, paused and removed over REST."""

import os
from pathlib import Path
from typing import Any

import httpx
import pytest
from msgspec.structs import replace
from servers.certificates import Authority
from servers.dicomweb import study
from sqlalchemy import update
from unit.api.service import Service, in_one_task, running, together

from heltig.credentials import BearerAuth
from heltig.demo.answer import Faults
from heltig.demo.archive import LoopbackArchive
from heltig.store import archives, breakers, tables
from heltig.store.archives import location_of
from heltig.store.tables import job_groups
from heltig.store.transaction import WriteTransaction

MAIN = {"name": "main", "qidoUrl": "http://pacs.example/dicom-web"}
TOKENS = {
    "kind": "oauth2",
    "tokenUrl": "https://login.example/token",
    "clientId": "heltig",
    "secret": "env:HELTIG_SECRET_X",
}


async def added(service: Service, **changes: Any) -> dict[str, Any]:
    answer = await service.post("/api/v1/archives", json={**MAIN, **changes})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_an_archive_is_added_with_what_differs_from_the_defaults(service: Service) -> None:
    options = {"concurrency": 4, "hours": ["mon-fri 19:00-06:00"], "timezone": "Europe/Berlin", "weight": 3}
    auth = {"kind": "basic", "username": "heltig", "secret": "env:HELTIG_SECRET_PACS"}
    shown = await added(service, title="Main", auth=auth, options=options, stowUrl="http://pacs.example/stow")
    assert shown["wadoUrl"] == shown["qidoUrl"] == "http://pacs.example/dicom-web"
    assert shown["auth"] == {"kind": "basic", "username": "heltig"}
    assert options.items() <= shown["options"].items()
    assert shown["options"]["pollSeconds"] == 60
    assert shown["breakers"] == []
    one = await service.get("/api/v1/archives/main")
    assert one.json() == shown
    assert one.headers["etag"] == shown["etag"]
    assert (await service.get("/api/v1/archives")).json() == [shown]
    (entry,) = await service.audit("archive.add")
    assert entry.subject == "archive:main"

    def group(transaction: Any) -> Any:
        query = job_groups.select().where(job_groups.c.name == "archive:main")
        return transaction.connection.execute(query).one()

    kept = await service.services.store.read(group)
    assert (kept.weight, kept.most) == (3, 4)


@together
@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"qidoURL": "x"}, "qidoURL is no field of an archive; the nearest one is qidoUrl"),
        ({"options": {"requestsPerMinute": 1}}, "the nearest one is options.requestsPerSecond"),
        ({"options": {"concurrency": 0}}, "options.concurrency: "),
        ({"options": {"concurrency": "two"}}, "options.concurrency: "),
        ({"options": {"pollSeconds": 1e300}}, "options.pollSeconds: "),
        ({"options": {"quietSeconds": 1e10}}, "options.quietSeconds: "),
        ({"options": {"settleSeconds": 1e10}}, "options.settleSeconds: "),
        ({"options": {"warmMinutes": 1e10}}, "options.warmMinutes: "),
        ({"options": {"coldHours": 1e12}}, "options.coldHours: "),
        ({"options": {"hotDays": 10**9}}, "options.hotDays: "),
        ({"options": {"warmDays": 10**9}}, "options.warmDays: "),
        ({"options": {"requestsPerSecond": 1e-300}}, "options.requestsPerSecond: "),
        ({"options": {"bytesPerSecond": 10**18}}, "options.bytesPerSecond: "),
        ({"options": {"hours": ["mon 8-9"]}}, "mon 8-9"),
        ({"options": {"timezone": "Mars"}}, "Mars"),
        ({"options": {"strategy": "guess"}}, "options.strategy: "),
        ({"options": {"profile": "nobodys"}}, "options.profile: nobodys: over HTTP only shipped"),
        ({"options": {"profile": "/dev/zero"}}, "options.profile: /dev/zero: over HTTP only shipped"),
        ({"options": {"caBundle": "/none.pem"}}, "options.caBundle: /none.pem: over HTTP only files in"),
        ({"options": {"certificate": "/dev/zero"}}, "options.certificate: /dev/zero: over HTTP only files"),
        ({"options": {"certificate": "x", "key": "/etc/shadow"}}, "options.certificate: x: over HTTP only"),
        ({"title": "Main\0"}, "title: control characters"),
        ({"title": "Main\nforged: line"}, "title: control characters"),
        ({"options": {"hours": ["daily\t22:00-05:00\0"]}}, "options.hours: control characters"),
        ({"auth": {"kind": "basic", "username": "a\r", "secret": "env:HELTIG_SECRET_X"}}, "auth.username: c"),
        ({"auth": {"kind": "basic", "user": "x", "secret": "env:HELTIG_SECRET_X"}}, "auth.username"),
        ({"auth": {"kind": "bearer", "secret": "s3cret"}}, "auth.secret: a secret is not given itself"),
        ({"auth": {"kind": "bearer", "secret": "env:HELTIG_DATABASE_URL"}}, "env:HELTIG_SECRET_"),
        ({"auth": {"kind": "bearer", "secret": "file:/etc/passwd"}}, "secrets"),
        ({"auth": {**TOKENS, "caBundle": "/etc/shadow"}}, "auth.caBundle: /etc/shadow: over HTTP only"),
        ({"auth": {**TOKENS, "tokenUrl": "https://0xa9fea9fe/token"}}, "auth.tokenUrl: "),
        ({"auth": {"kind": "digest"}}, "auth.kind: "),
        ({"qidoUrl": "file:///etc/passwd"}, "qidoUrl: file:///etc/passwd: not an archive's address"),
        ({"qidoUrl": "http://127.0.0.1:99999"}, "qidoUrl: http://127.0.0.1:99999/: 99999 is no port"),
        ({"stowUrl": "http://pacs.example:0"}, "stowUrl: http://pacs.example:0/: 0 is no port"),
        ({"qidoUrl": "http://0xa9fea9fe"}, "link-local"),
        ({"qidoUrl": "http://2852039166/"}, "link-local"),
        ({"qidoUrl": "http://169.254.169.254/latest"}, "link-local"),
        ({"wadoUrl": "http://metadata.google.internal/"}, "link-local"),
        ({"feedUrl": "http://[fe80::1]/"}, "link-local"),
        ({"qidoUrl": "http://user:s3cret@pacs.example"}, "not an archive's address"),
        ({"name": "Main"}, "no name"),
        ({"name": None}, "name"),
    ],
)
async def test_what_makes_no_sense_is_refused_by_its_name(
    shared: Service, wrong: dict[str, Any], says: str
) -> None:
    given = {name: value for name, value in {**MAIN, **wrong}.items() if value is not None}
    answer = await shared.post("/api/v1/archives", json=given)
    assert (answer.status_code, answer.json()["type"]) == (400, "/problems/bad-request")
    assert says in answer.json()["detail"]
    assert "s3cret" not in answer.text
    assert (await shared.get("/api/v1/archives")).json() == []


async def test_a_change_needs_to_know_what_it_changes(service: Service) -> None:
    shown = await added(service, options={"concurrency": 4, "weight": 2})
    path = "/api/v1/archives/main"
    change = {"title": "Mine", "options": {"concurrency": None, "pollSeconds": 30}}
    assert (await service.client.patch(path, json=change)).status_code == 428
    stale = {"If-Match": '"another"'}
    assert (await service.client.patch(path, json=change, headers=stale)).status_code == 412
    changed = await service.client.patch(path, json=change, headers={"If-Match": shown["etag"]})
    assert changed.status_code == 200
    now = changed.json()
    assert (now["title"], now["options"]["concurrency"], now["options"]["pollSeconds"]) == ("Mine", 2, 30)
    assert now["options"]["weight"] == 2
    assert now["etag"] == changed.headers["etag"] != shown["etag"]
    (entry,) = await service.audit("archive.change")
    assert entry.detail == {"changed": ["title", "options"]}
    wrong = await service.client.patch(path, json={"nam": "x"}, headers={"If-Match": "*"})
    assert (wrong.status_code, "nearest one is name" in wrong.text) == (400, True)
    missing = await service.client.patch("/api/v1/archives/x", json={}, headers={"If-Match": "*"})
    assert missing.status_code == 404


async def test_a_secret_of_the_host_is_not_sent_to_another_address(service: Service) -> None:
    """Whoever may change an archive over HTTP cannot have a secret that they may not name sent elsewhere."""
    await added(service)
    store = service.services.store
    entry = await store.read(archives.find, "main")
    assert entry is not None
    await store.write(archives.change, replace(entry, auth=BearerAuth(secret="env:PACS_TOKEN")))
    moved = await service.client.patch(
        "/api/v1/archives/main", json={"qidoUrl": "http://evil.example"}, headers={"If-Match": "*"}
    )
    assert moved.status_code == 400
    assert "HELTIG_SECRET_" in moved.text


async def test_files_are_named_in_one_folder_and_nothing_is_told_of_them(service: Service) -> None:
    """What is in a file, and whether there is one elsewhere, cannot be asked by naming it."""
    await added(service)
    secrets, profiles = service.home / "secrets", service.home / "profiles"
    for folder in (secrets, profiles):
        folder.mkdir(exist_ok=True)
    (profiles / "site.toml").write_text('base = "default"\n')
    (profiles / "odd.toml").write_text("root:s3cret:1\n")
    (profiles / "large.toml").write_bytes(b"#" * (2 * 1024**2))
    (profiles / "out.toml").symlink_to("/etc/passwd")
    (secrets / "odd.pem").write_text("root:s3cret:1\n")
    (secrets / "endless.pem").symlink_to("/dev/zero")
    os.mkfifo(secrets / "pipe.pem")

    async def change(**options: str) -> httpx.Response:
        path, any_version = "/api/v1/archives/main", {"If-Match": "*"}
        return await service.client.patch(path, json={"options": options}, headers=any_version)

    for name, says in {
        "odd.toml": "it cannot be used",
        "large.toml": "no regular file of 1 MiB",
        "out.toml": "over HTTP only",
        "none.toml": "cannot be read",
        "../secrets/odd.pem": "over HTTP only",
    }.items():
        refused = await change(profile=str(profiles / name))
        assert (refused.status_code, says in refused.json()["detail"]) == (400, True), refused.text
        assert refused.json()["detail"].startswith("options.profile: ")
        assert "s3cret" not in refused.text
        assert " line " not in refused.text
    for name, says in {
        "odd.pem": "not readable as certificates",
        "endless.pem": "over HTTP only",
        "pipe.pem": "no regular file",
        "none.pem": "cannot be read",
    }.items():
        for field in ("caBundle", "certificate"):
            refused = await change(**{field: str(secrets / name)})
            assert (refused.status_code, says in refused.json()["detail"]) == (400, True), refused.text
            assert refused.json()["detail"].startswith(f"options.{field}: ")
    good = await change(profile=str(profiles / "site.toml"), caBundle=str(secrets / "ca.pem"))
    assert good.status_code == 400  # there is no such certificate: nothing of it is kept
    with_key = {"proof": "private_key_jwt", "secret": f"file:{secrets / 'key'}", "certificate": "/etc/shadow"}
    refused = await service.post(
        "/api/v1/archives", json={**MAIN, "name": "x", "auth": {**TOKENS, **with_key}}
    )
    assert "auth.certificate: /etc/shadow: over HTTP only" in refused.json()["detail"]
    authority = Authority(secrets, "ca")
    good = await change(profile=str(profiles / "site.toml"), caBundle=str(authority.certificate))
    assert good.status_code == 200, good.text
    assert (await change(profile="default")).status_code == 200


async def test_what_the_host_configured_does_not_stand_in_the_way_of_other_changes(service: Service) -> None:
    """Files named on the command line stay; they go to no other address, and only named ones are changed."""
    await added(service)
    store = service.services.store
    entry = await store.read(archives.find, "main")
    assert entry is not None
    options = replace(entry.options, certificate="/etc/heltig/pacs.pem", profile="/etc/heltig/site.toml")
    configured = replace(entry, auth=BearerAuth(secret="file:/etc/heltig/pacs"), options=options)
    await store.write(archives.change, configured)

    async def change(patch: dict[str, Any]) -> httpx.Response:
        return await service.client.patch("/api/v1/archives/main", json=patch, headers={"If-Match": "*"})

    changed = await change({"title": "Main", "options": {"pollSeconds": 30}})
    assert changed.status_code == 200, changed.text
    after = await store.read(archives.find, "main")
    assert after == replace(configured, title="Main", options=replace(options, poll_seconds=30.0))
    for patch, field in (
        ({"stowUrl": "http://evil.example"}, "auth.secret"),
        ({"auth": {"secret": "file:/etc/heltig/other"}}, "auth.secret"),
        ({"auth": None, "wadoUrl": "http://evil.example"}, "options.certificate"),
        ({"options": {"key": "/etc/heltig/key.pem"}}, "options.key"),
    ):
        refused = await change(patch)
        assert (refused.status_code, refused.json()["detail"].partition(": ")[0]) == (400, field)
    assert await store.read(archives.find, "main") == after


async def test_pausing_and_resuming(service: Service) -> None:
    await added(service)
    await service.services.store.write(
        breakers.put,
        location_of("main"),
        breakers.Breaker(
            operation="search",
            state="open",
            failures=5,
            openings=1,
            until=service.services.clock(),
            error="Nobody answers.",
            changed=service.services.clock(),
        ),
    )
    paused = (await service.post("/api/v1/archives/main/pause")).json()
    assert paused["paused"]
    assert [(one["operation"], one["state"]) for one in paused["breakers"]] == [("search", "open")]
    resumed = (await service.post("/api/v1/archives/main/resume")).json()
    assert not resumed["paused"]
    assert resumed["breakers"] == []
    assert len(await service.audit("archive.pause")) == len(await service.audit("archive.resume")) == 1
    assert (await service.post("/api/v1/archives/none/pause")).status_code == 404


async def test_an_archive_is_tested(service: Service) -> None:
    async with LoopbackArchive(study("1.2")) as loopback:
        await added(service, qidoUrl=loopback.url)
        tested = await service.post("/api/v1/archives/main/test")
        assert tested.status_code == 200
        assert tested.json()["capabilities"]["metadata"] == "study"
        assert "Gives metadata a study at a time." in tested.json()["described"]
        shown = (await service.get("/api/v1/archives/main")).json()
        assert shown["capabilities"]["metadata"] == "study"
        assert shown["probed"]
        loopback.faults = Faults(status=401)
        refused = await service.post("/api/v1/archives/main/test")
        assert (refused.status_code, refused.json()["type"]) == (502, "/problems/archive-credentials")
        loopback.faults = Faults(login_page=True)
        odd = await service.post("/api/v1/archives/main/test")
        assert (odd.status_code, odd.json()["type"]) == (502, "/problems/archive-answer")
    gone = await service.post("/api/v1/archives/main/test")
    assert (gone.status_code, gone.json()["type"]) == (502, "/problems/archive-unavailable")
    assert [entry.outcome for entry in await service.audit("archive.test")].count("failure") == 3
    assert (await service.post("/api/v1/archives/none/test")).status_code == 404


async def test_an_archive_is_removed(service: Service) -> None:
    await added(service)
    assert (await service.client.delete("/api/v1/archives/main")).status_code == 204
    assert (await service.client.delete("/api/v1/archives/main")).status_code == 404
    assert (await service.get("/api/v1/archives/main")).status_code == 404
    await added(service)


async def test_who_may_configure_archives(tmp_path: Path) -> None:
    async with in_one_task(running(tmp_path / "home", auth_mode="api-key")) as service:
        for role, status in (("reader", 403), ("reviewer", 403), ("archive", 403), ("qa_operator", 201)):
            key = await service.key(role)  # type: ignore[arg-type]
            answer = await service.post("/api/v1/archives", json=MAIN, headers=key)
            assert answer.status_code == status
            if status == 403:
                for action in ("test", "pause", "resume"):
                    refused = await service.post(f"/api/v1/archives/main/{action}", headers=key)
                    assert refused.status_code == 403
        reader = await service.key("reader", name="second")
        assert (await service.get("/api/v1/archives/main", headers=reader)).status_code == 200


async def test_an_entry_that_cannot_be_read_is_shown_as_broken_changed_and_removed(service: Service) -> None:
    store = service.services.store

    def spoil(transaction: WriteTransaction) -> None:
        spoiled = {"options": '{"pollSeconds":null}'}
        transaction.connection.execute(update(tables.archives).values(spoiled))

    entry = {"name": "main", "qidoUrl": "http://127.0.0.1:1/rs"}
    for mend in (True, False):
        assert (await service.post("/api/v1/archives", json=entry)).status_code == 201
        await store.write(spoil)
        (shown,) = (await service.get("/api/v1/archives")).json()
        assert "options.pollSeconds" in shown["broken"]
        status = (await service.get("/api/v1/archives/main/status")).json()
        assert (status["state"], status["why"]) == ("failing", shown["broken"])
        if mend:
            changed = await service.client.patch(
                "/api/v1/archives/main",
                json={"options": {"pollSeconds": 30}},
                headers={"If-Match": shown["etag"]},
            )
            assert (changed.status_code, changed.json()["broken"]) == (200, "")
        assert (await service.client.delete("/api/v1/archives/main")).status_code == 204
