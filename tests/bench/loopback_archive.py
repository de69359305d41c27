"""A DICOMweb archive in a process of its own that costs as little as may be: what is measured is its client.

It serves a folder that `real_metadata.dump` made, or studies that are made up. Bodies go out as they lie on
disk, packed, to whoever accepts that. `--most` caps the instances a second of all its answers together.

    python tests/bench/loopback_archive.py --folder DIR [--least 100] [--most 4000]
    python tests/bench/loopback_archive.py --tiny 1000
    python tests/bench/loopback_archive.py --listed 168000
"""

import argparse
import asyncio
import gzip
import json
import subprocess
import sys
import time
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from email.utils import formatdate
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

ROOT = "/dicom-web"
KEYS = {
    "StudyInstanceUID": "0020000D",
    "PatientID": "00100020",
    "AccessionNumber": "00080050",
    "StudyID": "00200010",
}
COUNT = "00201208"


class Holdings:
    """What an archive has.

    Attributes:
        series: Gives the series rows of a study.
        metadata: Gives a study's metadata, packed by gzip.
    """

    def __init__(
        self, rows: list[dict[str, Any]], series: Callable[[str], bytes], metadata: Callable[[str], bytes]
    ) -> None:
        self.series = series
        self.metadata = metadata
        rows.sort(key=lambda row: first(row, "00080020"))
        self._dates = [first(row, "00080020") for row in rows]
        self._rows = rows
        self._texts = [json.dumps(row, separators=(",", ":")).encode() for row in rows]
        self._at = {first(row, "0020000D"): number for number, row in enumerate(rows)}
        self.counts = {first(row, "0020000D"): int(first(row, COUNT)) for row in rows}

    def search(self, query: dict[str, str]) -> bytes:
        """Study rows."""
        limit, offset = int(query.pop("limit", 0)), int(query.pop("offset", 0))
        found: range | list[int] = range(len(self._rows))
        if "StudyInstanceUID" in query:
            at = self._at.get(query.pop("StudyInstanceUID"))
            found = [] if at is None else [at]
        if "StudyDate" in query:
            begin, dash, end = query.pop("StudyDate").partition("-")
            low = bisect_left(self._dates, begin)
            high = bisect_right(self._dates, (end if dash else begin) or "9")
            found = range(low, high) if isinstance(found, range) else [n for n in found if low <= n < high]
        for key, tag in KEYS.items():
            if key in query:
                found = [n for n in found if matches(first(self._rows[n], tag), query[key])]
        page = found[offset : offset + limit] if limit else found[offset:]
        return b"[" + b",".join([self._texts[n] for n in page]) + b"]"


def first(row: dict[str, Any], tag: str) -> str:
    """The first value of an attribute as text, or none."""
    return str(row.get(tag, {}).get("Value", [""])[0])


def matches(value: str, wanted: str) -> bool:
    """Matching by a single value, or by the beginning of one."""
    return value.startswith(wanted[:-1]) if wanted.endswith("*") else value == wanted


def dumped(folder: Path, least: int) -> Holdings:
    """The studies of a folder that have so many instances at least."""
    rows = json.loads((folder / "studies.json").read_bytes())
    rows = [row for row in rows if int(first(row, COUNT)) >= least]
    return Holdings(
        rows,
        lambda study: (folder / "series" / f"{study}.json").read_bytes(),
        lambda study: (folder / "metadata" / f"{study}.json.gz").read_bytes(),
    )


def made_up(number: int) -> Holdings:
    """So many studies of one image each, over twenty years."""

    def series(study: str) -> bytes:
        row = {
            "00080060": {"vr": "CS", "Value": ["CR"]},
            "0020000D": {"vr": "UI", "Value": [study]},
            "0020000E": {"vr": "UI", "Value": [f"{study}.1"]},
            "00201209": {"vr": "IS", "Value": [1]},
        }
        return json.dumps([row]).encode()

    def metadata(study: str) -> bytes:
        row = rows[at[study]]
        instance = {tag: row[tag] for tag in row if tag not in ("00080061", "00201206", COUNT)} | {
            "00080016": {"vr": "UI", "Value": ["1.2.840.10008.5.1.4.1.1.1"]},
            "00080018": {"vr": "UI", "Value": [f"{study}.1.1"]},
            "00080060": {"vr": "CS", "Value": ["CR"]},
            "0020000E": {"vr": "UI", "Value": [f"{study}.1"]},
            "00200011": {"vr": "IS", "Value": [1]},
            "00200013": {"vr": "IS", "Value": [1]},
        }
        return gzip.compress(json.dumps([dict(sorted(instance.items()))]).encode(), 1)

    rows = [made_up_row(n) for n in range(number)]
    holdings = Holdings(rows, series, metadata)
    at = {first(row, "0020000D"): n for n, row in enumerate(rows)}
    return holdings


def made_up_row(number: int) -> dict[str, Any]:
    """The study row of one of them."""
    day = date.today() - timedelta(days=number * 7919 % 7300)  # noqa: DTZ011 - any day will do
    values: dict[str, tuple[str, list[Any]]] = {
        "00080005": ("CS", ["ISO_IR 192"]),
        "00080020": ("DA", [f"{day:%Y%m%d}"]),
        "00080030": ("TM", [f"{number % 86400 // 3600:02}{number % 3600 // 60:02}{number % 60:02}"]),
        "00080050": ("SH", [f"A{number:09}"]),
        "00080061": ("CS", ["CR"]),
        "00080090": ("PN", []),
        "00081030": ("LO", ["Thorax pa"]),
        "00100010": ("PN", [{"Alphabetic": f"Person{number // 3}^Test"}]),
        "00100020": ("LO", [f"P{number // 3:07}"]),
        "00100030": ("DA", [f"{1930 + number // 3 % 80}0101"]),
        "00100040": ("CS", ["O"]),
        "0020000D": ("UI", [f"2.25.{10**30 + number * 1_000_003}"]),
        "00200010": ("SH", [str(number % 100_000)]),
        "00201206": ("IS", [1]),
        COUNT: ("IS", [1]),
    }
    return {tag: {"vr": vr, "Value": value} if value else {"vr": vr} for tag, (vr, value) in values.items()}


class Connection(asyncio.Protocol):
    """One connection of a client, kept open."""

    paced_until = 0.0

    def __init__(self, holdings: Holdings, most: float) -> None:
        self._holdings = holdings
        self._most = most
        self._unread = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._unread += data
        while b"\r\n\r\n" in self._unread:
            head, _, self._unread = self._unread.partition(b"\r\n\r\n")
            self._answer(head.decode("latin-1"))

    def _answer(self, head: str) -> None:
        address = urlsplit(head.split(" ", 2)[1])
        parts = address.path.removeprefix(ROOT).strip("/").split("/")
        study = parts[1] if len(parts) > 1 else ""
        match parts:
            case ["studies"]:
                self._send(200, self._holdings.search(dict(parse_qsl(address.query))))
            case ["studies", _, "series"] if study in self._holdings.counts:
                self._send(200, self._holdings.series(study))
            case ["studies", _, "metadata"] if study in self._holdings.counts:
                body = self._holdings.metadata(study)
                packed = "gzip" in head.lower().partition("accept-encoding:")[2].partition("\r\n")[0]
                wait = self._pace(self._holdings.counts[study])
                body = body if packed else gzip.decompress(body)
                asyncio.get_running_loop().call_later(wait, self._send, 200, body, packed)
            case _:
                self._send(404, b"")

    def _pace(self, instances: int) -> float:
        """Seconds until the answer may go."""
        if not self._most:
            return 0
        now = time.monotonic()
        Connection.paced_until = max(now, Connection.paced_until) + instances / self._most
        return Connection.paced_until - now

    def _send(self, status: int, body: bytes, packed: bool = False) -> None:
        encoding = "Content-Encoding: gzip\r\n" if packed else ""
        head = (
            f"HTTP/1.1 {status} Answer\r\nContent-Type: application/dicom+json\r\n{encoding}"
            f"Date: {formatdate(usegmt=True)}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        if isinstance(self._transport, asyncio.WriteTransport):
            self._transport.write(head.encode() + body)


async def serve(holdings: Holdings, most: float) -> None:
    """Serves at a free port, and says which on the standard output."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(holdings, most), "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}{ROOT}", flush=True)
    await server.serve_forever()


@contextmanager
def running(*arguments: str) -> Iterator[str]:
    """Runs such an archive, with these arguments of the command; gives its root."""
    command = [sys.executable, str(Path(__file__)), *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
        finally:
            process.kill()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--least", type=int, default=0)
    parser.add_argument("--tiny", type=int, default=0)
    parser.add_argument("--listed", type=int, default=0)
    parser.add_argument("--most", type=float, default=0)
    given = parser.parse_args()
    holdings = dumped(given.folder, given.least) if given.folder else made_up(given.tiny or given.listed)
    asyncio.run(serve(holdings, given.most))


if __name__ == "__main__":
    main()
