"""Commands that hand out patient data say so in the audit trail."""

import asyncio
import json
from pathlib import Path

from click.testing import CliRunner, Result
from unit.store.samples import judge, snapshot

from heltig.cli import heltig
from heltig.cli.database import open_database
from heltig.settings import Settings


def run(home: Path, *arguments: str) -> Result:
    return CliRunner().invoke(heltig, arguments, env={"HELTIG_HOME": str(home)})


def test_a_report_of_many_studies_is_in_the_trail(tmp_path: Path) -> None:
    async def fill() -> None:
        async with open_database(Settings(home=tmp_path)) as store:
            await judge(store, snapshot(study="1.2.3"))
            await judge(store, snapshot(study="1.2.4"))

    asyncio.run(fill())
    reported = run(tmp_path, "report", "--since", "2020-01-01", "--format", "csv")
    assert reported.exit_code == 0, reported
    lines = run(tmp_path, "audit", "export", "--action", "patient.search").stdout.splitlines()
    asked, found = map(json.loads, lines)
    assert (asked["subject"], asked["detail"]) == ("heltig report", {"count": 1, "keys": {"since": 1}})
    assert (found["subject"], found["detail"]["studies"]) == ("heltig report", {"1.2.3": 1, "1.2.4": 1})
