import re
from pathlib import Path
from typing import Any

import pytest
from unit.api.service import Service, in_one_task, running
from unit.store.samples import OTHER, finding, series, snapshot

from heltig.auth.principal import CONSULT
from heltig.setting_types import Address
from heltig.store import snapshots

STUDY = "1.2.840.99.1"
PATH = f"/consult/studies/{STUDY}"
# What dcm4chee-arc's Store Permission Service is set to find.
RESPONSE_PATTERN, CODE_PATTERN = r"verdict=READY", r"code=(\w{4})"


async def test_one_line_of_text(service: Service) -> None:
    await service.judged(STUDY)
    answer = await service.get(PATH)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.text == "verdict=READY code=0000 rev=1 comment=\n"
    assert int(answer.headers["content-length"]) == len(answer.content)


async def test_the_rules_behind_a_verdict_and_nothing_of_the_patient(service: Service) -> None:
    found = [finding("PAT-ID-EMPTY", observed="Doe"), finding("SER-1", "review"), finding("X", "note")]
    await service.judged(STUDY, *found, readiness="BLOCKED")
    text = (await service.get(PATH)).text
    # A rule that failed to run keeps a study from being READY too.
    assert text == "verdict=BLOCKED code=C001 rev=1 comment=PAT-ID-EMPTY,SER-1,SITE-1\n"


async def test_a_comment_has_room_for_64_characters(service: Service) -> None:
    await service.judged(STUDY, *(finding(f"RULE-{n:02}") for n in range(30)), readiness="BLOCKED")
    comment = (await service.get(PATH)).text.rstrip("\n").partition("comment=")[2]
    assert len(comment) <= 64
    shown, _, others = comment.partition(",+")
    assert shown.count(",") + 1 + int(others) == 31


async def test_an_unknown_study_is_pending_not_an_error(service: Service) -> None:
    answer = await service.get("/consult/studies/9.9")
    assert (answer.status_code, answer.text) == (200, "verdict=PENDING code=A700 rev=0 comment=never seen\n")


async def test_a_pending_study(service: Service) -> None:
    await service.judged(STUDY)
    await service.services.store.write(snapshots.put, snapshot([series(instances=9)]))
    assert (await service.get(PATH)).text.startswith("verdict=PENDING code=A700 rev=1 ")


async def test_the_same_as_json(service: Service) -> None:
    await service.judged(STUDY, finding(), readiness="BLOCKED")
    answer = await service.get(PATH, headers={"Accept": "application/json"})
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {
        "verdict": "BLOCKED",
        "code": "C001",
        "rev": 1,
        "comment": "PAT-ID-EMPTY,SITE-1",
    }
    text = await service.get(PATH)
    assert text.headers["etag"] != answer.headers["etag"]
    assert (await service.get(PATH, headers={"If-None-Match": text.headers["etag"]})).status_code == 304


async def test_patterns_of_a_store_permission_service(service: Service) -> None:
    await service.judged(STUDY, readiness="NEEDS_REVIEW", location=OTHER)
    text = (await service.get(PATH)).text
    assert not re.search(RESPONSE_PATTERN, text)
    found = re.search(CODE_PATTERN, text)
    assert found
    assert 0xC000 <= int(found[1], 16) <= 0xCFFF  # PS3.4 B.2.3: cannot understand


CONSULT_BIND = Address("127.0.0.1", 8043)


@pytest.mark.parametrize(
    ("client", "path", "status"),
    [
        ("10.1.2.3", PATH, 200),
        ("10.4.99.1", PATH, 200),
        ("::ffff:10.1.2.3", PATH, 200),
        ("10.1.2.4", PATH, 403),
        ("10.1.2.3", "/dicom-web/studies", 404),
        ("10.1.2.3", "/", 404),
    ],
)
async def test_the_separate_listener(tmp_path: Path, client: str, path: str, status: int) -> None:
    options: dict[str, Any] = {
        "auth_mode": "api-key",
        "consult_bind": CONSULT_BIND,
        "consult_allow": ("10.1.2.3", "10.4.0.0/16"),
        "client": (client, 4000),
        "server": f"http://heltig.example:{CONSULT_BIND.port}",
    }
    async with in_one_task(running(tmp_path / "home", **options)) as service:
        answer = await service.get(path)
        assert answer.status_code == status
        if status != 200:
            assert answer.headers["content-type"] == "application/problem+json"


async def test_the_other_listener_asks_for_a_key_all_the_same(tmp_path: Path) -> None:
    options: dict[str, Any] = {"auth_mode": "api-key", "consult_bind": CONSULT_BIND}
    async with in_one_task(running(tmp_path / "home", **options)) as service:
        assert (await service.get(PATH)).status_code == 401
        assert "archive" in CONSULT.roles
