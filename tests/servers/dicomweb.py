"""Instances for archives to hold, and our connector to archives on loopback."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from connectors.dicomweb import DicomWebArchive
from heltig import http
from heltig.demo.answer import Faults
from heltig.demo.archive import LoopbackArchive
from heltig.retry import Retry

CT = "1.2.840.10008.5.1.4.1.1.2"


def instance(study: str, series: str, sop: str, **attributes: Any) -> dict[str, Any]:
    """One instance in DICOM JSON, tags ascending; `attributes`: date, modality, patient, number."""
    return {
        "00080016": {"vr": "UI", "Value": [CT]},
        "00080018": {"vr": "UI", "Value": [sop]},
        "00080020": {"vr": "DA", "Value": [attributes.get("date", "20260102")]},
        "00080030": {"vr": "TM", "Value": ["101500"]},
        "00080060": {"vr": "CS", "Value": [attributes.get("modality", "CT")]},
        "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Test^Case"}]},
        "00100020": {"vr": "LO", "Value": [attributes.get("patient", "P1")]},
        "0020000D": {"vr": "UI", "Value": [study]},
        "0020000E": {"vr": "UI", "Value": [series]},
        "00200011": {"vr": "IS", "Value": [1]},
        "00200013": {"vr": "IS", "Value": [attributes.get("number", 1)]},
    }


def study(uid: str, *, series: int = 2, instances: int = 3, **attributes: Any) -> list[dict[str, Any]]:
    """A study: series `UID.1` and so on, instances `UID.1.1` and so on."""
    return [
        instance(uid, f"{uid}.{s}", f"{uid}.{s}.{n}", number=n, **attributes)
        for s in range(1, series + 1)
        for n in range(1, instances + 1)
    ]


@contextmanager
def running_loopback(instances: Iterable[dict[str, Any]]) -> Iterator[LoopbackArchive]:
    """A loopback archive for all tests of a module: to start and stop it takes longer than most tests."""
    archive = LoopbackArchive(instances)
    asyncio.run(archive.__aenter__())
    try:
        yield archive
    finally:
        asyncio.run(archive.__aexit__(None, None, None))


def made_well(archive: LoopbackArchive) -> LoopbackArchive:
    """The archive without the faults and the requests of the test before."""
    archive.faults = Faults()
    archive.requests.clear()
    return archive


class NoWaits:
    """Retries at once, and remembers the waits that were asked for.

    Attributes:
        retry: For the connector.
        waits: Seconds.
    """

    def __init__(self, *, attempts: int = 2, seconds_a_look: float = 0.0) -> None:
        self.waits: list[float] = []
        self._now = 0.0
        self._seconds_a_look = seconds_a_look
        self.retry = Retry(
            attempts=attempts, clock=self._clock, sleep=self._sleep, jitter=lambda low, high: high
        )

    def _clock(self) -> float:
        self._now += self._seconds_a_look
        return self._now

    async def _sleep(self, seconds: float) -> None:
        self.waits.append(seconds)


@asynccontextmanager
async def connected(
    root: str, *, auth: http.Auth | None = None, waits: NoWaits | None = None, most_metadata: int = 2**28
) -> AsyncIterator[DicomWebArchive]:
    """Our connector to the archive at an address; it does not wait before it asks again."""
    async with http.client(root, auth=auth) as client:
        yield DicomWebArchive(
            "archive",
            qido=client,
            wado=client,
            retry=(waits or NoWaits()).retry,
            most_metadata=most_metadata,
        )
