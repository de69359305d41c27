"""Weight and time of the pages on a store of 100,000 judged studies.

Run by hand:

    python tests/bench/worklist.py [STUDIES]
    python tests/servers/postgresql.py python tests/bench/worklist.py [STUDIES]

Verdicts are made up: a fifth of the studies is BLOCKED, another fifth NEEDS_REVIEW, with up to four findings
each. They come from 400 stations of 40 models, a third of them from a workstation, too. Times are those of
the whole answer over loopback, the best and the worst of nine after a first one; of the processor likewise,
which does not wait for others (without that of a PostgreSQL). Queries are the fewest of these: some
are the service's own. Where chromium is installed, it is asked as well when it first shows something of a
page (First Contentful Paint, of a browser that has the style sheets).
"""

import asyncio
import gzip
import hashlib
import logging
import os
import random
import socket
import sqlite3
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import uvicorn
from sqlalchemy import Engine, event, text
from sqlalchemy.ext.asyncio import create_async_engine

sys.path.insert(0, str(Path(__file__).parents[1]))

from browser.conftest import CHROMIUM, chromium

from heltig.app import create_app
from heltig.logs import configure_logging
from heltig.pipeline.publish import render
from heltig.rules.catalogue import catalogue
from heltig.setting_types import SecretUrl
from heltig.settings import Settings
from heltig.store import tables
from heltig.store.engine import Store
from heltig.store.migrations import upgrade
from heltig.store.studies import RANKS
from heltig.store.study_rules import family_of
from heltig.store.text import to_json
from heltig.store.transaction import WriteTransaction
from heltig.verdict import Readiness

MODALITIES = ("CT", "MR", "CR", "DX", "US", "MG", "XA", "NM", "PT\\CT", "RTSTRUCT\\RTPLAN\\RTDOSE\\CT")
REGIONS = ("Thorax", "Abdomen", "Schädel", "Knee", "腹部", "Рентген", "LWS", "Neck")
ARCHIVES = ("main", "north", "teaching")
STATIONS = 400
MODELS = 40
MAKERS = 8
VERDICTS: tuple[Readiness, ...] = ("BLOCKED", "NEEDS_REVIEW", "READY")
NOW = datetime.now(UTC)
ADDRESSES = (
    "/",
    "/?page=1900",
    "/?readiness=BLOCKED",
    "/?modality=RTDOSE",
    "/?location=archive%3Anorth",
    "/?text=thorax",
    "/?text=2.25.99",
    "/?text=nothing+has+this",
    "/?rule=PAT-ID-EMPTY",
    "/?rule=PAT-",
    "/?age=1d",
    "/?age=over-30d",
    "/?manufacturer=Maker+1",
    "/?manufacturer=maker*",
    "/?manufacturer=Maker+1&model=Model+1",
    "/?station=STATION17",
    "/?manufacturer=nobody",
    "/?manufacturer=Maker+1&rule=PAT-&age=7d",
    "/?manufacturer=maker*&modality=MR&location=archive%3Amain&rule=PAT-&age=over-1d&text=knee",
    "/?age=over-30d&readiness=NEEDS_REVIEW&modality=MR",
    "/?readiness=NEEDS_REVIEW&modality=MR&location=archive%3Amain&text=knee",
    "/overview",
    "/overview?heat=manufacturer",
    "/overview?heat=model",
    "/overview?heat=station",
    "/api/v1/studies?manufacturer=Maker+1&limit=50",
    "/api/v1/studies?manufacturer=maker*&modality=MR&text=knee&age=over-1d&limit=50",
    "/archives",
    "/profiles",
    "/jobs",
    "/quarantine",
    "/uploads",
    "/rules",
    "/rules/PAT-ID-EMPTY",
    "/audit",
    "/audit?study=1.2.3",
    "/keys",
    "/service",
)


async def fill(url: str, number: int) -> str:
    """Makes the tables; returns the UID of one of their studies."""
    store = await Store.open(url, render=render)
    await upgrade(store)
    try:
        uid = await store.write(_fill, number)
    finally:
        await store.close()
    if url.startswith("postgresql"):
        engine = create_async_engine(url, isolation_level="AUTOCOMMIT")
        async with engine.connect() as connection:
            await connection.execute(text("VACUUM ANALYZE"))  # as autovacuum does soon after
        await engine.dispose()
    return uid


def _fill(transaction: WriteTransaction, number: int) -> str:
    chance = random.Random(1)
    ruleset = {"hash": "a" * 64, "version": "0.1.0", "standard": "2026a", "manifest": b""}
    transaction.connection.execute(tables.rulesets.insert(), ruleset)
    profile = {"hash": "b" * 64, "name": "default", "text": b""}
    transaction.connection.execute(tables.profiles.insert(), profile)
    for name in ARCHIVES:
        transaction.insert_row(tables.locations, {"kind": "archive", "name": name})
    rows: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for id in range(1, number + 1):
        _study(rows, id, chance)
    for id in range(1, 2 * STATIONS + 1):
        _devices(rows, id)
    for name in (
        "device_sets",
        "devices",
        "patients",
        "studies",
        "study_patients",
        "verdicts",
        "findings",
        "study_rules",
        "lookups",
    ):
        for some in batched(rows[name], 2_000):
            transaction.connection.execute(getattr(tables, name).insert(), some)
    return str(rows["studies"][0]["study_key"])


def _devices(rows: dict[str, list[dict[str, Any]]], id: int) -> None:
    """A station, and above `STATIONS` the same one with a workstation."""
    station = (id - 1) % STATIONS
    model = station % MODELS
    named = [(f"Maker {model % MAKERS}", f"Model {model}", f"STATION{station}")]
    if id > STATIONS:
        named.append(("Maker 1", "Workstation", f"WS{station % 10}"))
    rows["device_sets"].append({"id": id, "identity": hashlib.sha256(str(id).encode()).digest()})
    rows["devices"].extend(
        {
            "device_set_row": id,
            "position": position,
            "manufacturer": manufacturer,
            "model": model_name,
            "station": station_name,
        }
        for position, (manufacturer, model_name, station_name) in enumerate(named)
    )


def _study(rows: dict[str, list[dict[str, Any]]], id: int, chance: random.Random) -> None:
    uid = f"2.25.{chance.getrandbits(120)}"
    readiness = chance.choices(VERDICTS, (1, 1, 3))[0]
    judged = NOW - timedelta(minutes=chance.randrange(60 * 24 * 90))
    archive = id % len(ARCHIVES)
    device_set = chance.randrange(1, STATIONS + 1) + (STATIONS if chance.random() < 1 / 3 else 0)
    modalities = chance.choice(MODALITIES)
    rules = [] if readiness == "READY" else chance.sample(list(catalogue().values()), chance.randrange(1, 5))
    sha = hashlib.sha256(uid.encode())
    verdict = {"readiness": readiness, "revision": 1, "verdict_id": sha.hexdigest()}
    rows["studies"].append(
        {
            "id": id,
            "location_row": 1 + archive,
            "study_key": uid,
            "study_uid": uid,
            "state": "JUDGED",
            "version": 2,
            "revision": 1,
            "snapshot": sha.hexdigest(),
            "content_digest": sha.hexdigest(),
            "readiness": readiness,
            "rank": RANKS[readiness],
            "judged": judged,
            "valid_until": None,
            "blocks": int(readiness == "BLOCKED"),
            "reviews": max(0, len(rules) - (readiness == "BLOCKED")),
            "notes": 0,
            "series_count": 4,
            "instance_count": 200,
            "first_seen": judged,
            "changed": judged,
            "study_date": f"{judged:%Y%m%d}",
            "study_time": f"{judged:%H%M%S}",
            "accession_number": f"A{id:08}",
            "study_description": f"{modalities[:2]} {chance.choice(REGIONS)}",
            "study_id": "1",
            "referring_physician_name": "Doctor^Referring",
            "modalities_in_study": f"\\{modalities}\\",
            "device_set_row": device_set,
        }
    )
    rows["patients"].append(
        {
            "id": id,
            "identity": sha.digest(),
            "patient_id": f"P{id:07}",
            "issuer_of_patient_id": "",
            "patient_name": f"Person{id}^Test",
            "name_folded": f"person{id}^test",
            "name_words": f"person{id} test",
            "patient_birth_date": "19700101",
            "patient_sex": "O",
        }
    )
    rows["study_patients"].append({"study_row": id, "position": 0, "patient_row": id, "instance_count": 200})
    rows["lookups"].append(
        verdict
        | {
            "place": id,
            "alone": True,
            "study_row": id,
            "study_key": uid,
            "location": f"archive:{ARCHIVES[archive]}",
            "state": "JUDGED",
            "version": 2,
            "valid_until": None,
            "form": render.form,
            "body": b"",
        }
    )
    rows["verdicts"].append(
        verdict
        | {
            "id": id,
            "study_row": id,
            "snapshot": sha.hexdigest(),
            "ruleset_hash": "a" * 64,
            "profile_hash": "b" * 64,
            "reference_date": judged.date(),
            "judged": judged,
            "unwaived_readiness": readiness,
            "valid_until": None,
            "facts": "[]",
            "index_facts": "[]",
            "waivers": "[]",
            "not_evaluable": "[]",
            "errors": "[]",
        }
    )
    families = [family_of(rule.id) for rule in rules]
    rows["study_rules"].extend(
        {
            "study_row": id,
            "rule": rule.id,
            "severity": "block" if readiness == "BLOCKED" and not position else "review",
            "family": None if families[position] in families[:position] else families[position],
            "location_row": 1 + archive,
            "first_seen": judged,
            "device_set_row": device_set,
        }
        for position, rule in enumerate(rules)
    )
    rows["findings"].extend(
        {
            "verdict_row": id,
            "position": position,
            "rule": rule.id,
            "severity": "block" if readiness == "BLOCKED" and not position else "review",
            "level": rule.level,
            "message": rule.title,
            "tags": to_json(["00100020"]),
            "observed": "one value and another value",
            "expected": "one value",
            "count": 200,
            "instances": to_json([f"{uid}.{n}" for n in range(5)]),
            "reference": rule.reference,
            "remedy": rule.remedy,
            "waived": False,
            "proposed": "[]",
        }
        for position, rule in enumerate(rules)
    )


def batched(rows: list[dict[str, Any]], size: int) -> Iterator[list[dict[str, Any]]]:
    """Rows in parts."""
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


def traced(url: str) -> list[str]:
    """Has every connection write down what it is asked."""
    asked: list[str] = []
    if url.startswith("postgresql"):
        event.listen(Engine, "before_cursor_execute", lambda *given: asked.append(given[2]))
        return asked
    connect = sqlite3.connect

    def connecting(*args: Any, **kwargs: Any) -> sqlite3.Connection:
        made = connect(*args, **kwargs)
        made.set_trace_callback(asked.append)
        return made

    sqlite3.connect = connecting
    return asked


def measure(base: str, addresses: tuple[str, ...], asked: list[str]) -> None:
    """Prints a line an address."""
    print(f"{'address':90} {'ms, best':>9} {'worst':>7} {'CPU':>6} {'queries':>7} {'KB':>6} {'KB gzip':>8}")
    for address in addresses:
        times, worked, queries = [], [], []
        for _ in range(10):
            asked.clear()
            started, before = time.perf_counter(), time.process_time()
            with urlopen(base + address) as answer:  # noqa: S310 - ours, on loopback
                body = answer.read()
            times.append((time.perf_counter() - started) * 1000)
            worked.append((time.process_time() - before) * 1000)
            queries.append(sum(sql.lstrip().upper().startswith(("SELECT", "WITH")) for sql in asked))
        packed = len(gzip.compress(body)) / 1000
        print(
            f"{address:90} {min(times[1:]):9.1f} {max(times[1:]):7.1f} {min(worked[1:]):6.1f} "
            f"{min(queries[1:]):7} {len(body) / 1000:6.1f} {packed:8.1f}"
        )


def paint(base: str, addresses: tuple[str, ...]) -> None:
    """Prints when a browser first shows something of a page: the best and the worst of nine after a first."""
    painted = "() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime"
    print(f"{'address':90} {'ms, best':>9} {'worst':>7}")
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        for address in addresses:
            times = []
            for _ in range(10):
                page.goto(base + address)
                times.append(float(page.wait_for_function(painted).json_value()))
            print(f"{address:90} {min(times[1:]):9.0f} {max(times[1:]):7.0f}")


def main(number: int) -> None:
    """Fills a store, serves it, measures."""
    configure_logging("json")
    logging.getLogger("heltig.access").setLevel(logging.WARNING)
    with tempfile.TemporaryDirectory(prefix="heltig-") as home:
        url = os.environ.get("HELTIG_TEST_POSTGRES") or f"sqlite+aiosqlite:///{Path(home) / 'heltig.db'}"
        asked = traced(url)
        started = time.perf_counter()
        uid = asyncio.run(fill(url, number))
        print(f"{number:,} studies, made in {time.perf_counter() - started:.0f} s")
        with socket.create_server(("127.0.0.1", 0)) as listener:
            app = create_app(Settings(home=Path(home), database_url=SecretUrl(url), workers=1))
            server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False))
            thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
            thread.start()
            try:
                base = f"http://127.0.0.1:{listener.getsockname()[1]}"
                while not server.started:
                    time.sleep(0.05)
                addresses = (*ADDRESSES, f"/studies/{uid}")
                measure(base, addresses, asked)
                if CHROMIUM:
                    paint(base, tuple(address for address in addresses if "/api/" not in address))
            finally:
                server.should_exit = True
                thread.join()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
