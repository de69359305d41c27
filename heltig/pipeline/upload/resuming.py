"""Takes uploads in several requests, whatever breaks off between them; the last byte makes a job of them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Final

from heltig.errors import (
    ConflictError,
    HeltigError,
    InputError,
    InputTooLargeError,
    NotFoundError,
    UnreadableInputError,
    UsageError,
)
from heltig.pipeline.upload.open_uploads import (
    Announced,
    End,
    OpenUpload,
    OpenUploads,
    Writer,
    digest_of,
    id_of,
    storing,
)
from heltig.pipeline.upload.spool import Spool
from heltig.pipeline.upload.uploads import Sender, UploadDesk
from heltig.setting_types import Size
from heltig.settings import Settings

SYNCED: Final = Size(16 * 1024**2)
"""How much is written until it is brought to disk, and the offset grows."""

SILENCE: Final = timedelta(seconds=60)
"""How long a request may bring nothing until it is ended; the upload stays."""

_FOREVER: Final = 36_500  # days
_AT_ONCE: Final = 1024 * 1024  # bytes: one change of threads for each


class _Turn:
    """A request that has an upload for itself, until another one wants it."""

    def __init__(self) -> None:
        self.ended = asyncio.Event()
        self._is_over = False
        self._waiting: asyncio.Timeout | None = None

    def give_up(self) -> None:
        """Ends the request at the next piece; what came before counts."""
        self._is_over = True
        if self._waiting is not None:
            self._waiting.reschedule(asyncio.get_running_loop().time())

    async def pieces(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """What a request brings.

        Raises:
            ConflictError: Another request came, or nothing for too long.
        """
        while not self._is_over:
            try:
                async with asyncio.timeout(SILENCE.total_seconds()) as self._waiting:
                    piece = await anext(chunks, None)
            except TimeoutError:
                break
            finally:
                self._waiting = None
            if piece is None:
                return
            yield piece
        raise ConflictError(
            "Another request for this upload came, or this one brought nothing any more. "
            "Ask for the offset and go on there."
        )


class ResumingDesk:
    """Uploads that are begun, added to, and in the end taken by the `UploadDesk`."""

    def __init__(self, uploads: UploadDesk, spool: Spool, *, settings: Settings) -> None:
        self._uploads = uploads
        self._spool = spool
        kept = timedelta(days=settings.keep_staging or _FOREVER)
        self._open = OpenUploads(spool.incoming.parent, kept=kept)
        self._settings = settings
        self._beginning = asyncio.Lock()
        self._turns: dict[str, _Turn] = {}

    async def begin(self, announced: Announced) -> OpenUpload:
        """Opens an upload, or finds the one that its owner has begun or sent before, by its SHA-256.

        Raises:
            InputTooLargeError: It is over the limit.
            UsageError: There is nothing in it.
            NotFoundError: There is no such archive.
            BusyError: Too much is open.
            StorageError: The disk has no room, or fails.
        """
        most = self._settings.upload_max_size
        if announced.length > most:
            raise InputTooLargeError(
                f"The ZIP is larger than {most} (HELTIG_UPLOAD_MAX_SIZE). Send less at a time."
            )
        if announced.length <= 0:
            raise UsageError("No ZIP has no bytes.")
        await self._uploads.see_target(announced.target)
        async with self._beginning:
            id = id_of(announced)
            found = await asyncio.to_thread(self._open.find, id)
            if found is not None and (found.end is None or await self._still_counts(found.end)):
                return await self._ended_if_whole(found)
            await asyncio.to_thread(self._open.remove, id)
            await asyncio.to_thread(self._open.begin, id, announced, limits=self._settings)
        return await self.find(id, owner=announced.owner)

    async def find(self, id: str, *, owner: str) -> OpenUpload:
        """An upload of an owner.

        Raises:
            NotFoundError: There is none, or it is somebody else's.
            StorageError: All of it is here, and the disk or the database fails.
        """
        return await self._ended_if_whole(await self._of(id, owner))

    async def _of(self, id: str, owner: str) -> OpenUpload:
        found = await asyncio.to_thread(self._open.find, id)
        if found is None or found.announced.owner != owner:
            raise NotFoundError("There is no such upload of yours, or not any more. Begin it again.")
        return found

    async def _ended_if_whole(self, found: OpenUpload) -> OpenUpload:
        """Ends an upload of which all came, where whoever took the last byte was killed before that.

        Else its sender would be told that all is here, and go, and nothing would ever come of it.
        """
        if found.end is not None or found.offset < found.announced.length:
            return found
        await self._end(found)
        return await self._of(found.id, found.announced.owner)

    async def _end(self, whole: OpenUpload) -> None:
        async with self._turn(whole.id):
            now = await asyncio.to_thread(self._open.find, whole.id)
            if now is None or now.end is None:
                await self._finish(whole, Sender(whole.announced.owner, ""))

    async def append(
        self, id: str, chunks: AsyncIterator[bytes], *, offset: int, sender: Sender
    ) -> OpenUpload:
        """Adds to an upload; with its last byte it is judged like any other. What came stays, come what may.

        Another request that is still adding to it is ended: its sender has given it up.

        Args:
            id: Of the upload.
            chunks: The bytes.
            offset: Where they go, which is where the upload ends now.
            sender: Who sends them, and owns it.

        Raises:
            NotFoundError: There is no such upload of theirs.
            ConflictError: It ends elsewhere.
            UsageError: There is more than was announced.
            InputError: It is whole, and is refused; or it was before.
            StorageError: The disk or the database fails; the upload stays.
        """
        await self._of(id, sender.name)
        async with self._turn(id) as turn:
            found = await self._of(id, sender.name)
            if offset != found.offset:
                raise ConflictError(f"This upload ends at {found.offset}, not {offset}. Go on there.")
            if found.end is None:
                length = found.announced.length
                if await self._write(id, turn.pieces(chunks), length=length) == length:
                    await self._finish(found, sender)
                found = await self._of(id, sender.name)
        if found.end is not None and found.end.status:
            raise refusal(found.end)
        return found

    async def remove(self, id: str, *, owner: str) -> None:
        """Forgets an upload of an owner; a job that was made of it goes on.

        Raises:
            NotFoundError: There is none, or it is somebody else's.
        """
        await self._of(id, owner)
        async with self._turn(id):
            await asyncio.to_thread(self._open.remove, id)

    async def sweep(self) -> None:
        """Ends what is whole and was left by a process that was killed; removes what nobody goes on with."""
        for one in await asyncio.to_thread(self._open.whole):
            if one.id not in self._turns:
                await self._end(one)
        await asyncio.to_thread(self._open.sweep)

    @asynccontextmanager
    async def _turn(self, id: str) -> AsyncIterator[_Turn]:
        """Waits until no other request has an upload, which it tells to end."""
        while (before := self._turns.get(id)) is not None:
            before.give_up()
            await before.ended.wait()
        turn = self._turns[id] = _Turn()
        try:
            yield turn
        finally:
            del self._turns[id]
            turn.ended.set()

    async def _write(self, id: str, pieces: AsyncIterator[bytes], *, length: int) -> int:
        """Writes what comes; returns where the upload ends then. Whatever is raised, what came is on disk."""
        writer = await asyncio.to_thread(Writer, self._open.folder(id))
        try:
            await _copy(pieces, writer, length=length)
        finally:
            try:
                await asyncio.shield(asyncio.to_thread(writer.sync))
            finally:
                writer.close()
        return writer.offset

    async def _finish(self, whole: OpenUpload, sender: Sender) -> None:
        announced = whole.announced
        folder = self._open.folder(whole.id)
        try:
            with storing():
                digest = await asyncio.to_thread(digest_of, folder)
            if announced.digest and digest != announced.digest:
                raise UnreadableInputError(
                    "These are not the bytes whose SHA-256 was announced. Send them again."
                )
            with storing():
                spooled = await asyncio.to_thread(self._spool.link, folder / "bytes", digest=digest)
            accepted = await self._uploads.accept(spooled, target=announced.target, sender=sender)
            end = End(announced=announced, upload=accepted.upload.name, is_repeat=accepted.is_repeat)
        except (InputError, NotFoundError) as error:
            end = End(announced=announced, status=error.status, detail=error.detail)
        with storing():
            await asyncio.to_thread(self._open.end, whole.id, end)

    async def _still_counts(self, end: End) -> bool:
        """Whether sending the same again would only lead to what it became."""
        if not end.upload:
            return False
        same = await self._uploads.same(end.announced.digest, end.announced.target)
        return same is not None and same.name == end.upload


async def _copy(pieces: AsyncIterator[bytes], writer: Writer, *, length: int) -> None:
    waiting = bytearray()
    synced = writer.offset

    async def write() -> None:
        nonlocal synced
        data = bytes(waiting)
        waiting.clear()
        await asyncio.to_thread(writer.write, data)
        if writer.offset - synced >= SYNCED:
            await asyncio.to_thread(writer.sync)
            synced = writer.offset

    try:
        async for piece in pieces:
            if writer.offset + len(waiting) + len(piece) > length:
                raise UsageError(f"There is more than the {length} bytes that were announced.")
            waiting += piece
            if len(waiting) >= _AT_ONCE:
                await write()
    finally:
        if waiting:
            await write()


def refusal(end: End) -> HeltigError:
    """Why an upload was refused, said once more."""
    kinds: dict[int, type[HeltigError]] = {404: NotFoundError, 413: InputTooLargeError}
    return kinds.get(end.status, InputError)(end.detail)
