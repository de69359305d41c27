"""Makes the pictures of README and docs, of the demo's synthetic studies:

    python tests/browser/make_screenshots.py

They look best where the fonts Inter and Noto Sans CJK are installed. Needs Pillow besides what tests need.
"""

import asyncio
import io
import sys
import tempfile
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, ViewportSize

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from browser.conftest import chromium, serving  # noqa: E402
from browser.filled_archives import fill_archives  # noqa: E402
from browser.filled_store import NOW, STUDIES, pull, series_of, uid_of  # noqa: E402

from heltig.demo.samples import write_samples  # noqa: E402
from heltig.demo.studies import SyntheticStudy  # noqa: E402
from heltig.pipeline.check import check  # noqa: E402
from heltig.pipeline.publish import render  # noqa: E402
from heltig.reports import write_report  # noqa: E402
from heltig.rules.profile import DEFAULT  # noqa: E402
from heltig.store.engine import Store  # noqa: E402
from heltig.store.migrations import upgrade  # noqa: E402
from heltig.store.tables import studies  # noqa: E402

ASSETS = ROOT / "docs/assets"
COLOURS = 256
DAYS = 17
LARGEST = 150_000
"""Bytes of a picture."""


def main() -> None:
    """Writes all of them."""
    ASSETS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="heltig-") as folder:
        home = Path(folder)
        asyncio.run(fill(home))
        with serving(home) as address, chromium() as browser:
            for name, page in pages(browser, address, report(home)):
                # Text and flat colours look the same with a palette, in a third of the bytes.
                picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
                path = ASSETS / f"{name}.png"
                picture.quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)
                size = path.stat().st_size
                print(f"{path.relative_to(ROOT)}: {size:,} bytes")
                if size > LARGEST:
                    sys.exit(f"{path.name} is larger than {LARGEST:,} bytes.")
                page.context.close()


async def fill(home: Path) -> None:
    """Makes `heltig.db` in a folder: the demo's studies as if they had come within some weeks."""
    store = await Store.open(f"sqlite+aiosqlite:///{home / 'heltig.db'}", render=render)
    await upgrade(store)
    try:
        for ago, some in sorted(by_day().items(), reverse=True):
            await pull(store, "main", some, at=NOW - timedelta(days=ago, hours=8))
        await pull(store, "teaching", [STUDIES["count-mismatch"]], at=NOW - timedelta(minutes=12))
        await fill_archives(store, now=NOW)
        await store.write(
            lambda transaction: transaction.connection.execute(
                studies.update()
                .where(studies.c.state == "PENDING")
                .values(changed=NOW - timedelta(minutes=9))
            )
        )
    finally:
        await store.close()


def by_day() -> dict[int, list[SyntheticStudy]]:
    """The demo's studies by how many days ago they come."""
    days: dict[int, list[SyntheticStudy]] = {}
    for number, study in enumerate(STUDIES.values()):
        days.setdefault(number * 7 % DAYS, []).append(study)
    return days


def pages(browser: Browser, address: str, report: str) -> Iterator[tuple[str, Page]]:
    """What the pictures are of, by their names."""

    def opened(url: str, height: int, *, width: int = 1280, scheme: str = "light") -> Page:
        size: ViewportSize = {"width": width, "height": height}
        context = browser.new_context(viewport=size, color_scheme="dark" if scheme == "dark" else "light")
        page = context.new_page()
        page.goto(url)
        return page

    slices = f"studies/{uid_of('slices-missing')}/series/{series_of('slices-missing')}"
    yield "worklist", opened(address, 760)
    yield "overview", opened(f"{address}overview?heat=manufacturer", 1700)
    yield "study", opened(f"{address}studies/{uid_of('count-mismatch')}?location=archive:teaching", 900)
    yield "slices-dark", opened(f"{address}{slices}", 820, scheme="dark")
    yield (
        "study-phone",
        opened(f"{address}studies/{uid_of('two-patient-ids')}", 800, width=390, scheme="dark"),
    )
    yield "trial", tried(opened(f"{address}profiles", 760))
    yield "report", opened(report, 900, width=1000)


def tried(page: Page) -> Page:
    """The page of a profile that was tried on all studies."""
    page.get_by_label("A shipped one").select_option("strict")
    page.get_by_role("button", name="Try it").click()
    page.get_by_text("and nothing was written").wait_for(timeout=120_000)
    return page


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
