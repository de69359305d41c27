"""Pages as answers: templates filled, with the headers that every page has."""

from collections.abc import Mapping
from functools import cache
from typing import Any, Final
from urllib.parse import quote

from jinja2 import Environment, PackageLoader
from litestar import MediaType, Request, Response

from heltig.api.services import services_of
from heltig.auth.policy import refusal
from heltig.auth.principal import LOCAL, Principal
from heltig.dashboard import wording
from heltig.dashboard.assets import assets
from heltig.dashboard.navigation import home_of, places_for
from heltig.reports.rendering import environment

CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)

HEADERS: Final[Mapping[str, str]] = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Referrer-Policy": "same-origin",  # or browsers do not say that the search is from our own page
}
"""A page has patient data, so nothing keeps it; it loads from us alone. `heltig.api.headers` has the rest."""


def page(
    request: Request[Any, Any, Any],
    template: str,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    **values: object,
) -> Response[str]:
    """Answers with a page.

    Args:
        request: The request.
        template: The template's file name.
        status: The HTTP status.
        headers: More headers.
        **values: What the template shows.
    """
    user = request.scope.get("user") or request.scope.get("state", {}).get("refused")
    known = user if isinstance(user, Principal) else None
    shared = {
        "up": up(request),
        "home": up(request) + home_of(known),
        "asker": known if known != LOCAL else None,
        "places": places_for(known, has_research=services_of(request.app.state).settings.analysis_enabled),
        "searches": refusal(known, "POST", "/search") is None,
        "form_lost": request.state.get("form_lost", False),
    }
    text = _environment().get_template(template).render(**shared, **values)
    return Response(
        text, status_code=status, media_type=MediaType.HTML, headers={**HEADERS, **(headers or {})}
    )


def up(request: Request[Any, Any, Any]) -> str:
    """The way from the address of a request to `/`, so that pages work below any path of a proxy.

    >>> from types import SimpleNamespace
    >>> up(SimpleNamespace(scope={"path": "/studies/1.2", "raw_path": b"/studies/1.2"}))
    '../'
    """
    raw: bytes = request.scope.get("raw_path") or quote(request.scope["path"]).encode()
    return "../" * (raw.partition(b"?")[0].count(b"/") - 1) or "./"


def segment(study_key: str) -> str:
    """A study's key as the last part of an address.

    Browsers take the segments `.` and `..` for the way up, percent-encoded too. So a key of dots has a `=`
    before it, and one that begins with `=` a second one; `study_of` takes it off.

    >>> segment("1.2"), segment(".."), segment("=1/2"), study_of("=..")
    ('1.2', '%3D..', '%3D%3D1%2F2', '..')
    """
    marked = study_key.startswith("=") or not study_key.strip(".")
    return quote(f"={study_key}" if marked else study_key, safe="")


def study_of(segment: str) -> str:
    """The study that a segment of an address names; see `segment`."""
    return segment.removeprefix("=")


@cache
def _environment() -> Environment:
    made = environment(PackageLoader("heltig.dashboard"))
    made.filters.update(
        dicom_date=wording.dicom_date,
        dicom_time=wording.dicom_time,
        person=wording.person,
        moment=wording.moment,
        exact=wording.exact,
        ago=wording.ago,
        zone=wording.zone,
        duration=wording.duration,
        size=wording.size,
        percent=wording.percent,
        rate=wording.rate,
        day=wording.day,
        inline=wording.inline,
        days=wording.days,
        segment=segment,
    )
    made.globals["assets"] = {name: asset.file_name for name, asset in assets().items()}
    return made
