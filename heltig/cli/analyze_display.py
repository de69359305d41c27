"""What `heltig analyze` shows: states as they come, and a short table at the end."""

import csv
from collections import Counter
from pathlib import Path
from typing import Any, Final

import click
import msgspec

from heltig.imaging.statements import RESEARCH_USE
from heltig.pipeline.research.asked import meaning_of
from heltig.pipeline.research.handing_out import RESULTS
from heltig.store.analyses import Analysis

MEASUREMENTS: Final = "measurements.csv"
_WIDTH: Final = 24


class Display:
    """Tells how an analysis goes: states on standard error, what came of it on standard output."""

    def __init__(self, *, is_json: bool) -> None:
        """Makes it, and says what analyses are for."""
        self._is_json = is_json
        self._state = ""
        self._analysis: Analysis | None = None
        click.echo(RESEARCH_USE, err=True)

    def ordered(self, analysis: Analysis) -> None:
        """Says what was ordered."""
        self._analysis = analysis
        told = f"analysis {analysis.analysis_id} of a {analysis.readiness} study at {analysis.location}"
        click.echo(told, err=True)

    def state(self, state: str, *, series: str) -> None:
        """Says in which state it is, once for each."""
        if state == self._state:
            return
        self._state = state
        click.echo(f"{state:<12} {'series ' + series if series else ''}".rstrip(), err=True)

    def ended(
        self,
        state: str,
        *,
        code: str = "",
        observed: str = "",
        folder: Path | None = None,
    ) -> None:
        """Says how it ended, and what was measured."""
        results = _results(folder)
        if self._is_json:
            told: dict[str, Any] = {
                "analysis": self._analysis.analysis_id if self._analysis else None,
                "state": state,
                "code": code,
                "observed": observed,
                "folder": None if folder is None else str(folder),
                "measurements": results,
                "statement": RESEARCH_USE,
            }
            click.echo(msgspec.json.format(msgspec.json.encode(told), indent=2).decode())
            return
        if code:
            click.echo(
                f"{state}: {code}{' (' + observed + ')' if observed else ''}. {meaning_of(code)}".rstrip()
            )
        if folder is not None and folder.is_dir():
            _table(folder)
            click.echo(f"{state}: {folder}")


def _results(folder: Path | None) -> dict[str, Any] | None:
    try:
        return None if folder is None else msgspec.json.decode((folder / RESULTS).read_bytes())
    except (OSError, msgspec.MsgspecError):
        return None


def _table(folder: Path) -> None:
    """What was measured, a line each, and how much was not."""
    try:
        rows = list(csv.DictReader((folder / MEASUREMENTS).read_text("utf-8").splitlines()))
    except OSError:
        return
    measured = [row for row in rows if row["value"]]
    for row in measured:
        value = f"{float(row['value']):,.6g} {_unit(row['unit'])}"
        status = "" if row["status"] == "measured" else row["status"]
        click.echo(f"{row['region']:<{_WIDTH}} {row['name']:<{_WIDTH}} {value:>18}  {status}".rstrip())
    for status, number in Counter(row["status"] for row in rows if not row["value"]).most_common():
        click.echo(f"{number:>6} {status}")


def _unit(ucum: str) -> str:
    """A unit as people write it (UCUM)."""
    return {"[hnsf'U]": "HU", "1": ""}.get(ucum, ucum)
