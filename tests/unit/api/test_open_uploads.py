"""Uploads in several requests, as tus has them."""

import asyncio
import os
from base64 import b64encode
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from unit.api.service import Service, in_one_task, running, study_zip, together

from heltig.errors import ConflictError
from heltig.pipeline.upload.open_uploads import KEPT, Writer
from heltig.pipeline.upload.uploads import Sender
from heltig.setting_types import Size

UPLOADS = "/api/v1/uploads"
PIECE = "application/offset+octet-stream"
PACKAGE = study_zip("dx-hand")


def announced(package: bytes, *, digest: str | None = None) -> dict[str, str]:
    said = b64encode((digest or sha256(package).hexdigest()).encode()).decode()
    return {
        "Upload-Length": str(len(package)),
        "Upload-Metadata": f"filename ZG9l,sha256 {said}",
        "Tus-Resumable": "1.0.0",
    }


async def begin(service: Service, package: bytes = PACKAGE, **options: Any) -> str:
    headers = {**announced(package), **options.pop("headers", {})}
    answer = await service.post(UPLOADS, headers=headers, **options)
    assert answer.status_code == 201, answer.text
    assert answer.headers["tus-resumable"] == "1.0.0"
    return str(answer.headers["location"])


async def add(service: Service, place: str, offset: int, content: Any, **headers: str) -> httpx.Response:
    sent = {"Content-Type": PIECE, "Upload-Offset": str(offset), "Tus-Resumable": "1.0.0", **headers}
    return await service.client.patch(place, content=content, headers=sent)


async def offset(service: Service, place: str, **headers: str) -> int:
    answer = await service.client.head(place, headers=headers)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    return int(answer.headers["upload-offset"])


async def test_pieces_become_a_job_like_any_upload(service: Service) -> None:
    place = await begin(service)
    middle = len(PACKAGE) // 2
    first = await add(service, place, 0, PACKAGE[:middle])
    assert (first.status_code, first.headers["upload-offset"]) == (204, str(middle))
    assert "upload-expires" in first.headers
    assert await offset(service, place) == middle
    stands = (await service.get(place)).json()
    assert (stands["offset"], stands["length"], stands["upload"]) == (middle, len(PACKAGE), None)

    last = await add(service, place, middle, PACKAGE[middle:])
    assert (last.status_code, last.headers["upload-offset"]) == (204, str(len(PACKAGE)))
    became = (await service.get(place, params={"wait": 60})).json()
    assert became["upload"]["sha256"] == sha256(PACKAGE).hexdigest()
    assert (became["job"]["state"], became["readiness"], len(became["studies"])) == ("succeeded", "READY", 1)
    (entry,) = await service.audit("upload.accept")
    assert entry.subject == became["upload"]["location"]
    assert not list((service.home / "spool" / "open").iterdir())

    plain = await service.post("/api/v1/jobs/upload", content=PACKAGE)
    assert (plain.status_code, plain.json()["job"]["id"]) == (200, became["job"]["id"])


async def test_the_same_begun_again_goes_on_where_it_was(service: Service) -> None:
    place = await begin(service)
    await add(service, place, 0, PACKAGE[:100])
    again = await service.post(UPLOADS, headers=announced(PACKAGE))
    assert (again.headers["location"], again.headers["upload-offset"]) == (place, "100")
    await add(service, place, 100, PACKAGE[100:])
    sent = await service.post(UPLOADS, headers=announced(PACKAGE))
    assert (sent.headers["location"], sent.headers["upload-offset"]) == (place, str(len(PACKAGE)))
    nothing = await add(service, place, len(PACKAGE), b"")  # its answer was lost: sent again
    assert nothing.status_code == 204


async def test_bytes_that_were_sent_another_way_are_the_first_job(service: Service) -> None:
    plain = (await service.post("/api/v1/jobs/upload", content=PACKAGE)).json()
    place = await begin(service)
    assert await offset(service, place) == 0  # who knows a digest need not have the bytes
    await add(service, place, 0, PACKAGE)
    became = (await service.get(place)).json()
    assert (became["job"]["id"], became["upload"]["repeat"]) == (plain["job"]["id"], True)


async def test_without_a_digest_every_upload_is_another(service: Service) -> None:
    length = {"Upload-Length": str(len(PACKAGE))}
    places = {(await service.post(UPLOADS, headers=length)).headers["location"] for _ in range(2)}
    assert len(places) == 2
    assert (await add(service, places.pop(), 0, PACKAGE)).status_code == 204


async def test_what_it_can_is_told(service: Service) -> None:
    answer = await service.client.options(UPLOADS)
    assert answer.status_code == 204
    assert answer.headers["tus-version"] == "1.0.0"
    assert set(answer.headers["tus-extension"].split(",")) == {"creation", "expiration", "termination"}
    assert answer.headers["tus-max-size"] == str(4 * 1024**3)
    other = await service.post(UPLOADS, headers={**announced(PACKAGE), "Tus-Resumable": "2.0.0"})
    assert (other.status_code, other.headers["tus-version"]) == (412, "1.0.0")


HOSTILE_LENGTHS = ["", "-1", "0", "1e3", "0x10", "1_000", "9" * 400, "٣", "1.5", "NaN"]


@together
@pytest.mark.parametrize("length", HOSTILE_LENGTHS)
async def test_hostile_lengths(shared: Service, length: str) -> None:
    answer = await shared.post(UPLOADS, headers=[(b"Upload-Length", length.encode())])
    assert answer.status_code == 400
    assert not list((shared.home / "spool" / "open").iterdir())


async def test_too_large_or_of_another_archive_is_not_begun(service: Service) -> None:
    answer = await service.post(UPLOADS, headers={"Upload-Length": str(4 * 1024**3 + 1)})
    assert answer.status_code == 413
    assert "HELTIG_UPLOAD_MAX_SIZE" in answer.json()["detail"]
    unknown = await service.post(UPLOADS, headers=announced(PACKAGE), params={"target": "none"})
    assert unknown.status_code == 404
    for metadata in ("sha256", "sha256 !", f"sha256 {b64encode(b'g' * 64).decode()}"):
        wrong = {"Upload-Length": "5", "Upload-Metadata": metadata}
        assert (await service.post(UPLOADS, headers=wrong)).status_code == 400


async def test_hostile_offsets_and_bodies_change_nothing(service: Service) -> None:
    place = await begin(service)
    await add(service, place, 0, PACKAGE[:50])
    for wrong, status in (("0", 409), ("49", 409), ("51", 409), (str(2**53), 409), ("-1", 400), ("x", 400)):
        assert (await add(service, place, 50, b"zz", **{"Upload-Offset": wrong})).status_code == status
    assert (await add(service, place, 50, b"zz", **{"Content-Type": "text/plain"})).status_code == 415
    too_much = await add(service, place, 50, PACKAGE[50:] + b"zz")
    assert too_much.status_code == 400
    assert await offset(service, place) == 50
    assert (await add(service, place, 50, PACKAGE[50:])).status_code == 204


@together
@pytest.mark.parametrize("id", ["..", "%2e%2e%2fx", "0" * 32, "0" * 31, "A" * 32, "x" * 5000])
async def test_ids_that_are_none(shared: Service, id: str) -> None:
    for method in ("HEAD", "GET", "DELETE"):
        assert (await shared.client.request(method, f"{UPLOADS}/{id}")).status_code in (404, 405)
    assert (await add(shared, f"{UPLOADS}/{id}", 0, b"x")).status_code in (404, 405)


async def test_others_do_not_see_it(guarded: Service) -> None:
    mine, other = await guarded.key("qa_operator", name="a"), await guarded.key("qa_operator", name="b")
    reader = await guarded.key("reader", name="c")
    place = await begin(guarded, headers=mine)
    for method in ("HEAD", "GET", "DELETE"):
        assert (await guarded.client.request(method, place, headers=other)).status_code == 404
        assert (await guarded.client.request(method, place, headers=reader)).status_code == 403
    assert (await add(guarded, place, 0, PACKAGE, **other)).status_code == 404
    its_own = await begin(guarded, headers=other)
    assert its_own != place
    assert (await add(guarded, its_own, 0, PACKAGE, **other)).status_code == 204
    assert await offset(guarded, place, **mine) == 0


async def test_what_is_refused_stays_refused(service: Service) -> None:
    for package, digest, status in (
        (b"PK no ZIP at all", None, 422),
        (PACKAGE, sha256(b"other").hexdigest(), 422),
    ):
        headers = announced(package, digest=digest)
        place = (await service.post(UPLOADS, headers=headers)).headers["location"]
        refused = await add(service, place, 0, package)
        assert refused.status_code == status
        assert (await service.get(place)).json() == refused.json()
        assert (await add(service, place, len(package), b"")).status_code == status
        anew = await service.post(UPLOADS, headers=headers)
        assert anew.headers["upload-offset"] == "0"


async def test_a_removed_one_is_gone(service: Service) -> None:
    place = await begin(service)
    await add(service, place, 0, PACKAGE[:50])
    assert (await service.client.delete(place)).status_code == 204
    assert (await service.client.head(place)).status_code == 404
    assert service.spooled() == []


async def test_nothing_for_a_day_and_it_is_gone(service: Service) -> None:
    place = await begin(service)
    await add(service, place, 0, PACKAGE[:50])
    (folder,) = (service.home / "spool" / "open").iterdir()
    long_ago = (folder / "offset").stat().st_mtime - KEPT.total_seconds()
    os.utime(folder / "offset", (long_ago, long_ago))
    assert (await service.client.head(place)).status_code == 404
    assert await offset(service, await begin(service)) == 0
    (folder,) = (service.home / "spool" / "open").iterdir()
    os.utime(folder / "offset", (long_ago, long_ago))
    await service.services.resuming.sweep()
    assert service.spooled() == []


async def test_limits_of_what_is_open(tmp_path: Path) -> None:
    limits = {"upload_open_most": 3, "upload_open_most_each": 2, "upload_open_size_each": Size(5000)}
    async with in_one_task(running(tmp_path / "home", auth_mode="api-key", **limits)) as service:
        one, two, three = [await service.key("qa_operator", name=name) for name in "abc"]

        async def begun(key: dict[str, str], length: int) -> httpx.Response:
            return await service.post(UPLOADS, headers={"Upload-Length": str(length), **key})

        first = await begun(one, 4000)
        assert first.status_code == 201
        over = await begun(one, 1001)
        assert (over.status_code, over.json()["type"]) == (503, "/problems/busy")
        assert over.headers["retry-after"] == "60"
        assert (await begun(one, 1000)).status_code == 201
        assert (await begun(one, 1)).status_code == 503
        assert (await begun(two, 9000)).status_code == 201  # a single one may be as large as uploads may be
        assert (await begun(three, 1)).status_code == 503
        assert (await service.client.delete(first.headers["location"], headers=one)).status_code == 204
        assert (await begun(three, 1)).status_code == 201


async def broken(content: bytes) -> AsyncIterator[bytes]:
    yield content
    raise ConnectionResetError


async def test_what_came_before_a_break_counts(service: Service) -> None:
    place = await begin(service)
    await add(service, place, 0, broken(PACKAGE[:70]))
    assert await offset(service, place) == 70
    await add(service, place, 70, PACKAGE[70:])
    assert (await service.get(place, params={"wait": 60})).json()["readiness"] == "READY"


async def test_the_later_of_two_requests_goes_on(service: Service) -> None:
    place = await begin(service)
    began, never = asyncio.Event(), asyncio.Event()

    async def stuck() -> AsyncIterator[bytes]:
        yield PACKAGE[:70]
        began.set()
        await never.wait()

    id = place.rpartition("/")[2]
    desk, sender = service.services.resuming, Sender("local", "")
    first = asyncio.create_task(desk.append(id, stuck(), offset=0, sender=sender))
    await began.wait()
    second = await add(service, place, 0, PACKAGE)
    assert second.status_code == 409
    with pytest.raises(ConflictError):
        await first
    assert await offset(service, place) == 70
    assert (await add(service, place, 70, PACKAGE[70:])).status_code == 204


async def test_all_at_once_become_one_job(service: Service) -> None:
    places = await asyncio.gather(*(begin(service) for _ in range(8)))
    assert len(set(places)) == 1
    answers = await asyncio.gather(*(add(service, places[0], 0, PACKAGE) for _ in range(8)))
    assert {answer.status_code for answer in answers} <= {204, 409}
    while (at := await offset(service, places[0])) < len(PACKAGE):
        await add(service, places[0], at, PACKAGE[at:])
    assert len(await service.audit("upload.accept")) == 1


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.lists(st.integers(0, len(PACKAGE)), max_size=6), data=st.data())
async def test_any_pieces_give_the_same_bytes(service: Service, cuts: list[int], data: st.DataObject) -> None:
    content = PACKAGE[: data.draw(st.integers(1, len(PACKAGE) - 1))]  # no ZIP: it is not judged
    headers = {"Upload-Length": str(len(content))}
    place = (await service.post(UPLOADS, headers=headers)).headers["location"]
    at = 0
    for cut in sorted(min(cut, len(content) - 1) for cut in cuts):
        assert (await add(service, place, at, content[at:cut])).headers["upload-offset"] == str(cut)
        at = cut
    folder = service.home / "spool" / "open" / place.rpartition("/")[2]
    assert (folder / "bytes").read_bytes() == content[:at]
    assert (await service.client.delete(place)).status_code == 204


async def left_whole(service: Service) -> str:
    """An upload of which all is on disk, and whose server was killed before it made a job of it."""
    place = await begin(service)
    writer = Writer(service.home / "spool" / "open" / place.rpartition("/")[2])
    writer.write(PACKAGE)
    writer.sync()
    writer.close()
    return place


async def test_whoever_is_told_that_all_is_here_has_sent_it(service: Service) -> None:
    place = await left_whole(service)
    assert await offset(service, place) == len(PACKAGE)
    became = (await service.get(place, params={"wait": 60})).json()
    assert (became["job"]["state"], len(became["studies"])) == ("succeeded", 1)


async def test_one_that_is_begun_again_is_sent_too(service: Service) -> None:
    place = await left_whole(service)
    assert await begin(service) == place
    assert (await service.get(place, params={"wait": 60})).json()["upload"]


async def test_what_was_left_whole_is_judged_though_nobody_asks(service: Service) -> None:
    place = await left_whole(service)
    await service.services.resuming.sweep()
    assert (await service.get(place, params={"wait": 60})).json()["job"]["state"] == "succeeded"
    assert not list((service.home / "spool" / "open").iterdir())
