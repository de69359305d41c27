"""Uploads: the same again is the first one, unless that failed or was purged."""

from datetime import timedelta

import pytest
from unit.store.samples import NOW, PROFILE, sha

from heltig.errors import StorageError
from heltig.store import claims, jobs, leases, uploads
from heltig.store.engine import Store
from heltig.store.jobs import NewJob
from heltig.store.transaction import WriteTransaction
from heltig.store.uploads import Upload

DIGEST = sha("bytes")


def accept(transaction: WriteTransaction, name: str = "u1", target: str = "") -> Upload:
    job, _ = jobs.enqueue(transaction, NewJob(kind="judge-upload", payload={"upload": name}), now=NOW)
    upload = Upload(
        name=name,
        digest=DIGEST,
        profile_hash=PROFILE.hash,
        target=target,
        job=job,
        size=2**40,
        received=NOW,
    )
    uploads.add(transaction, upload)
    return upload


async def same(store: Store, **other: str) -> Upload | None:
    asked = {"digest": DIGEST, "profile_hash": PROFILE.hash, "target": ""} | other
    return await store.read(uploads.find_same, **asked)  # type: ignore[arg-type]


async def test_an_upload_comes_out_as_it_went_in(store: Store) -> None:
    upload = await store.write(accept)
    assert await store.read(uploads.find, "u1") == upload
    assert await store.read(uploads.find, "u2") is None


async def test_the_same_bytes_profile_and_target_are_the_same_upload(store: Store) -> None:
    first = await store.write(accept)
    elsewhere = await store.write(accept, "u2", "main")
    assert await same(store) == first
    assert await same(store, target="main") == elsewhere
    assert await same(store, target="other") is None
    assert await same(store, digest=sha("others")) is None
    assert await same(store, profile_hash=sha("others")) is None


@pytest.mark.parametrize("state", ["succeeded", "failed", "dead", "cancelled"])
async def test_an_upload_that_failed_can_be_sent_again(store: Store, state: str) -> None:
    upload = await store.write(accept)
    until = NOW + timedelta(minutes=1)
    await store.write(claims.claim, kinds=["judge-upload"], owner="me", now=NOW, until=until)
    if state == "succeeded":
        await store.write(leases.succeed, upload.job, owner="me", result=None, now=NOW)
    elif state == "cancelled":
        await store.write(jobs.cancel, upload.job, now=NOW)
    else:
        await store.write(
            leases.give_up,
            upload.job,
            owner="me",
            state=state,  # type: ignore[arg-type]
            error="no",
            now=NOW,
        )
    assert await same(store) == (upload if state == "succeeded" else None)


async def test_an_upload_that_was_purged_can_be_sent_again(store: Store) -> None:
    await store.write(accept)
    await store.write(uploads.mark_purged, "u1", at=NOW)
    assert await same(store) is None
    second = await store.write(accept, "u2")
    assert await same(store) == second
    purged = await store.read(uploads.find, "u1")
    assert purged is not None
    assert purged.purged == NOW


async def test_an_upload_needs_its_job(store: Store) -> None:
    upload = Upload(
        name="u", digest=DIGEST, profile_hash=PROFILE.hash, target="", job=4711, size=1, received=NOW
    )
    with pytest.raises(StorageError, match=r"FOREIGN KEY|foreign key"):
        await store.write(uploads.add, upload)
