"""Makes the pictures of README and docs, of the demo's synthetic studies:

    python tests/browser/make_screenshots.py

They look best where the fonts Inter and Noto Sans CJK are installed.
"""

import asyncio
import sys
import tempfile
from datetime import date
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from browser.conftest import chromium, serving  # noqa: E402
from browser.filled_store import STUDIES, fill, uid_of  # noqa: E402

from heltig.demo.samples import write_samples  # noqa: E402
from heltig.pipeline.check import check  # noqa: E402
from heltig.reports import write_report  # noqa: E402
from heltig.rules.profile import DEFAULT  # noqa: E402

ASSETS = ROOT / "docs/assets"


def main() -> None:
    ASSETS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="heltig-") as folder:
        home = Path(folder)
        asyncio.run(fill(home))
        with serving(home) as address, chromium() as browser:
            pictures = {
                "worklist": (address, 1280, 760, "light"),
                "worklist-dark": (f"{address}?readiness=NEEDS_REVIEW", 1280, 700, "dark"),
                "study": (f"{address}studies/{uid_of('count-mismatch')}", 1280, 900, "light"),
                "study-phone": (f"{address}studies/{uid_of('two-patient-ids')}", 390, 800, "dark"),
                "report": (report(home), 1000, 900, "light"),
            }
            for name, (url, width, height, scheme) in pictures.items():
                context = browser.new_context(
                    viewport={"width": width, "height": height}, color_scheme=scheme
                )
                page = context.new_page()
                page.goto(url)
                page.screenshot(path=ASSETS / f"{name}.png")
                context.close()


def report(home: Path) -> str:
    """The address of a report about some of the studies."""
    names = ("two-patient-ids", "uid-letters", "slices-missing", "cs-lower-case", "ct-chest", "mr-brain")
    samples = write_samples([STUDIES[name] for name in names], home / "studies")
    place = home / "report.html"
    with place.open("w", encoding="utf-8") as file:
        write_report(check(samples, DEFAULT, reference_date=date(2026, 6, 1)), "html", file)
    return place.as_uri()


if __name__ == "__main__":
    main()
