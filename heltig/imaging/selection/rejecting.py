"""Hard rejections: what is never measured, whatever else there is. All reasons are given."""

from collections.abc import Iterator

from heltig.imaging.own_results import is_own_result
from heltig.imaging.selection.candidates import Candidate, Reason
from heltig.imaging.selection.policy import Policy
from heltig.imaging.selection.preferring import is_other_sequence
from heltig.imaging.selection.request import Request
from heltig.imaging.selection.words import matching, tokens, without


def rejections(candidate: Candidate, policy: Policy, request: Request) -> tuple[Reason, ...]:
    """Why a candidate cannot be chosen; nothing if it can."""
    found = [*candidate.refused]
    found += _by_origin(candidate, policy, request)
    found += _by_words(candidate, policy, request)
    if not candidate.refused:
        found += _by_geometry(candidate, policy, request)
        if candidate.technique.modality == "CT" and not candidate.hounsfield:
            found.append(Reason("NOT_HOUNSFIELD"))
    return tuple(dict.fromkeys(found))


def warnings_of(candidate: Candidate, policy: Policy, request: Request) -> tuple[str, ...]:
    """What is to be said of a candidate that is not rejected for it."""
    said, technique = [], candidate.technique
    words = tokens(technique.body_part or "")
    named = {region for region, parts in policy.body_parts.items() if matching(parts, words)}
    if request.region and named and request.region not in named:
        said.append("BODY_PART_DIFFERS")
    if request.target == "brain" and technique.modality == "MR" and is_other_sequence(technique, policy):
        said.append("SEQUENCE_OTHER")
    if candidate.in_parts:
        said.append("SERIES_IN_PARTS")
    return tuple(said)


def _by_origin(candidate: Candidate, policy: Policy, request: Request) -> Iterator[Reason]:
    technique = candidate.technique
    if is_own_result(
        manufacturer=technique.manufacturer or "", series_description=technique.series_description or ""
    ):
        yield Reason("OWN_RESULT")
    wanted = [one for one in policy.modalities if one in request.modalities or not request.modalities]
    if technique.modality and technique.modality not in wanted:
        yield Reason("MODALITY_NOT_WANTED", "not one of " + ", ".join(wanted))
    for values in candidate.image_types:
        kinds = {value.strip().upper() for value in values}
        for value in map(tokens, values):
            hint = matching(policy.image_types.reformatted, value)
            if hint:
                yield Reason("IMAGE_REFORMATTED", hint)
            hint = matching(policy.image_types.maps, value)
            if hint:
                yield Reason("IMAGE_DERIVED", hint)
        if {"DERIVED", "SECONDARY"} <= kinds:
            yield Reason("IMAGE_DERIVED", "DERIVED, SECONDARY")


def _by_words(candidate: Candidate, policy: Policy, request: Request) -> Iterator[Reason]:
    lists, modality = policy.descriptions, candidate.technique.modality
    words = without(lists.excused, tokens(candidate.technique.series_description or ""))
    hint = matching((*lists.unwanted.get("*", ()), *lists.unwanted.get(modality, ())), words)
    if hint:
        yield Reason("DESCRIPTION_UNWANTED", hint)
    if request.target == "soft_tissue":
        hint = matching((*lists.lung.get("*", ()), *lists.lung.get(modality, ())), words)
        if hint:
            yield Reason("DESCRIPTION_LUNG", hint)


def _by_geometry(candidate: Candidate, policy: Policy, request: Request) -> Iterator[Reason]:
    if candidate.volumes > 1:
        yield Reason("SEVERAL_VOLUMES", f"{candidate.volumes} volumes at one place")
    fewest = policy.min_slices.get(candidate.technique.modality, 0)
    if candidate.slices < fewest:
        yield Reason("SLICES_TOO_FEW", f"{candidate.slices} of {fewest}")
    pixel, step = round(max(candidate.spacing[:2]), 2), round(candidate.spacing[2], 2)
    if pixel > policy.most_pixel_mm:
        yield Reason("PIXELS_COARSE", f"{pixel:.2f} mm, at most {policy.most_pixel_mm:g} mm")
    if step > policy.most_slice_mm:
        yield Reason("SLICES_FAR_APART", f"{step:.2f} mm, at most {policy.most_slice_mm:g} mm")
    if not request.slice_metrics:
        return
    if candidate.degrees_off_axis > policy.most_degrees_off_axis:
        yield Reason(
            "ORIENTATION_OFF_AXIS",
            f"{candidate.degrees_off_axis:.1f} degrees, at most {policy.most_degrees_off_axis:g}",
        )
    if candidate.tilted:
        yield Reason("GEOMETRY_GANTRY_TILT")
