"""What the pull service says in its log while it works."""

import json
from datetime import timedelta
from typing import Any

import pytest
from servers.dicomweb import study
from unit.pipeline.watched import QUIET, Site

from connectors.base import InMemoryArchive
from heltig.errors import ArchiveUnavailableError
from heltig.logs import configure_logging
from heltig.pipeline.pull import events
from heltig.store.engine import Store

pytestmark = pytest.mark.usefixtures("logging_restored")

MARK = "Mark^Patient"
UID = "1.2.840.99.4711"
MINUTE = timedelta(minutes=1)


def about_a_patient() -> list[dict[str, Any]]:
    """A study that names a patient wherever that is possible, with values that rules complain of."""
    found = study(UID)
    for one in found:
        one["00100010"] = {"vr": "PN", "Value": [{"Alphabetic": MARK}]}
        one["00100030"] = {"vr": "DA", "Value": [MARK]}
        for tag in ("00100020", "00080050", "00081030", "00200010"):
            one[tag] = {"vr": "LO", "Value": [f"{MARK} {tag}"]}
    return found


async def test_a_whole_run_says_what_happens_and_nothing_of_the_patient(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logging("json")
    archive = InMemoryArchive()
    for one in about_a_patient():
        archive.store(one)
    site = Site(store, archive)
    site.queue.on_end(events.job_end)
    await site.register()
    await site.register("broken")
    site.opens.closed["broken"] = ArchiveUnavailableError(f"It said {MARK} of {UID}.")
    await site.pass_time(QUIET + 2 * MINUTE)
    assert await site.verdict(UID)
    written = capsys.readouterr().err
    for secret in (MARK, "Mark", UID, "4711"):
        assert secret not in written
    told = [json.loads(line) for line in written.splitlines()]
    polls = [line for line in told if line["event"] == "poll"]
    assert {(line["archive"], line["outcome"]) for line in polls} == {
        ("memory", "looked"),
        ("broken", "failed"),
    }
    assert sum(line["new"] for line in polls) == 1
    assert {line["level"] for line in polls if line["archive"] == "broken"} == {"warning"}
    assert [line["queued"] for line in told if line["event"] == "settle"] == [1]
    (pulled,) = [line for line in told if line["event"] == "pull"]
    assert (pulled["archive"], pulled["state"], pulled["outcome"]) == ("memory", "succeeded", "judged")
    assert pulled["readiness"] in ("READY", "NEEDS_REVIEW", "BLOCKED")
