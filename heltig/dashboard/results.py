"""What an analysis came to, put together for its page out of the documents that it wrote."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

import msgspec

from heltig.dashboard.measured import Matrix, Region, Row, plain, row_of, split
from heltig.dashboard.research_parts import ALL_STAGES, STATES_IN_WORDS
from heltig.imaging.order import ENDS
from heltig.pipeline.research.publishing.codes import meaning_of_failure
from heltig.store.analyses import Analysis, Output
from heltig.store.publications import Publication

PHASES: Final[Mapping[str, str]] = {
    "native": "native",
    "arterial": "arterial",
    "portal_venous": "portal venous",
    "delayed": "delayed",
    "enhanced_unclassified": "enhanced, phase not known",
    "unknown": "unknown",
}

_MOST_OF_A_NOTE: Final = 12
_PICTURES: Final = ("image/png", "image/jpeg")


class Sent(msgspec.Struct, frozen=True):
    """What of an analysis went to an archive.

    Attributes:
        archive: Its name.
        objects: How many were to be sent.
        verified: How many of them the archive shows.
        under_way: How many are on their way.
        failed: The others: the object's name, a code, and what it means.
    """

    archive: str
    objects: int
    verified: int
    under_way: int
    failed: tuple[tuple[str, str, str], ...]


class Stage(msgspec.Struct, frozen=True):
    """A state that an analysis goes through.

    Attributes:
        name: As `heltig.imaging.order` has it.
        words: What it does in it.
        began: None where it has not.
        seconds: How long it took, or takes by now.
        is_now: It is in it.
    """

    name: str
    words: str
    began: datetime | None
    seconds: float | None
    is_now: bool


class Missing(msgspec.Struct, frozen=True):
    """What has no value for one reason.

    Attributes:
        why: The reason, in a sentence.
        status: In words.
        rows: The regions with what was not measured there.
    """

    why: str
    status: str
    rows: tuple[tuple[str, tuple[str, ...]], ...]


class SliceShown(msgspec.Struct, frozen=True):
    """A slice to leaf to.

    Attributes:
        file: The picture.
        index: Of the slice in the volume.
        height_mm: Where it lies.
    """

    file: str
    index: int
    height_mm: float


class Slices(msgspec.Struct, frozen=True):
    """All of them.

    Attributes:
        plane: As `axial`.
        of: Slices of the volume.
        shown: Those that there are pictures of.
        structures: What is drawn, each with its colour.
    """

    plane: str
    of: int
    shown: tuple[SliceShown, ...]
    structures: tuple[tuple[str, str], ...]


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a series in the selection.

    Attributes:
        outcome: `selected`, `ranked` or `rejected`.
        decided_by: The level of the policy that decided.
        reasons: Code, sentence and what was seen.
        remarks: Sentences.
    """

    uid: str
    number: int | None
    modality: str
    outcome: str
    rank: int | None
    decided_by: str
    reasons: tuple[tuple[str, str, str], ...]
    remarks: tuple[str, ...]


class NoteShown(msgspec.Struct, frozen=True):
    """Notes of one code.

    Attributes:
        code: The code.
        words: What it means.
        about: Of what: structures, sizes, segmenters, as many as are shown.
        more: How many more there are.
    """

    code: str
    words: str
    about: tuple[str, ...]
    more: int


class Results(msgspec.Struct, frozen=True, kw_only=True):
    """What the page shows of a case that is done.

    Attributes:
        series: Facts of the series that was measured, by name.
        phase: Contrast phase, and by whom it is said.
        matrix: Volume and attenuation of structures, a row each; None where there are none.
        regions: What else has a value, by region.
        missing: What has none, by reason.
        versions: Of the definitions.
        tools: What found structures.
        notes: What should be known about the masks.
    """

    series: Mapping[str, str]
    phase: str
    phase_by: tuple[tuple[str, str, str], ...]
    matrix: Matrix | None
    regions: tuple[Region, ...]
    missing: tuple[Missing, ...]
    tools: tuple[Mapping[str, Any], ...]
    notes: tuple[NoteShown, ...]


def sent_of(publications: Iterable[Publication]) -> tuple[Sent, ...]:
    """What went to which archive, by the archive's name."""
    by_archive: dict[str, list[Publication]] = {}
    for one in publications:
        by_archive.setdefault(one.target, []).append(one)
    return tuple(
        Sent(
            archive=archive,
            objects=len(found),
            verified=sum(one.state == "verified" for one in found),
            under_way=sum(one.state in ("waiting", "stored") for one in found),
            failed=tuple(
                (one.name, one.code, meaning_of_failure(one.code)) for one in found if one.state == "failed"
            ),
        )
        for archive, found in sorted(by_archive.items())
    )


def stages_of(analysis: Analysis, now: datetime) -> tuple[Stage, ...]:
    """The states that an analysis went through and, while it is under way, those that are to come."""
    begun = {name: at for name, at in analysis.stages.items() if name not in ENDS}
    names = [*begun, *([] if analysis.finished else [one for one in ALL_STAGES if one not in begun])]
    found: list[Stage] = []
    for place, name in enumerate(names):
        began = begun.get(name)
        after = begun.get(names[place + 1]) if place + 1 < len(names) else None
        end = after or analysis.finished or now
        found.append(
            Stage(
                name,
                next((text for state, text in STATES_IN_WORDS.items() if state == name), name),
                began,
                None if began is None else max(0.0, (end - began).total_seconds()),
                is_now=analysis.finished is None and analysis.state == name,
            )
        )
    return tuple(found)


def results_of(document: Mapping[str, Any]) -> Results:
    """What `analysis.json` says."""
    measured: list[Mapping[str, Any]] = document.get("measurements", [])
    meanings: Mapping[str, Any] = document.get("meanings", {})
    names = {one["key"]: one["name"] for one in document.get("structures", [])}
    phase: Mapping[str, Any] = document.get("phase", {})
    by_region: dict[str, list[Row]] = {}
    without: dict[tuple[str, str], dict[str, list[str]]] = {}
    for one in measured:
        row = row_of(one, meanings)
        if one["value"] is None:
            why = row.why[0] if row.why else ""
            missing = without.setdefault((why, row.status), {})
            missing.setdefault(_called(one["region"], names), []).append(row.name)
        else:
            by_region.setdefault(one["region"], []).append(row)
    regions = tuple(Region(key, _called(key, names), tuple(rows)) for key, rows in by_region.items())
    matrix, others = split(regions)
    return Results(
        series=_series(document.get("series", {})),
        phase=PHASES.get(phase.get("phase", ""), phase.get("phase", "")),
        phase_by=tuple(
            (one["provider"], PHASES.get(one["phase"], one["phase"]), ", ".join(one["evidence"]))
            for one in phase.get("readings", [])
        ),
        matrix=matrix,
        regions=others,
        missing=tuple(
            Missing(why, status, tuple((region, tuple(of)) for region, of in regions.items()))
            for (why, status), regions in without.items()
        ),
        tools=tuple(document.get("provenance", [])),
        notes=_notes(document),
    )


def _notes(document: Mapping[str, Any]) -> tuple[NoteShown, ...]:
    by_code: dict[str, list[str]] = {}
    for one in document.get("notes", []):
        by_code.setdefault(one["code"], []).append(one["observed"])
    words = document.get("meanings", {}).get("notes", {})
    return tuple(
        NoteShown(code, words.get(code, ""), tuple(found[:_MOST_OF_A_NOTE]), len(found[_MOST_OF_A_NOTE:]))
        for code, found in by_code.items()
    )


def slices_of(document: Mapping[str, Any] | None) -> Slices | None:
    """What `slices.json` says; None where there are none."""
    if not document or not document.get("slices"):
        return None
    return Slices(
        document["plane"],
        document["of"],
        tuple(SliceShown(one["file"], one["index"], one["height_mm"]) for one in document["slices"]),
        tuple((one["name"], one["colour"]) for one in document["structures"]),
    )


def candidates_of(document: Mapping[str, Any] | None) -> tuple[Candidate, ...]:
    """What `selection.json` says of every series."""
    if document is None:
        return ()
    meanings: Mapping[str, str] = document.get("meanings", {})
    return tuple(
        Candidate(
            uid=one.get("series_instance_uid", ""),
            number=one.get("series_number"),
            modality=one.get("modality", ""),
            outcome=one.get("outcome", ""),
            rank=one.get("rank"),
            decided_by=str(one.get("decided_by", "")).replace("_", " "),
            reasons=tuple(
                (reason["code"], meanings.get(reason["code"], ""), reason.get("observed", ""))
                for reason in one.get("reasons", [])
            ),
            remarks=tuple(meanings.get(code, code) for code in one.get("warnings", [])),
        )
        for one in document.get("entries", [])
    )


def overlays_of(outputs: Iterable[Output]) -> list[Output]:
    """The pictures that are looked at one by one."""
    return [one for one in outputs if is_picture(one) and "/" not in one.name]


def is_picture(output: Output) -> bool:
    """Whether a browser shows it as a picture."""
    return output.media_type in _PICTURES


def _called(region: str, names: Mapping[str, str]) -> str:
    return names.get(region) or plain(region)


def _series(series: Mapping[str, Any]) -> dict[str, str]:
    """Facts of the series: none of what people typed."""
    technique: Mapping[str, Any] = series.get("technique", {})
    shape, spacing = series.get("shape", ()), series.get("spacing_mm", ())
    told = {
        "Series Number": technique.get("series_number"),
        "Modality": technique.get("modality"),
        "Kernel": technique.get("kernel"),
        "kVp": None if technique.get("kvp") is None else f"{technique['kvp']:g}",
        "Volume": " × ".join(map(str, shape)) + " voxels" if shape else None,
        "Spacing": " × ".join(f"{one:.3g}" for one in spacing) + " mm" if spacing else None,
        "Slices": "tilted" if series.get("tilted") else None,
    }
    return {name: str(value) for name, value in told.items() if value not in (None, "")}
