"""What whoever uses a gate is told: nothing of where the archive is, and in the form that they asked for."""

import re
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import httpx
import pytest
from integration.gated import body_of, content_type, files_of, uid_of
from servers.scripted import answer
from unit.gate.test_pass_through import Site, json_answer, site

JSON, XML = "application/dicom+json", "application/dicom+xml"
NOWHERE = "http://127.0.0.1:9/secret-path"
STUDY = uid_of("cr-chest")


Ask: TypeAlias = Callable[[str], Awaitable[httpx.Response]]


async def store(made: Site, archive: str, files: Sequence[bytes] = (), **headers: str) -> httpx.Response:
    return await made.service.post(
        f"/gate/{archive}/studies",
        content=body_of(files or files_of("cr-chest"), boundary="b"),
        headers={"Content-Type": content_type("b"), **headers},
    )


async def test_errors_name_the_archive_and_the_log_its_address(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    given = [answer(b"secret", status=status) for status in (401, 403, 500, 503)]
    given.append(b"no HTTP\r\n\r\n")
    now = list[bytes]()
    async with site(tmp_path / "home", lambda asked: now[0]) as made:
        entries: dict[str, dict[str, Any]] = {
            "away": {"qidoUrl": NOWHERE},
            "unkeyed": {"qidoUrl": NOWHERE, "auth": {"kind": "bearer", "secret": "env:HELTIG_SECRET_UNSET"}},
            "dimse": {
                "qidoUrl": NOWHERE,
                "options": {"dimseHost": "127.0.0.1", "dimsePort": 9, "dimseAeTitle": "INSIDE"},
            },
        }
        for name, entry in entries.items():
            options = {"gate": "observe", "strategy": "none", **entry.pop("options", {})}
            added = await made.service.post(
                "/api/v1/archives", json={"name": name, "options": options, **entry}
            )
            assert added.is_success, added.text
        told = [(name, await ask(name)) for name in entries for ask in (asking(made), storing(made))]
        for number, one in enumerate(given):
            now[:] = [one]
            await made.add(f"a{number}")
            told += [
                (f"a{number}", await asking(made)(f"a{number}")),
                (f"a{number}", await storing(made)(f"a{number}")),
            ]
        place = re.search(r"//([^/]*)", made.root)
        assert place is not None
        for name, said in told:
            assert said.status_code >= 500, (name, said.text)
            detail = said.json()["detail"]
            assert name in detail, detail
            for hidden in (
                place.group(1),
                "127.0.0.1",
                "secret",
                "HELTIG_SECRET_UNSET",
                "INSIDE",
                "dicom-web",
            ):
                assert hidden not in said.text, said.text
    log = capfd.readouterr()
    for shown in (NOWHERE, made.root, "dicom://127.0.0.1:9/INSIDE", "HELTIG_SECRET_UNSET"):
        assert shown in log.out + log.err


def asking(made: Site) -> Ask:
    return lambda name: made.get("studies?PatientID=1", archive=name)


def storing(made: Site) -> Ask:
    return lambda name: store(made, name)


async def test_the_answer_is_in_the_form_that_is_asked_for(tmp_path: Path) -> None:
    async with site(tmp_path / "home", lambda asked: json_answer(b'{"00081190":{"vr":"UR"}}')) as made:
        await made.change(gate="hold")
        for accept, form in (
            ("", JSON),
            ("*/*", JSON),
            (XML, XML),
            (f"{JSON};q=0.1, {XML}", XML),
            (f"{JSON};q=0, {XML}", XML),
            (f"{JSON};q=0, application/json;q=0, */*", XML),
            (f"{XML};q=0, */*", JSON),
            (f"{XML};q=0.5, application/*", JSON),
            ("application/json", "application/json"),
            (f"{JSON};q=0", JSON),  # nothing fits, and what became of the objects has to be told
            ("text/html", JSON),
        ):
            said = await store(made, "main", Accept=accept)
            assert (said.status_code, said.headers["Content-Type"]) == (200, form), accept
            assert said.text.startswith("<?xml" if form == XML else "{")


def with_study(file: bytes, uid: bytes) -> bytes:
    before = STUDY.encode()
    assert len(uid) == len(before)
    assert file.count(before) == 1
    return file.replace(before, uid)


async def test_studies_with_uids_that_are_none(tmp_path: Path) -> None:
    """In `enforce` rules refuse them; where one is taken, no address is told that leads nowhere."""
    [file, *_] = files_of("cr-chest")
    async with site(tmp_path / "home", lambda asked: json_answer()) as made:
        await made.change(gate="enforce")
        refused = await store(made, "main", [with_study(file, STUDY[:-2].encode() + b"\\1")])
        assert (refused.status_code, made.upstream.requests) == (409, [])
        [item] = refused.json()["00081198"]["Value"]
        assert item["00081197"]["Value"] == [0xC340]
        assert item["00991014"]["Value"] == ["UID-CHARS"]
        await made.change(gate="hold")
        taken = await store(made, "main", [with_study(file, STUDY[:-2].encode() + b"%1")])
        assert taken.status_code == 200
        [item] = taken.json()["00081199"]["Value"]
        assert item["00081190"] == taken.json()["00081190"] == {"vr": "UR"}
