"""The webhooks of a site: added, changed, tried out, paused, removed, and what they were not told in vain."""

import asyncio
import secrets
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from heltig import audit
from heltig.audit import Outcome
from heltig.errors import ConflictError, HeltigError, NotFoundError, PreconditionFailedError
from heltig.http_notice import Taken
from heltig.pipeline.telling.delivering import DeliveryDesk, trial_body
from heltig.pipeline.telling.webhook_form import changed_webhook, etag_of, new_webhook
from heltig.store import deliveries, jobs, webhooks
from heltig.store.engine import Store
from heltig.store.transaction import WriteTransaction
from heltig.store.webhooks import Webhook


class WebhookDesk:
    """What administrators do with webhooks; each act is in the audit trail."""

    def __init__(self, store: Store, *, home: Path, clock: Callable[[], datetime], from_afar: bool) -> None:
        """Makes it.

        Args:
            store: Where they are.
            home: `HELTIG_HOME`.
            clock: The time.
            from_afar: Whoever uses it may not read our files.
        """
        self._store = store
        self._home = home
        self._clock = clock
        self._from_afar = from_afar

    async def add(self, given: Mapping[str, Any], *, by: str, origin: str) -> Webhook:
        """Adds a webhook; it is told of what happens from then on.

        Args:
            given: JSON, see `new_webhook`.
            by: Who adds it.
            origin: From where.

        Raises:
            ConflictError: There is one of that name.
            UsageError: Something in it makes no sense.
        """
        made = await asyncio.to_thread(new_webhook, given, home=self._home, from_afar=self._from_afar)

        def add(transaction: WriteTransaction) -> Webhook:
            webhooks.add(transaction, made)
            self._record(transaction, "webhook.add", made.name, by=by, origin=origin)
            return webhooks.find(transaction, made.name)

        return await self._store.write_durably(add)

    async def change(
        self, name: str, patch: Mapping[str, Any], *, if_match: str | None = None, by: str, origin: str
    ) -> Webhook:
        """Changes a webhook; its receiver is tried anew, whatever failed before.

        Args:
            name: Which.
            patch: What is to be another, see `changed_webhook`.
            if_match: The `etag_of` the webhook that is to be changed; any where there is nothing.
            by: Who changes it.
            origin: From where.

        Raises:
            NotFoundError: There is none of that name.
            PreconditionFailedError: It is another one by now.
            UsageError: Something in it makes no sense.
        """
        before = await self._store.look_up(webhooks.find, name)
        if if_match not in (None, "*", etag_of(before)):
            raise _changed(name)
        after = await asyncio.to_thread(
            changed_webhook, before, patch, home=self._home, from_afar=self._from_afar
        )

        def change(transaction: WriteTransaction) -> Webhook:
            known = webhooks.find(transaction, name)
            if etag_of(known) != etag_of(before):
                raise _changed(name)
            webhooks.change(transaction, replace(after, paused=known.paused, reason=known.reason))
            deliveries.hasten(transaction, known)
            detail = {"changed": sorted(patch)}
            self._record(transaction, "webhook.change", name, by=by, origin=origin, detail=detail)
            return webhooks.find(transaction, name)

        return await self._store.write_durably(change)

    async def pause(self, name: str, *, paused: bool, by: str, origin: str) -> Webhook:
        """Pauses a webhook, or has it go on. What waits for it is sent when it goes on.

        Raises:
            NotFoundError: There is none of that name.
        """

        def change(transaction: WriteTransaction) -> Webhook:
            known = webhooks.find(transaction, name)
            webhooks.stand(transaction, known, paused=paused)
            deliveries.hasten(transaction, known)
            action: audit.Action = "webhook.pause" if paused else "webhook.resume"
            self._record(transaction, action, name, by=by, origin=origin)
            return webhooks.find(transaction, name)

        return await self._store.write_durably(change)

    async def remove(self, name: str, *, by: str, origin: str) -> None:
        """Removes a webhook, with its deliveries.

        Raises:
            NotFoundError: There is none of that name.
        """

        def remove(transaction: WriteTransaction) -> None:
            known = webhooks.find(transaction, name)
            webhooks.remove(transaction, known)
            deliveries.remove(transaction, known)
            self._record(transaction, "webhook.remove", name, by=by, origin=origin)

        await self._store.write_durably(remove)

    async def test(self, name: str, delivering: DeliveryDesk, *, by: str, origin: str) -> Taken:
        """Sends a receiver an event `test`, once; where it takes it, it is tried anew with all that waits.

        Raises:
            NotFoundError: There is none of that name.
            ReceiverError: It did not take it.
            ConfigurationError: A secret or the authorities cannot be read.
        """
        webhook = await self._store.look_up(webhooks.find, name)
        body = trial_body(webhook, at=self._clock())

        def write(transaction: WriteTransaction, outcome: Outcome) -> None:
            if outcome == "success":
                known = webhooks.find(transaction, name)
                webhooks.stand(transaction, known)
                deliveries.hasten(transaction, known)
            self._record(transaction, "webhook.test", name, by=by, origin=origin, outcome=outcome)

        try:
            taken = await delivering.send(webhook, body, delivery=secrets.token_hex(16), event="test")
        except HeltigError:
            await self._store.write_durably(write, "failure")
            raise
        await self._store.write_durably(write, "success")
        return taken

    async def retry(self, name: str, job: int | None, *, by: str, origin: str) -> int:
        """Queues dead deliveries again, as if nothing had ever failed, and tries now what waits.

        Returns how many were dead.

        Args:
            name: The webhook.
            job: The delivery's job; all dead ones where there is none.
            by: Who asks for it.
            origin: From where.

        Raises:
            NotFoundError: There is none of that name, or it has no such delivery.
            ConflictError: The delivery is not dead.
        """

        def retry(transaction: WriteTransaction) -> int:
            webhook = webhooks.find(transaction, name)
            webhooks.stand(transaction, webhook)  # else what is old would be given up at once
            deliveries.hasten(transaction, webhook)
            if job is None:
                number = deliveries.try_again(transaction, webhook)
            else:
                found = deliveries.of_webhook(transaction, webhook, job)
                if found is None:
                    raise NotFoundError(f"Webhook {name} has no delivery {job}.")
                if found.state not in ("failed", "dead"):
                    raise ConflictError(f"Delivery {job} is not dead.")
                jobs.retry(transaction, job)
                number = 1
            detail = {"deliveries": number, **({} if job is None else {"job": job})}
            self._record(transaction, "webhook.retry", name, by=by, origin=origin, detail=detail)
            return number

        return await self._store.write_durably(retry)

    def _record(
        self,
        transaction: WriteTransaction,
        action: audit.Action,
        name: str,
        *,
        by: str,
        origin: str,
        outcome: Outcome = "success",
        detail: Mapping[str, Any] | None = None,
    ) -> None:
        audit.record(
            transaction,
            at=self._clock(),
            actor=by,
            action=action,
            subject=f"webhook:{name}",
            outcome=outcome,
            origin=origin,
            detail=detail,
        )


def _changed(name: str) -> PreconditionFailedError:
    return PreconditionFailedError(
        f"Webhook {name} was changed meanwhile. Read it again, and send your change with its ETag."
    )
