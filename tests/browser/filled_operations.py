"""What the pages of operations show: jobs in every state, studies in quarantine, workers, keys, sessions."""

from datetime import datetime, timedelta
from pathlib import Path

from browser.filled_archives import fill_archives
from browser.filled_store import NOW
from unit.store.samples import finding, judge, sha, snapshot

from heltig.auth import keys
from heltig.auth.keys import NewKey
from heltig.jobs.queue import JobQueue
from heltig.pipeline.publish import render
from heltig.store import gate_studies, sessions, tables, workers
from heltig.store.engine import Store
from heltig.store.jobs import NewJob
from heltig.store.locations import ensure
from heltig.store.migrations import upgrade
from heltig.store.records import Location
from heltig.store.sessions import Session
from heltig.store.studies import row_of
from heltig.store.transaction import WriteTransaction
from heltig.store.workers import Worker
from heltig.verdict import Readiness

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
GATE = Location("gate", "main")
QUARANTINED = ("2.25.771100045", "2.25.771100046", "2.25." + "7" * 58)

_JOBS = (
    ("pull", "archive:cardiology", "dead", 6, "It does not answer within 30 s. The connection was closed."),
    ("pull", "archive:main", "dead", 4, "The archive answers 500 to a request for the study's metadata."),
    ("forward", "gate:main", "dead", 9, "The archive refuses the object: 0xA700, out of resources."),
    ("upload", "upload", "failed", 1, "It is no ZIP, or its end is missing: send it again, whole."),
    ("webhook", "webhook:1", "failed", 8, "It answers 410: the receiver says that it is gone for good."),
    ("pull", "archive:main", "running", 1, None),
    ("backfill", "archive:main", "running", 1, None),
    ("rejudge", "archive:main", "queued", 0, None),
    ("purge", "purge", "succeeded", 1, None),
    ("pull", "archive:" + "a-very-long-name-of-an-archive-" * 3, "cancelled", 2, "Ungültig «größer» " * 12),
)


async def fill_with_operations(folder: Path) -> None:
    """Makes `heltig.db` in a folder, with archives and all of it."""
    store = await Store.open(f"sqlite+aiosqlite:///{folder / 'heltig.db'}", render=render)
    await upgrade(store)
    await fill_archives(store, now=NOW)
    await store.close()
    await fill_operations(folder)


async def fill_operations(folder: Path) -> None:
    """Adds all of it to the database of a folder."""
    store = await Store.open(f"sqlite+aiosqlite:///{folder / 'heltig.db'}", render=render)
    try:
        await _jobs(store)
        await _quarantine(store)
        for host, heard in (("pacs-qa-1", 3), ("pacs-qa-2", 400)):
            worker = Worker(
                owner=f"serve@{host}/4711",
                host=host,
                version="0.1.0",
                started=NOW - 30 * HOUR,
                heard=NOW - timedelta(seconds=heard),
            )
            await store.write(workers.hear, worker)
        await _access(store)
    finally:
        await store.close()


async def _jobs(store: Store) -> None:
    for number, (kind, group, state, attempts, error) in enumerate(_JOBS):
        at = NOW - (number + 1) * 17 * MINUTE
        payload = {"study": f"2.25.{4711 + number}"} if kind in ("pull", "forward", "rejudge") else {}
        if kind == "purge":
            payload = {"dryRun": False, "at": at.isoformat(), "actor": "purge", "origin": ""}
        key = f"{group} {payload['study']}" if kind == "pull" else None
        queue = JobQueue(store, clock=lambda at=at: at)  # type: ignore[misc]
        job = await store.write(queue.enqueue, NewJob(kind=kind, key=key, group=group, payload=payload))
        values = {
            "state": state,
            "attempts": attempts,
            "error": error,
            "first_error": error and "It answers 503.",
            "started": at if attempts else None,
            "finished": at + 5 * MINUTE if state not in ("queued", "running") else None,
            "not_before": NOW + 24 * HOUR if state == "queued" else None,
            "lease_owner": "serve@pacs-qa-1/4711" if state == "running" else None,
            "lease_until": NOW + 365 * 24 * HOUR if state == "running" else None,
        }

        def change(transaction: WriteTransaction, job: int = job, values: object = values) -> None:
            statement = tables.jobs.update().where(tables.jobs.c.id == job).values(values)
            transaction.connection.execute(statement)

        await store.write(change)


async def _quarantine(store: Store) -> None:
    verdicts: tuple[tuple[Readiness, str], ...] = (
        ("BLOCKED", "It is BLOCKED: PAT-ID-CONFLICT, UID-CHARS."),
        ("BLOCKED", "It is BLOCKED: GEO-SLICE-DUP."),
        ("NEEDS_REVIEW", "It needs a review, and the archive's settings keep such studies."),
    )
    for number, (study, (readiness, reason)) in enumerate(zip(QUARANTINED, verdicts, strict=True)):
        found = finding("PAT-ID-CONFLICT", "block" if readiness == "BLOCKED" else "review")
        await judge(store, snapshot(study=study, location=GATE), found, readiness=readiness)
        await store.write(
            keep_back, study, reason, objects=3 + 40 * number, since=NOW - (number + 1) * 9 * HOUR
        )


def keep_back(
    transaction: WriteTransaction, study: str, reason: str, *, objects: int, since: datetime
) -> int:
    """Puts a study that is there into quarantine, with objects whose files nobody has; gives its id."""
    row = row_of(transaction, GATE, study)
    assert row is not None
    values = {"study_row": row, "location_row": ensure(transaction, GATE), "version": 1, "reason": ""}
    transaction.insert_row(tables.gate_studies, values)
    gate_studies.quarantine(transaction, row, since=since, reason=reason)
    for number in range(objects):
        uid = f"{study[:40]}.1.{number}"
        transaction.insert_row(
            tables.objects,
            {
                "study_row": row,
                "sop_instance_uid": uid,
                "sop_class_uid": "1.2.840.10008.5.1.4.1.1.2",
                "series_uid": f"{study[:40]}.1",
                "transfer_syntax_uid": "1.2.840.10008.1.2.1",
                "digest": sha(uid),
                "size": 526_336,
                "state": "quarantined",
                "judged": True,
                "file": None,
                "spool": "other",
                "sender": "CT_SCANNER_3",
                "request": "r1",
                "received": since,
            },
        )
    return row


async def _access(store: Store) -> None:
    for number, (name, role, days) in enumerate(
        (("router", "archive", 365), ("prometheus", "auditor", None), ("old-script", "reader", 1))
    ):
        new = NewKey(
            name=name,
            role=role,  # type: ignore[arg-type]
            areas=("metrics",) if name == "prometheus" else (),
            expires=None if days is None else NOW - 40 * 24 * HOUR + timedelta(days=days),
        )
        made = NOW - 40 * 24 * HOUR + number * HOUR
        await store.write_durably(keys.create, new, actor="user:anna", origin="10.0.0.7", now=made)
    for number, name in enumerate(("anna", "Müller, Jürgen", "anna")):
        await store.write(
            sessions.add,
            Session(
                hash=sha(f"{number}"),
                login_hash=sha(f"login {number}"),
                issuer="https://login.example",
                subject=sha(name)[:12],
                name=name,
                granted=("radiology-admins", "qa"),
                provider_session="",
                created=NOW - (number + 1) * HOUR,
                last_seen=NOW - number * 20 * MINUTE,
                expires=NOW + 9 * HOUR,
            ),
        )
