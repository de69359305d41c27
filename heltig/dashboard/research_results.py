"""The page of an analysis: how it goes while it is made, what it came to, its pictures and downloads."""

from typing import Any, Final

import msgspec
from litestar import HttpMethod, Request, Response, route
from litestar.params import FromPath
from litestar.response.file import File
from litestar.types import ASGIApp

from heltig.api.looks import shows
from heltig.api.services import services_of
from heltig.api.v1.research_files import sent_zip
from heltig.auth.policy import refusal
from heltig.dashboard.asking import Question, ask, went
from heltig.dashboard.own_forms import FORM_HEADERS, AnyRequest, insist_on_our_page, principal_of, who
from heltig.dashboard.pages import page
from heltig.dashboard.research_parts import (
    STATES_IN_WORDS,
    desk_of,
    shared,
    sight_of_results,
)
from heltig.dashboard.research_publishing import targets_of
from heltig.dashboard.results import (
    candidates_of,
    is_picture,
    overlays_of,
    results_of,
    sent_of,
    slices_of,
    stages_of,
)
from heltig.errors import NotFoundError
from heltig.pipeline.research.asked import meaning_of
from heltig.pipeline.research.handing_out import SELECTION, may_name_patient
from heltig.store.analyses import Analysis, Output

_GET: Final = [HttpMethod.GET, HttpMethod.HEAD]
_POST: Final = [HttpMethod.POST]

_MASKS: Final = ("total/", "tissue_types/", "bleed/", "other/")
PARTS: Final = {"masks": _MASKS, "dicom": ("dicom/",), "pictures": ("",), "all": ("",)}
"""What can be had as a ZIP, by the beginnings of names."""

_TOLD: Final = {
    "ordered": "Ordered. It begins when its turn comes; this page shows how it goes.",
    "going": "The same is under way already: this is it.",
    "cancelled": "Cancelled. What makes it stops within seconds.",
    "publishing": "It goes, within the archive's hours and at its pace; below stands how far it is.",
}


class Download(msgspec.Struct, frozen=True):
    """Something that can be had.

    Attributes:
        name: What it is.
        address: From the page on.
        about: Number of files and their kind.
        size: Bytes.
    """

    name: str
    address: str
    about: str
    size: int


@route("/research/{id:str}", http_method=_GET)
async def show_analysis(request: AnyRequest, id: FromPath[str]) -> Response[str]:
    """One analysis."""
    services = services_of(request.app.state)
    files = desk_of(request).files
    found = await files.find(id)
    shows(request.scope, [found.study_key])
    now, sight = services.clock(), sight_of_results(request)
    outputs = await files.outputs_of(found)
    may_see = sight.evidence or not may_name_patient(found)
    document = await files.document_of(found, "analysis.json") if found.state == "done" else None
    headers = dict(FORM_HEADERS)
    if found.finished is not None and not found.is_publishing and request.headers.get("heltig-poll"):
        headers["HX-Refresh"] = "true"  # a page with pictures takes the place of the one that waits
    return page(
        request,
        "analysis.html",
        headers=headers,
        analysis=found,
        meaning=meaning_of(found.code) or _by_selection(await files.document_of(found, SELECTION), found),
        override_reason=sight.typed(found.override_reason),
        stages=stages_of(found, now),
        sent=sent_of(await desk_of(request).publishing.of(found)),
        results=None if document is None else results_of(document),
        candidates=candidates_of(await files.document_of(found, SELECTION)) if may_see else (),
        slices=slices_of(await files.document_of(found, "slices.json")) if may_see else None,
        overlays=overlays_of(outputs) if may_see else (),
        downloads=_downloads(found, outputs) if may_see else (),
        has_outputs=bool(outputs),
        is_here=not outputs or document is not None or found.state != "done",
        may_see=may_see,
        may_cancel=found.finished is None,
        sees_jobs=refusal(principal_of(request), "GET", "/jobs/{id}") is None,
        states=STATES_IN_WORDS,
        told=_told(found, request.query_params.get("done", "")),
        targets=targets_of(request, found, outputs),
        **shared(request),
    )


@route("/research/{id:str}/pictures/{name:str}", http_method=_GET)
async def show_overlay(request: AnyRequest, id: FromPath[str], name: FromPath[str]) -> File:
    """A picture of an analysis."""
    return await _picture(request, id, name)


@route("/research/{id:str}/pictures/slices/{name:str}", http_method=_GET)
async def show_slice(request: AnyRequest, id: FromPath[str], name: FromPath[str]) -> File:
    """A slice of an analysis."""
    return await _picture(request, id, f"slices/{name}")


@route("/research/{id:str}/zip/{part:str}", http_method=[HttpMethod.GET])
async def download_part(request: Request[Any, Any, Any], id: FromPath[str], part: FromPath[str]) -> ASGIApp:
    """Some of the files of an analysis as a ZIP, or all of them."""
    files = desk_of(request).files
    found = await files.find(id)
    if part not in PARTS:
        raise NotFoundError("There is no such part: masks, dicom, pictures and all can be had.")
    wanted = await files.files(
        found, sight=sight_of_results(request), wanted=lambda output: _is_in(part, output)
    )
    shows(request.scope, [found.study_key])
    await files.record(found, f"zip of {part}", **who(request))
    return sent_zip(wanted, f"heltig-{part}-{found.analysis_id}.zip")


@route("/research/{id:str}/cancel", http_method=_GET)
async def ask_cancel(request: AnyRequest, id: FromPath[str]) -> Response[str]:
    """Asks whether an analysis is to be cancelled."""
    found = await desk_of(request).files.find(id)
    return ask(
        request,
        Question(
            here="research",
            title="Cancel this analysis?",
            about=f"Of study {found.study_key} at {found.location}. It is {found.state}.",
            happens=(
                "What makes it is stopped within seconds, and nothing of it is kept.",
                "It stays in the list as failed, CANCELLED. The study can be analysed again at any time.",
            ),
            button="Cancel the analysis",
            back=f"../{id}",
            is_final=True,
        ),
    )


@route("/research/{id:str}/cancel", http_method=_POST)
async def cancel(request: AnyRequest, id: FromPath[str]) -> Response[None]:
    """Cancels it."""
    insist_on_our_page(request)
    await desk_of(request).cancel(id, **who(request))
    return went(f"../{id}", "cancelled")


RESULTS: Final = (show_analysis, show_overlay, show_slice, download_part, ask_cancel, cancel)
"""The routes."""


async def _picture(request: AnyRequest, id: str, name: str) -> File:
    files = desk_of(request).files
    found = await files.find(id)
    output, path = await files.file(found, name, sight=sight_of_results(request))
    if not is_picture(output):
        raise NotFoundError("This file of the analysis is no picture.")
    shows(request.scope, [found.study_key])
    headers = {"Cache-Control": "private, max-age=3600", "X-Content-Type-Options": "nosniff"}
    return File(
        path,
        media_type=output.media_type,
        content_disposition_type="inline",
        filename=name.rpartition("/")[2],
        headers=headers,
    )


def _is_in(part: str, output: Output) -> bool:
    if part == "pictures":
        return is_picture(output)
    return output.name.startswith(PARTS[part])


def _downloads(found: Analysis, outputs: list[Output]) -> list[Download]:
    api = f"../api/v1/research/analyses/{found.analysis_id}/outputs"
    single = {
        "volume.nii.gz": ("Volume", "NIfTI, as it was measured"),
        "measurements.csv": ("Measurements", "CSV, a row each"),
        "resultados.json": ("Measurements by flat keys", "JSON"),
        "analysis.json": ("All about it", "JSON"),
        "fhir/observations.json": ("Observations", "FHIR R4"),
    }
    several = {
        "masks": ("Masks", "NIfTI, a file a structure"),
        "dicom": ("DICOM objects", "segmentation, report, pictures"),
        "pictures": ("Pictures", "overlays and slices"),
        "all": ("Everything", "all files"),
    }
    made = []
    for part, (name, about) in several.items():
        of = [one for one in outputs if _is_in(part, one)]
        if of:
            many = f"{len(of)} file{'s' if len(of) > 1 else ''} as ZIP: {about}"
            address = f"{found.analysis_id}/zip/{part}"
            made.append(Download(name, address, many, sum(one.size for one in of)))
    for one in outputs:
        if one.name in single:
            name, about = single[one.name]
            made.append(Download(name, f"{api}/{one.name}", about, one.size))
    return made


def _told(found: Analysis, done: str) -> str:
    """What was done, as long as it is news: pages that refresh themselves keep their address."""
    is_over = found.is_publishing is False if done == "publishing" else found.finished is not None
    return "" if is_over and found.code != "CANCELLED" else _TOLD.get(done, "")


def _by_selection(document: dict[str, Any] | None, found: Analysis) -> str:
    """What a code of the selection means, which its audit says."""
    meanings: dict[str, str] = (document or {}).get("meanings", {})
    return meanings.get(found.code, "")
