import asyncio
import hashlib
import os
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from heltig.errors import InputTooLargeError, StorageError
from heltig.pipeline.upload.spool import ABANDONED, Spool
from heltig.setting_types import Size

LIMIT = Size(3 * 1024 * 1024)


async def chunks(*parts: bytes, error: Exception | None = None) -> AsyncIterator[bytes]:
    for part in parts:
        yield part
    if error:
        raise error


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool")


def files(spool: Spool) -> list[Path]:
    return [path for path in spool.incoming.parent.rglob("*") if path.is_file()]


async def test_a_file_is_kept_as_it_came(spool: Spool) -> None:
    content = os.urandom(2_500_000)
    received = await spool.receive(
        chunks(content[:100], b"", content[100:2_000_000], content[2_000_000:]), limit=LIMIT
    )
    assert (received.digest, received.size) == (hashlib.sha256(content).hexdigest(), len(content))
    kept = await spool.keep(received, "u1")
    assert kept == spool.of_upload("u1")
    assert kept.read_bytes() == content
    assert files(spool) == [kept]
    if os.name == "posix":
        assert stat.S_IMODE(kept.stat().st_mode) == 0o600
        assert stat.S_IMODE(kept.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize("error", [ConnectionResetError(), asyncio.CancelledError(), RuntimeError()])
async def test_what_breaks_off_leaves_nothing(spool: Spool, error: Exception) -> None:
    expected = StorageError if isinstance(error, OSError) else type(error)
    with pytest.raises(expected):
        await spool.receive(chunks(b"x" * 100, error=error), limit=LIMIT)
    assert files(spool) == []


async def test_what_is_too_large_leaves_nothing(spool: Spool) -> None:
    with pytest.raises(InputTooLargeError, match="HELTIG_UPLOAD_MAX_SIZE"):
        await spool.receive(chunks(*[bytes(1024 * 1024)] * 4), limit=LIMIT)
    assert files(spool) == []
    assert (await spool.receive(chunks(*[bytes(1024 * 1024)] * 3), limit=LIMIT)).size == LIMIT


async def test_what_a_killed_process_left_goes_after_an_hour(spool: Spool) -> None:
    old, new = spool.incoming / "old.part", spool.incoming / "new.part"
    scratch = spool.scratch / "examine-1"
    scratch.mkdir()
    for path in (old, new, scratch / "inner.zip"):
        path.write_bytes(b"x")
    long_ago = old.stat().st_mtime - ABANDONED.total_seconds() - 1
    os.utime(old, (long_ago, long_ago))
    os.utime(scratch, (long_ago, long_ago))
    spool.remove_abandoned()
    assert files(spool) == [new]
    assert not scratch.exists()
