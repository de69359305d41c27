"""Commands that hand out patient data say so in the audit trail."""

import json
from pathlib import Path

from click.testing import CliRunner, Result

from heltig.cli import heltig


def run(home: Path, *arguments: str) -> Result:
    return CliRunner().invoke(heltig, arguments, env={"HELTIG_HOME": str(home)})


def test_a_report_of_many_studies_is_in_the_trail(tmp_path: Path) -> None:
    reported = run(tmp_path, "report", "--since", "2020-01-01", "--format", "csv")
    assert reported.exit_code == 0, reported
    lines = run(tmp_path, "audit", "export", "--action", "patient.search").stdout.splitlines()
    (entry,) = map(json.loads, lines)
    assert (entry["subject"], entry["detail"]) == ("heltig report", {"count": 1, "keys": {"since": 1}})
