"""Associations to an archive that objects are sent on, kept open for a moment for what goes the same way."""

import threading
import time
from collections.abc import Collection
from typing import Final, TypeAlias

from pynetdicom import AE, build_context, evt
from pynetdicom.association import Association
from pynetdicom.presentation import PresentationContext

from connectors.dimse.library import MAXIMUM_PDU, hasten, take_turns
from connectors.dimse.part10 import IMPLEMENTATION_CLASS, IMPLEMENTATION_VERSION
from connectors.dimse.target import Target
from heltig.errors import ArchiveUnavailableError

Context: TypeAlias = tuple[str, str]
"""A SOP Class and one transfer syntax: of several in a presentation context the archive would choose."""

IDLE_SECONDS: Final = 5.0
"""An association that nothing goes on is ended after so long: archives have few, and end idle ones, too."""

MOST_IDS: Final = 65_535
"""A Message ID has two bytes (PS3.7 9.1.1.1)."""

SILENCE_SECONDS: Final = 30.0
"""How long an archive may be silent in the middle of a PDU."""


class Way:
    """An association that is open.

    Attributes:
        association: The library's.
        contexts: What it was opened for, accepted or not.
        is_kept: Something was sent on it before: the archive may have ended it meanwhile.
    """

    def __init__(self, association: Association, contexts: Collection[Context]) -> None:
        self.association = association
        self.contexts = frozenset(contexts)
        self.is_kept = False
        self.last_used = 0.0
        self._messages = 0

    @property
    def is_open(self) -> bool:
        """Whether more can be sent on it."""
        return bool(self.association.is_established)

    def next_message(self) -> int:
        """A Message ID that no message has that is not answered yet."""
        self._messages = self._messages % MOST_IDS + 1
        return self._messages

    def accepted(self, context: Context) -> PresentationContext | None:
        """The presentation context for a class in a transfer syntax."""
        for one in self.association.accepted_contexts:
            if (str(one.abstract_syntax), str(one.transfer_syntax[0])) == context:
                return one
        return None

    def end(self) -> None:
        """Releases it. It waits for the archive."""
        if self.association.is_established:
            self.association.release()
        elif self.association.is_alive():
            self.association.abort()


class Associations:
    """Those to one archive. Used by several threads; close it in the end."""

    def __init__(self, target: Target, *, idle_seconds: float = IDLE_SECONDS) -> None:
        """Makes it; nothing is opened yet.

        Args:
            target: The archive.
            idle_seconds: How long one is kept that nothing goes on.
        """
        self._target = target
        self._idle_seconds = idle_seconds
        self._idle: list[Way] = []
        self._lock = threading.Lock()
        self._is_watched = False
        self._closed = threading.Event()

    def take(self, contexts: Collection[Context]) -> Way:
        """An association for some contexts, one that is open already where there is such; `give_back` it.

        Raises:
            ArchiveUnavailableError: The archive takes none.
        """
        with self._lock:
            for way in self._idle:
                if way.is_open and way.contexts.issuperset(contexts):
                    self._idle.remove(way)
                    return way
        return self.open(contexts)

    def open(self, contexts: Collection[Context]) -> Way:
        """A new one for some contexts, `MOST_CONTEXTS` at most.

        Raises:
            ArchiveUnavailableError: The archive takes none.
        """
        return Way(_associate(self._target, sorted(contexts)), contexts)

    def give_back(self, way: Way) -> None:
        """Keeps an association for a moment; one that is not open any more is ended."""
        way.is_kept, way.last_used = True, time.monotonic()
        with self._lock:
            is_kept = way.is_open and not self._closed.is_set()
            if is_kept:
                self._idle.append(way)
                if not self._is_watched:
                    self._is_watched = True
                    threading.Thread(target=self._watch, daemon=True).start()
        if not is_kept:
            way.end()

    def close(self) -> None:
        """Ends all that nothing goes on; the others are ended when they are given back. It waits."""
        self._closed.set()
        for way in self._expired():
            way.end()

    def _watch(self) -> None:
        """Ends those that are idle for too long, until there is none."""
        is_watched = True
        while is_watched:
            self._closed.wait(self._idle_seconds / 4)
            for way in self._expired():
                way.end()
            with self._lock:
                is_watched = self._is_watched = bool(self._idle)

    def _expired(self) -> list[Way]:
        before = float("inf") if self._closed.is_set() else time.monotonic() - self._idle_seconds
        with self._lock:
            expired = [way for way in self._idle if way.last_used < before or not way.is_open]
            self._idle = [way for way in self._idle if way not in expired]
        return expired


def _associate(target: Target, contexts: Collection[Context]) -> Association:
    entity = AE(target.calling)
    entity.implementation_class_uid = IMPLEMENTATION_CLASS
    entity.implementation_version_name = IMPLEMENTATION_VERSION
    entity.connection_timeout = entity.acse_timeout = target.connect_seconds
    entity.dimse_timeout = entity.network_timeout = target.answer_seconds
    place = f"dicom://{target.host}:{target.port}/{target.called}"
    try:
        association = entity.associate(
            target.host,
            target.port,
            contexts=[build_context(sop_class, syntax) for sop_class, syntax in contexts],
            ae_title=target.called,
            max_pdu=MAXIMUM_PDU,
            tls_args=(target.tls, target.host) if target.tls else None,
            evt_handlers=[(evt.EVT_CONN_OPEN, _set_up)],
        )
    except OSError as error:  # a name without an address
        away = ArchiveUnavailableError(f"{place}: {error.strerror or 'no such host'}.")
        raise away.having_done_nothing() from error
    if association.is_established or association.rejected_contexts:
        return association
    silent = "does not answer, or TLS fails (caBundle, certificate, key)" if target.tls else "does not answer"
    said = "rejects our association" if association.is_rejected else silent
    refused = ArchiveUnavailableError(f"{place}: it {said}. Does it know us as {target.calling}?")
    raise refused.having_done_nothing()


def _set_up(event: evt.Event) -> None:
    hasten(event.assoc, silence=SILENCE_SECONDS)
    take_turns(event.assoc)
