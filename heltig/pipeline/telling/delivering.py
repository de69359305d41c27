"""Tells receivers what they are to be told: the handler of webhooks' jobs, and what bounds their queues."""

import asyncio
import re
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from heltig import audit
from heltig.errors import HeltigError
from heltig.http_client import Client
from heltig.http_notice import ReceiverError, Taken, notify, receiver
from heltig.jobs.attempt import JobContext
from heltig.jobs.retries import NotNowError, Retries
from heltig.pipeline.telling.alert_view import alert_view
from heltig.pipeline.telling.change_view import ChangeView, view_of
from heltig.pipeline.telling.signing import signature
from heltig.secret import read_secret
from heltig.store import alerts, changes, deliveries, webhooks
from heltig.store.deliveries import KIND, Payload
from heltig.store.engine import Store
from heltig.store.transaction import ReadTransaction, WriteTransaction
from heltig.store.webhooks import Webhook
from heltig.tls import Tls

RETRIES: Final = Retries(first=timedelta(seconds=30), longest=timedelta(hours=1), attempts=31)
"""Of deliveries: attempts for a day. No job waits for longer than an hour."""

GIVEN_UP: Final = timedelta(days=1)
"""How long a delivery waits for a receiver that takes nothing, or is paused."""

PLACES: Final = 8
"""Deliveries at a time of one process, beside its other jobs."""

KEPT: Final = 1000
"""Deliveries of each webhook that are remembered when they were made, the newest."""

KEPT_DEAD: Final = timedelta(days=30)
"""How long dead ones wait for a person."""

GONE: Final = 410

_NAMEABLE: Final = re.compile(r"[0-9.]{1,64}|no-uid-[0-9a-z~-]{1,100}")
"""What can be nothing of a patient: a broken study may have anything where its UID should be."""


class DeliveryDesk:
    """Makes deliveries. It keeps a client for each receiver, so that connections are used again."""

    def __init__(self, store: Store, *, clock: Callable[[], datetime], environ: Mapping[str, str]) -> None:
        """Makes it; close it.

        Args:
            store: Where webhooks are.
            clock: The time.
            environ: Where `env:` secrets lie.
        """
        self._store = store
        self._clock = clock
        self._environ = environ
        self._clients: dict[int, tuple[tuple[str, str | None], Client]] = {}
        self._making = asyncio.Lock()

    async def run(self, context: JobContext) -> dict[str, Any]:
        """Handles a job of `KIND`.

        Raises:
            ReceiverError: It was not taken; trying again makes sense.
            ConfigurationError: A secret or the authorities cannot be read; likewise.
            NotNowError: The receiver is paused, or asked to be left alone.
            StorageError: The database failed.
        """
        payload = msgspec.convert(context.payload, Payload)
        found = await self._store.read(_read, payload)
        if found is None:
            return {"outcome": "nothing"}  # the webhook was removed, or what was to be told is forgotten
        webhook, body = found
        now = self._clock()
        if webhook.paused:
            raise NotNowError(f"Webhook {webhook.name} is paused.")
        if webhook.closed_until and now < webhook.closed_until <= now + webhooks.LONGEST_ASKED:
            seconds = (webhook.closed_until - now).total_seconds()
            raise NotNowError(f"Webhook {webhook.name} is left alone.", retry_after=max(seconds, 1.0))
        started = time.monotonic()
        try:
            taken = await self.send(webhook, body, delivery=payload.delivery, event=payload.event)
        except HeltigError as error:
            await self._failed(webhook, error)
            raise
        if webhook.failures:
            await self._store.write(webhooks.took, webhook.id)
        return {"status": taken.status, "seconds": round(time.monotonic() - started, 3)}

    async def send(self, webhook: Webhook, body: bytes, *, delivery: str, event: str) -> Taken:
        """Sends something to a receiver once.

        Raises:
            ReceiverError: It did not take it.
            ConfigurationError: A secret or the authorities cannot be read.
        """
        secrets = await asyncio.to_thread(self._secrets, webhook)
        headers = {
            "Heltig-Signature": signature(body, secrets, at=int(self._clock().timestamp())),
            "Heltig-Delivery": delivery,
            "Heltig-Event": event,
        }
        return await notify(await self._client(webhook), webhook.url, body, headers)

    async def sweep(self) -> None:
        """Bounds what waits for receivers that take nothing, and what is remembered of deliveries."""
        for webhook in await self._store.read(webhooks.every):
            await self._store.write(self._bound, webhook)

    async def close(self) -> None:
        """Closes all connections."""
        for _, client in self._clients.values():
            await client.aclose()
        self._clients.clear()

    async def _failed(self, webhook: Webhook, error: HeltigError) -> None:
        if isinstance(error, ReceiverError) and error.answered == GONE:
            await self._store.write_durably(self._is_gone, webhook)
            raise NotNowError(f"Webhook {webhook.name}: its receiver is gone.") from error
        await self._store.write(
            webhooks.failed,
            webhook.id,
            error=error.detail,
            retry_after=error.retry_after,
            now=self._clock(),
        )

    def _is_gone(self, transaction: WriteTransaction, webhook: Webhook) -> None:
        now = self._clock()
        known = webhooks.by_id(transaction, webhook.id)
        if known is None or known.paused:
            return
        reason = f"Its receiver says that it is gone ({GONE})."
        webhooks.is_gone(transaction, known, error=reason, now=now)
        audit.record(
            transaction,
            at=now,
            actor=KIND,
            action="webhook.pause",
            subject=f"webhook:{known.name}",
            outcome="success",
            origin="",
            detail={"reason": reason},
        )

    def _bound(self, transaction: WriteTransaction, webhook: Webhook) -> None:
        now = self._clock()
        before = now - GIVEN_UP
        if webhook.paused or (webhook.failing_since and webhook.failing_since < before):
            reason = f"Webhook {webhook.name} was paused, or took nothing, for a day."
            deliveries.give_up(transaction, webhook, before=before, reason=reason, now=now)
        deliveries.forget(transaction, webhook, kept=KEPT, before=now - KEPT_DEAD)

    def _secrets(self, webhook: Webhook) -> list[str]:
        return [read_secret(reference, self._environ) for reference in webhook.options.secrets]

    async def _client(self, webhook: Webhook) -> Client:
        made_for = (webhook.url, webhook.options.ca_bundle)
        async with self._making:  # two deliveries at a time share one
            known = self._clients.get(webhook.id)
            if known is not None and known[0] == made_for:
                return known[1]
            bundle = webhook.options.ca_bundle
            tls = Tls(ca_bundle=Path(bundle) if bundle else None)
            made = await asyncio.to_thread(receiver, webhook.url, tls=tls)
            self._clients[webhook.id] = (made_for, made)
            if known is not None:
                await known[1].aclose()
            return made


def _read(transaction: ReadTransaction, payload: Payload) -> tuple[Webhook, bytes] | None:
    """The receiver, and what it is to be told."""
    webhook = webhooks.by_id(transaction, payload.webhook)
    body = _body(transaction, payload)
    return None if webhook is None or body is None else (webhook, body)


def _body(transaction: ReadTransaction, payload: Payload) -> bytes | None:
    """The same bytes each time."""
    if payload.event == "verdict":
        found = changes.since(transaction, payload.about - 1, limit=1)
        if not found or found[0].sequence != payload.about:
            return None
        return msgspec.json.encode(_without_patient(view_of(found[0])))
    alert = alerts.find(transaction, payload.about)
    if alert is None:
        return None
    return msgspec.json.encode(alert_view(alert, edge=payload.event))


def _without_patient(change: ChangeView) -> ChangeView:
    uid = change.study_instance_uid
    return replace(
        change,
        study_instance_uid=uid if uid and _NAMEABLE.fullmatch(uid) else None,
        key=change.key if _NAMEABLE.fullmatch(change.key) else "",
    )


def trial_body(webhook: Webhook, *, at: datetime) -> bytes:
    """What a receiver is sent to be tried out."""
    return msgspec.json.encode({"webhook": webhook.name, "at": at})
