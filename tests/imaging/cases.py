"""Cases run by tests: their orders, and what they told."""

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from imaging.phantom import Phantom, encode, series
from pydicom.dataset import Dataset

from heltig.imaging.case.running import run
from heltig.imaging.order import Order, SegmenterOrder, Told, encoded

NOW: Final = datetime(2026, 1, 2, 10, 15, tzinfo=UTC)


@dataclass
class Case:
    """One case in a folder: its objects, its order, and what became of it.

    Attributes:
        folder: Holds `objects`, `output` and whatever a test adds.
        told: What it said of itself when it ran.
    """

    folder: Path
    told: list[Told] = field(default_factory=list)

    @property
    def objects(self) -> Path:
        return self.folder / "objects"

    @property
    def output(self) -> Path:
        return self.folder / "output"

    def put(self, *found: Phantom | Dataset | bytes, **attributes: Any) -> "Case":
        """Add phantoms, all slices of them, and single objects."""
        self.objects.mkdir(parents=True, exist_ok=True)
        for one in found:
            several = series(one, **attributes) if isinstance(one, Phantom) else [one]
            for ds in several:
                number = len(list(self.objects.iterdir()))
                content = encode(ds) if isinstance(ds, Dataset) else ds
                (self.objects / f"{number:04}.dcm").write_bytes(content)
        return self

    def order(self, *segmenters: SegmenterOrder, **asked: Any) -> Order:
        given = {"objects": self.objects, "output": self.output, "target": "any", **asked}
        return Order(analysis_id="a1", segmenters=segmenters, **given)

    def run(self, *segmenters: SegmenterOrder, **asked: Any) -> "Case":
        """Run it in this process."""
        self.told = []
        run(self.order(*segmenters, **asked), tell=self.told.append, now=lambda: NOW)
        return self

    def again(self) -> "Case":
        """Without what the last run left."""
        shutil.rmtree(self.output, ignore_errors=True)
        return self

    @property
    def states(self) -> list[str]:
        return [one.state for one in self.told]

    @property
    def refusal(self) -> str:
        """Why it was refused; empty if it was not."""
        return self.told[-1].code

    @property
    def fingerprint(self) -> str:
        return self.told[-1].fingerprint

    def json(self, name: str) -> Any:
        return json.loads((self.output / name).read_bytes())

    def measured(self) -> dict[tuple[str, str], Any]:
        """All measurements of `analysis.json`, by name and region."""
        return {(one["name"], one["region"]): one for one in self.json("analysis.json")["measurements"]}

    def value(self, name: str, region: str) -> Any:
        return self.measured()[name, region]["value"]

    def why(self, name: str, region: str) -> tuple[str, str]:
        """Status and reason of what has no value."""
        one = self.measured()[name, region]
        assert one["value"] is None
        return one["status"], one["reason"]

    @property
    def files(self) -> set[str]:
        """Names in the folder that an interrupted case might leave behind, too."""
        return {path.name for path in self.folder.iterdir()} - {"objects"}


def by(id: str, **options: str | Path) -> SegmenterOrder:
    return SegmenterOrder(id=id, options={name: str(value) for name, value in options.items()})


@dataclass(frozen=True)
class Ran:
    """How the program ended."""

    exit_code: int
    told: list[Mapping[str, str]]
    errors: str


def program(order: Order | bytes, *, timeout: float = 120) -> Ran:
    """Run a case as its own process."""
    ran = subprocess.run(
        [sys.executable, "-m", "heltig.imaging.case"],
        input=order if isinstance(order, bytes) else encoded(order),
        capture_output=True,
        timeout=timeout,
    )
    return Ran(ran.returncode, list(map(json.loads, ran.stdout.splitlines())), ran.stderr.decode())
