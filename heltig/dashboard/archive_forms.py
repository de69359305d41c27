"""The pages on which an archive is added and changed."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from litestar import HttpMethod, Response, route
from litestar.params import FromPath
from litestar.response import Redirect

from heltig.api.services import Services, services_of
from heltig.credentials import NoAuth
from heltig.dashboard.archive_checks import AT_LARGE, check, echoed
from heltig.dashboard.archive_fields import (
    CHOSEN,
    FIELDS,
    GROUPS,
    KINDS,
    patch_of,
    texts_of,
    without_nothing,
)
from heltig.dashboard.own_forms import FORM_HEADERS, AnyRequest, insist_on_our_page, typed_in, who
from heltig.dashboard.pages import page, segment
from heltig.dashboard.refused import refuse, refused
from heltig.errors import ConflictError, PreconditionFailedError
from heltig.pipeline.archives import administration as archives
from heltig.pipeline.archives.form import ArchiveForm, entry_of, etag_of, form_of, patched, read_form
from heltig.store.archives import Archive

_GET: Final = [HttpMethod.GET, HttpMethod.HEAD]
_POST: Final = [HttpMethod.POST]
_SEEN: Final = "seen"
"""The hidden field with the ETag of the archive as the form showed it."""
_NEW: Final = ArchiveForm(name="", qido_url="")
_MEANWHILE: Final = (
    "Somebody changed this archive meanwhile. Nothing of yours is lost: where it differs from what is stored "
    "now, that stands below the field. Save again to have it as it stands here."
)


@route("/add-archive", http_method=_GET)
async def show_add(request: AnyRequest) -> Response[str]:
    """The form for a new archive."""
    return _form(request, None, texts_of(_NEW))


@route("/add-archive", http_method=_POST)
async def add(request: AnyRequest) -> Response[Any]:
    """Adds an archive, or says what is wrong with it."""
    services = insist_on_our_page(request)
    typed = await typed_in(request)

    def read(patch: Mapping[str, Any]) -> Archive:
        return entry_of(read_form(without_nothing(patch)), services.settings, from_afar=True)

    checked = await asyncio.to_thread(check, patch_of(typed), read)
    if checked.wrong:
        return refuse(request, typed=echoed(typed), wrong=checked.wrong)
    entry: Archive = checked.found
    try:
        await archives.add_archive(services.store, entry, at=services.clock(), **who(request))
    except ConflictError as taken:
        return refuse(request, typed=echoed(typed), wrong={"name": taken.detail})
    return _to(f"archives/{segment(entry.name)}?done=added")


@route("/archives/{id:str}/change", http_method=_GET)
async def show_change(request: AnyRequest, id: FromPath[str]) -> Response[str]:
    """The form for an archive that there is."""
    entry = await archives.find_archive(services_of(request.app.state).store, id)
    typed = texts_of(form_of(entry))
    if "auth" in entry.unreadable:
        typed[CHOSEN] = ""  # to be chosen: nothing is no safe default for what was lost
    return _form(request, entry, typed)


@route("/archives/{id:str}/change", http_method=_POST)
async def change(request: AnyRequest, id: FromPath[str]) -> Response[Any]:
    """Changes an archive, or says what is wrong."""
    services = insist_on_our_page(request)
    typed = await typed_in(request)
    before = await archives.find_archive(services.store, id)
    patch = patch_of(typed)
    patch.pop("name")
    for field in before.unreadable:  # what this version does not know goes with the first change
        part, _, name = field.partition(".")
        if part == "options" and name:
            patch["options"].setdefault(name, None)

    def read(wanted: Mapping[str, Any]) -> Archive:
        form = form_of(before)
        return entry_of(patched(form, wanted), services.settings, before=form, from_afar=True)

    checked = await asyncio.to_thread(check, patch, read)
    if checked.wrong:
        seen = {_SEEN: typed.get(_SEEN, etag_of(before))}
        return refuse(request, typed={**echoed(typed), **seen}, wrong=checked.wrong)
    try:
        await _change(services, id, patch, seen=typed.get(_SEEN, ""), **who(request))
    except PreconditionFailedError:
        return refuse(request, typed=echoed(typed), wrong={AT_LARGE: _MEANWHILE})
    return _to(f"../{segment(id)}?done=changed")


FORMS: Final = (show_add, add, show_change, change)
"""The routes of all of them."""


async def _change(
    services: Services, name: str, patch: Mapping[str, Any], *, seen: str, actor: str, origin: str
) -> None:
    await archives.change_archive(
        services.store,
        services.settings,
        name,
        patch,
        if_match=seen if seen != "*" else "",
        from_afar=True,
        at=services.clock(),
        actor=actor,
        origin=origin,
    )


def _form(request: AnyRequest, entry: Archive | None, texts: Mapping[str, str]) -> Response[str]:
    """The form's page; where it was refused, with what was typed, and with what stands there by now if
    somebody changed the archive meanwhile.

    Args:
        request: The request.
        entry: The archive that is changed; None for a new one.
        texts: What the fields hold to begin with.
    """
    before = refused(request)
    is_changed = AT_LARGE in before.wrong
    stored = texts_of(form_of(entry)) if entry and is_changed else {}
    shown = {**dict.fromkeys(FIELDS, ""), **echoed(before.typed or texts)}
    return page(
        request,
        "archive_form.html",
        headers=FORM_HEADERS,
        entry=entry,
        has_secret=entry is not None and not isinstance(entry.auth, NoAuth),
        seen=before.typed.get(_SEEN) or (etag_of(entry) if entry else ""),
        groups=GROUPS,
        kinds=KINDS,
        chosen=shown.get(CHOSEN, ""),
        shown=shown,
        wrong=before.wrong,
        at_large=before.wrong.get(AT_LARGE, ""),
        stored={name: text for name, text in stored.items() if text != shown.get(name, "")},
        defaults=texts_of(_NEW),
    )


def _to(address: str) -> Redirect:
    """To another page, so that loading it again does nothing again; relative, for proxies."""
    return Redirect(address, status_code=303, headers=dict(FORM_HEADERS))
