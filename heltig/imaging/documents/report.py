"""The measurements as a page or two to be read: PDF, the same bytes each time.

Neither patient nor study stand in it, but for UIDs. Numbers are rounded here, and nowhere else.
"""

from collections.abc import Iterable, Iterator, Sequence
from io import BytesIO
from typing import Any, Final
from xml.sax.saxutils import escape

from reportlab.lib import colors  # type: ignore[import-untyped]
from reportlab.lib.pagesizes import A4  # type: ignore[import-untyped]
from reportlab.lib.styles import ParagraphStyle  # type: ignore[import-untyped]
from reportlab.lib.units import mm  # type: ignore[import-untyped]
from reportlab.lib.utils import ImageReader  # type: ignore[import-untyped]
from reportlab.pdfbase.pdfmetrics import stringWidth  # type: ignore[import-untyped]
from reportlab.platypus import (  # type: ignore[import-untyped]
    Image,
    Paragraph,
    SimpleDocTemplate,
    Spacer,
    Table,
)

from heltig import __version__
from heltig.imaging.analysis import Analysis
from heltig.imaging.metrics import Results
from heltig.imaging.metrics.measurement import REASONS, VERSION, Measurement
from heltig.imaging.pictures.overlays import Picture
from heltig.imaging.statements import FOOTER, GATE_USE, RESEARCH_USE
from heltig.imaging.volume import Structure

TITLE: Final = "Measurements"

_MARGIN: Final = 16 * mm
_WIDTH: Final = A4[0] - 2 * _MARGIN - 12
"""Frames have six points to each side."""
_QUIET: Final = colors.HexColor("#5a6068")
_LINE: Final = colors.HexColor("#c8ccd2")

_TEXT: Final = ParagraphStyle("text", fontName="Helvetica", fontSize=8.5, leading=11)
_SMALL: Final = ParagraphStyle("small", parent=_TEXT, fontSize=7, leading=9, textColor=_QUIET)
_TITLE: Final = ParagraphStyle("title", parent=_TEXT, fontName="Helvetica-Bold", fontSize=16, leading=20)
_HEADING: Final = ParagraphStyle(
    "heading", parent=_TEXT, fontName="Helvetica-Bold", fontSize=10, leading=16, spaceBefore=6
)

_GRID: Final = [
    ("FONT", (0, 0), (-1, -1), "Helvetica", 7),
    ("FONT", (0, 0), (-1, 0), "Helvetica-Bold", 7),
    ("ALIGN", (1, 0), (-1, -1), "RIGHT"),
    ("LINEBELOW", (0, 0), (-1, -1), 0.25, _LINE),
    ("TOPPADDING", (0, 0), (-1, -1), 1),
    ("BOTTOMPADDING", (0, 0), (-1, -1), 1.5),
    ("LEFTPADDING", (0, 0), (0, -1), 0),
]

_NAME_WIDTH: Final = _WIDTH / 2 - 146
_HEAD: Final = ("structure", "cm3", "mean HU", "SD HU")
_ALL_OTHERS: Final = ("components", "component_", "attenuation_", "volume", "observed_volume")
"""What stands in the table of structures, or only in the other files."""


def report(analysis: Analysis, pictures: Sequence[Picture]) -> bytes:
    """The file.

    Args:
        analysis: The analysis.
        pictures: Its pictures; the first two are shown.
    """
    stream = BytesIO()
    document = SimpleDocTemplate(
        stream,
        pagesize=A4,
        leftMargin=_MARGIN,
        rightMargin=_MARGIN,
        topMargin=14 * mm,
        bottomMargin=20 * mm,
        title=f"{TITLE}, research use only",
        author=f"Heltig {__version__}",
        subject=RESEARCH_USE,
        keywords=GATE_USE,
        invariant=1,  # no clock, no random identifier
        pageCompression=0,  # its text is found by any program that looks for it
    )
    document.build(
        [*_head(analysis), *_shown(pictures), *_slices(analysis.results), *_structures(analysis.results)],
        onFirstPage=_footer,
        onLaterPages=_footer,
    )
    return stream.getvalue()


def _head(analysis: Analysis) -> Iterator[Any]:
    volume, phase = analysis.volume, analysis.results.phase.phase
    yield Paragraph(TITLE, _TITLE)
    yield Paragraph(f"<b>{escape(RESEARCH_USE)}</b>", _TEXT)
    yield Paragraph(escape(GATE_USE), _SMALL)
    yield Spacer(1, 4)
    columns, rows, slices = volume.shape
    spacing = " x ".join(f"{one:.3g}" for one in volume.spacing)
    tools = ", ".join(f"{one.tool} {one.version}" for one in analysis.provenance)
    lines = (
        f"Case {analysis.order.analysis_id}, {analysis.started:%Y-%m-%d %H:%M} UTC, verdict of the gate: "
        f"{analysis.order.verdict or 'not asked'}",
        f"Study {volume.study_instance_uid}",
        f"Series {volume.series_instance_uid}",
        f"{volume.technique.modality}, {columns} x {rows} x {slices} voxels of {spacing} mm, "
        f"contrast phase {phase.replace('_', ' ')}",
        f"Segmentation: {tools or 'none'}. Definitions {VERSION}, Heltig {__version__}, analysis "
        f"{analysis.fingerprint[:16]}",
    )
    yield from (Paragraph(escape(_latin(line)), _TEXT) for line in lines)


def _shown(pictures: Sequence[Picture]) -> Iterator[Any]:
    """Two pictures beside each other."""
    if not pictures:
        return
    cells = []
    for picture in pictures[:2]:
        width, height = ImageReader(BytesIO(picture.png)).getSize()
        wide = _WIDTH / 2 - 4
        high = wide * height / width
        cells.append(Image(BytesIO(picture.png), wide, high))
    yield Spacer(1, 6)
    beside = [("LEFTPADDING", (0, 0), (-1, -1), 0), ("RIGHTPADDING", (0, 0), (-1, -1), 8)]
    yield Table([cells], style=beside, hAlign="LEFT")


def _slices(results: Results) -> Iterator[Any]:
    """What is measured once: on slices, of vertebrae, of a hemorrhage mask."""
    rows = [
        (_words(one), _number(one), _unit(one), _told(one))
        for one in results.measurements
        if not one.name.startswith(_ALL_OTHERS) and one.reason != "not_segmented"
    ]
    if rows:
        yield Paragraph("Slices and regions", _HEADING)
        yield _table([("measurement", "value", "unit", "status"), *rows], (180, 50, 50, _WIDTH - 280), left=3)


def _structures(results: Results) -> Iterator[Any]:
    """A row a structure, in two columns."""
    found = {(one.region, one.name): one for one in results.measurements}
    rows = [
        (
            _name_of(one.structure),
            _of(found, key, "volume") or _of(found, key, "observed_volume", prefix="> "),
            _of(found, key, "attenuation_mean"),
            _of(found, key, "attenuation_sd"),
        )
        for key, one in results.inventory.found.items()
        if one.voxels
    ]
    if not rows:
        return
    yield Paragraph("Structures", _HEADING)
    yield Paragraph("&gt; is what is seen of a structure that goes on beyond the images.", _SMALL)
    yield Spacer(1, 3)
    half = (len(rows) + 1) // 2
    right = [*rows[half:], ("",) * len(_HEAD)]
    pairs = [(*one, "", *other) for one, other in zip(rows[:half], right, strict=False)]
    widths = (_NAME_WIDTH + 6, 46, 42, 40)
    yield _table([(*_HEAD, "", *_HEAD), *pairs], (*widths, 24, *widths), left=len(_HEAD) + 1, gap=len(_HEAD))


def _name_of(structure: Structure) -> str:
    """Its name, or its key where the fonts do not have its letters, as much as there is room for."""
    name = structure.name if _latin(structure.name) == structure.name else structure.key
    shown = name
    while stringWidth(shown, "Helvetica", 7) > _NAME_WIDTH:
        name = name[:-1]
        shown = f"{name}..."
    return shown


def _table(
    rows: Iterable[Sequence[str]], widths: Sequence[float], *, left: int, gap: int | None = None
) -> Any:
    """A table of numbers, as wide as the page.

    Args:
        rows: The first one is its head.
        widths: Of its columns.
        left: A column of text, beside the first one.
        gap: A column that parts it in two.
    """
    style: list[Any] = [*_GRID, ("ALIGN", (left, 0), (left, -1), "LEFT")]
    if gap is not None:
        style.append(("LINEBELOW", (gap, 0), (gap, -1), 1, colors.white))
    return Table([list(row) for row in rows], colWidths=widths, style=style, repeatRows=1, hAlign="LEFT")


def _of(found: dict[tuple[str, str], Measurement], key: str, name: str, *, prefix: str = "") -> str:
    one = found.get((key, name))
    return "" if one is None or one.value is None else f"{prefix}{_number(one)}"


def _words(one: Measurement) -> str:
    name = one.name.replace("_", " ")
    return _latin(name if one.region.split("_")[0] in name else f"{name}, {one.region.replace('_', ' ')}", 60)


def _number(one: Measurement) -> str:
    if one.value is None:
        return ""
    return f"{one.value:.0f}" if one.unit == "1" and float(one.value).is_integer() else f"{one.value:.1f}"


def _unit(one: Measurement) -> str:
    return {"[hnsf'U]": "HU", "1": ""}.get(one.unit, one.unit)


def _told(one: Measurement) -> str:
    return _latin(REASONS.get(one.reason, ""), 70) if one.value is None else one.status


def _latin(text: str, most: int = 400) -> str:
    """A text in the letters that the fonts of every PDF reader have."""
    shown = "".join(letter if letter.isprintable() else "?" for letter in text)
    shown = shown.encode("cp1252", "replace").decode("cp1252")
    return shown if len(shown) <= most else f"{shown[: most - 3]}..."


def _footer(canvas: Any, document: Any) -> None:
    canvas.saveState()
    canvas.setStrokeColor(_LINE)
    canvas.line(_MARGIN, 15 * mm, A4[0] - _MARGIN, 15 * mm)
    canvas.setFont("Helvetica-Bold", 8)
    canvas.drawString(_MARGIN, 10.5 * mm, FOOTER)
    canvas.setFont("Helvetica", 8)
    canvas.drawRightString(A4[0] - _MARGIN, 10.5 * mm, f"page {document.page}")
    canvas.restoreState()
