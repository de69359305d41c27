"""All of an analysis as JSON: what was asked for, how it was made, what was found and measured.

Names are in snake_case, as in the audit of the selection and in the flat view. What was not measured is null,
never zero. What people typed about the patient or the study stands in it only where identified data is
allowed.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from heltig import __version__
from heltig.imaging.analysis import Analysis
from heltig.imaging.documents.masks import mask_paths
from heltig.imaging.inventory import Found
from heltig.imaging.metrics.flat import flat_view
from heltig.imaging.metrics.measurement import REASONS, VERSION, WARNINGS
from heltig.imaging.segment.segmenter import NOTES, Provenance
from heltig.imaging.statements import GATE_USE, RESEARCH_USE
from heltig.imaging.volume import Code

FORMAT: Final = "analysis/1"

STATEMENTS: Final = {"research_use": RESEARCH_USE, "gate_use": GATE_USE}

_OF_THE_PATIENT: Final = frozenset(
    {"series_description", "protocol", "patient_size_m", "acquisition_time", "contrast_start"}
)
"""Of the technique: what says something about the patient or the study, or may."""


def analysis_document(analysis: Analysis) -> dict[str, Any]:
    """The document, ready to be encoded."""
    results, audit = analysis.results, analysis.selection.audit
    found = results.inventory.found
    paths = mask_paths(key for key, one in found.items() if one.voxels)
    return {
        "format": FORMAT,
        **STATEMENTS,
        "heltig": __version__,
        "metrics": VERSION,
        "case_id": analysis.order.analysis_id,
        "fingerprint": analysis.fingerprint,
        "started": analysis.started,
        "seconds": analysis.seconds,
        "verdict": analysis.order.verdict,
        "override": analysis.order.override,
        "order": _order(analysis),
        "series": series_of(analysis),
        "selection": {
            "policy": audit.policy,
            "policy_digest": audit.policy_digest,
            "request": audit.request,
            "winner": audit.winner,
        },
        "provenance": [_provenance(one) for one in analysis.provenance],
        "notes": [note._asdict() for note in analysis.notes],
        "agreement": analysis.agreement and analysis.agreement._asdict(),
        "phase": results.phase,
        "regions": results.regions,
        "structures": [_structure(one, paths.get(key)) for key, one in found.items()],
        "measurements": results.measurements,
        "meanings": _meanings(analysis),
        "flat": flat_view(results, analysis.order.analysis_id),
    }


def series_of(analysis: Analysis) -> dict[str, Any]:
    """The series that was measured."""
    volume, allowed = analysis.volume, analysis.order.allow_identified
    technique: dict[str, Any] = msgspec.to_builtins(volume.technique)
    return {
        "study_instance_uid": volume.study_instance_uid,
        "series_instance_uid": volume.series_instance_uid,
        "frame_of_reference_uid": volume.frame_of_reference_uid,
        "shape": volume.shape,
        "spacing_mm": volume.spacing,
        "affine": volume.affine.tolist(),
        "unit": volume.unit,
        "tilted": volume.tilted,
        "technique": {
            name: value for name, value in technique.items() if allowed or name not in _OF_THE_PATIENT
        },
    }


def _meanings(analysis: Analysis) -> dict[str, dict[str, str]]:
    """The reasons and warnings of the measurements, and the notes, in words."""
    found = analysis.results.measurements
    reasons = {one.reason for one in found}
    warnings = {warning for one in found for warning in one.warnings}
    return {
        "reasons": {key: text for key, text in REASONS.items() if key in reasons},
        "warnings": {key: text for key, text in WARNINGS.items() if key in warnings},
        "notes": {note.code: NOTES[note.code] for note in analysis.notes},
    }


def _order(analysis: Analysis) -> dict[str, Any]:
    """What was asked for. Folders, and options of segmenters, are of the machine that it ran on: left out."""
    order = analysis.order
    return {
        "segmenters": [one.id for one in order.segmenters],
        "target": order.target,
        "slice_metrics": order.slice_metrics,
        "modalities": order.modalities,
        "series": order.series,
        "optional": order.optional,
        "height_m": order.height_m,
        "allow_identified": order.allow_identified,
        "converter": order.converter,
    }


def _provenance(one: Provenance) -> dict[str, Any]:
    fields: dict[str, Any] = msgspec.to_builtins(one)
    return {
        **fields,
        "inputs": [found._asdict() for found in one.inputs],
        "resampled_from": [grid._asdict() for grid in one.resampled_from],
    }


def _structure(one: Found, path: str | None) -> dict[str, Any]:
    structure = one.structure
    return {
        "key": structure.key,
        "name": structure.name,
        "category": _code(structure.category),
        "type": _code(structure.type),
        "laterality": structure.laterality and _code(structure.laterality),
        "status": one.status,
        "voxels": one.voxels,
        "volume_cm3": one.volume_cm3,
        "cut_at": one.cut_at,
        "file": path,
    }


def _code(code: Code) -> Mapping[str, str]:
    return code._asdict()
