"""What an archive's answer says: its status as an error, when to ask again, its body decompressed."""

import zlib
from collections.abc import Iterator, Mapping
from email.utils import parsedate_to_datetime
from typing import Final

import msgspec

from heltig.errors import (
    ArchiveAccessError,
    ArchiveAnswerError,
    ArchiveBusyError,
    ArchiveCredentialsError,
    ArchiveError,
    ArchiveNotFoundError,
    ArchiveRateLimitedError,
    ArchiveUnavailableError,
)

NOT_JSON: Final = (msgspec.DecodeError, RecursionError)
"""What reading a body as JSON raises that is none, or is nested deeper than anything sensible."""

MOST_RETRY_AFTER: Final = 7 * 24 * 3600.0
"""Seconds; who asks to be left alone for longer is asked again after a week."""

_DID_NOTHING: Final = frozenset({401, 403, 404, 405, 410, 429, 501, 503, 507})
"""An archive that answers so, or by a redirect, took nothing of what it was sent."""

LONGEST_WAIT: Final = 3600.0
"""Seconds after which a job asks again at the latest (`heltig.store.waiting.LONGEST_WAIT`)."""

_MENDED = "Try again; where it stays, have the archive or a proxy before it mended."

# The most that one step of decompression hands out: a kilobyte of gzip may hold a megabyte.
PIECE_BYTES = 1024 * 1024


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """The head of an answer.

    Attributes:
        status: 200, 204 …
        headers: By name, in upper or lower case.
        place: What was asked, for messages: the URL without its query.
    """

    status: int
    headers: Mapping[str, str]
    place: str

    @property
    def media_type(self) -> str:
        """Lower case, without parameters; empty where the archive does not say."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def retry_after(self) -> float | None:
        """Seconds from Retry-After (RFC 9110, 10.2.3), `MOST_RETRY_AFTER` at most.

        A date counts from the answer's own Date.
        """
        given = self.headers.get("retry-after", "").strip()
        if given.isascii() and given.isdigit():
            return min(float(given), MOST_RETRY_AFTER)
        try:
            then, now = (parsedate_to_datetime(text) for text in (given, self.headers.get("date", "")))
            return min(max(0.0, (then - now).total_seconds()), MOST_RETRY_AFTER)
        except (ValueError, TypeError, OverflowError):  # no date, or only one of the two has a time zone
            return None

    def error(self) -> ArchiveError:
        """What a status other than 2xx means, and what to do about it."""
        error = self._error()
        is_refusal = self.status in _DID_NOTHING or 300 <= self.status < 400
        return error.having_done_nothing() if is_refusal else error

    def _error(self) -> ArchiveError:
        text = f"{self.place}: the archive answers {self.status}"
        later = "Try again later"
        if self.retry_after:
            later = f"It asks to be left alone for {self.retry_after:,.0f} s: try again after that"
            if self.retry_after > LONGEST_WAIT:
                later += ". Jobs ask again within an hour"
        match self.status:
            case 401:
                return ArchiveCredentialsError(f"{text}. Check its credentials.")
            case 403:
                return ArchiveAccessError(f"{text}. Check its credentials and what they allow.")
            case 404 | 410:
                return ArchiveNotFoundError(f"{text}: it does not have this, or not at this address.")
            case 429:
                return ArchiveRateLimitedError(
                    f"{text}: we ask too often. {later}.", retry_after=self.retry_after
                )
            case 408 | 502 | 503 | 504:
                return ArchiveBusyError(f"{text}: not now. {later}.", retry_after=self.retry_after)
            case 301 | 302 | 303 | 307 | 308:
                advice = (
                    "a redirect, perhaps to log in. Check credentials, or give the address that it leads to"
                )
                return ArchiveAnswerError(f"{text}, {advice}.", answer_status=self.status)
            case status if status >= 500:
                advice = "an error of its own. Try again later; where it stays, the archive's log says why"
                return ArchiveAnswerError(f"{text}, {advice}.", answer_status=self.status)
            case _:
                advice = "it refuses the request. Check its address; where that is right, its log says why"
                return ArchiveAnswerError(f"{text}: {advice}.", answer_status=self.status)


class Decompression:
    """Turns received bytes into pieces of the body, each of limited size.

    Not left to the HTTP library, which inflates whatever comes in one go, in any coding and any number of
    layers: a few kilobytes might become gigabytes before anybody could count them.

    Raises:
        ArchiveAnswerError: The answer has a coding that we did not ask for.
    """

    def __init__(self, head: Head) -> None:
        self._place = head.place
        coding = head.headers.get("content-encoding", "identity").strip().lower()
        if coding not in ("identity", "gzip", "x-gzip"):
            raise ArchiveAnswerError(
                f"{head.place}: the answer is neither plain nor in gzip, as we asked. {_MENDED}"
            )
        self._is_gzip = coding != "identity"
        self._inflater = _gzip_inflater()
        self._has_begun = False

    def feed(self, received: bytes) -> Iterator[bytes]:
        """Yields the pieces that these bytes complete.

        Raises:
            ArchiveAnswerError: They are not what they say they are.
        """
        self._has_begun = True
        if not self._is_gzip:
            yield received
            return
        is_drained = False
        while received or not is_drained:
            if self._inflater.eof:
                if not received:
                    return
                self._inflater = _gzip_inflater()  # streams may follow one another (RFC 1952, 2.2)
            try:
                piece = self._inflater.decompress(received, PIECE_BYTES)
            except zlib.error as wrong:
                raise ArchiveAnswerError(
                    f"{self._place}: the answer says it is gzip, and is not. {_MENDED}"
                ) from wrong
            if piece:
                yield piece
            # All input may be taken in while output still waits for room.
            is_drained = len(piece) < PIECE_BYTES
            received = self._inflater.unused_data if self._inflater.eof else self._inflater.unconsumed_tail

    def close(self) -> None:
        """Says that nothing more comes.

        Raises:
            ArchiveUnavailableError: More should have come.
        """
        if self._is_gzip and self._has_begun and not self._inflater.eof:
            raise ArchiveUnavailableError(
                f"{self._place}: the answer breaks off inside its gzip stream. {_MENDED}"
            )


def _gzip_inflater() -> "zlib._Decompress":
    return zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
