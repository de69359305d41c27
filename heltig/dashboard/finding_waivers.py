"""A finding accepted from the page of its study: asked once, with why, until when and for what."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

import msgspec
from litestar import HttpMethod, Response, route
from litestar.params import FromPath

from heltig.api.services import services_of
from heltig.dashboard.asking import went, went_to
from heltig.dashboard.filters import number
from heltig.dashboard.kept import keep_form, kept_form
from heltig.dashboard.own_forms import FORM_HEADERS, AnyRequest, insist_on_our_page, typed_in, who
from heltig.dashboard.pages import page
from heltig.dashboard.review import back_to, found_study
from heltig.dashboard.ticked_waivers import REASON, WaiverForm, insist_on_seeing_findings
from heltig.errors import ConflictError, NotFoundError, UsageError
from heltig.reports.reasons import together
from heltig.rules.finding import Finding
from heltig.store import verdicts
from heltig.store.records import StoredVerdict, Study
from heltig.store.transaction import ReadTransaction
from heltig.store.waivers import NewWaiver

MOST_SHOWN: Final = 100
"""Findings of one question."""

_GET: Final = [HttpMethod.GET, HttpMethod.HEAD]
_POST: Final = [HttpMethod.POST]
_ANSWERS: Final = "answers"
"""The parameter under which what was answered, and is wrong, is shown again."""

_SCOPE: Final = "scope"
_TICK: Final = "finding-"
_HERE, _EVERYWHERE, _ALL_HERE = "here", "everywhere", "all-here"


class Asked(msgspec.Struct, frozen=True):
    """What may be accepted.

    Attributes:
        study: The study at the location that is shown.
        findings: Those that say the same and that nobody accepted yet, by their place in the verdict.
    """

    study: Study
    findings: dict[int, Finding]


@route("/studies/{study:str}/waive", http_method=_GET)
async def ask_waive(request: AnyRequest, study: FromPath[str]) -> Response[str]:
    """Asks whether a finding is to be accepted, why, until when and for which studies."""
    asked = await _asked(request, study)
    answers = request.query_params.get(_ANSWERS, "")
    typed = kept_form(request, answers) if answers else {}
    now = services_of(request.app.state).clock()
    return page(
        request,
        "waive.html",
        headers=FORM_HEADERS,
        study=asked.study,
        findings=asked.findings,
        ticked=_ticked(asked, typed) if typed else asked.findings,
        typed={"expires": "", REASON: "", _SCOPE: _HERE, **typed},
        wrong=_wrong(asked, typed, now) if typed else {},
        earliest=now + timedelta(days=1),
        back=back_to(asked.study),
        most_shown=MOST_SHOWN,
    )


@route("/studies/{study:str}/waive", http_method=_POST)
async def waive(request: AnyRequest, study: FromPath[str]) -> Response[Any]:
    """Accepts it."""
    services = insist_on_our_page(request)
    asked, typed = await _asked(request, study), await typed_in(request)
    now, form = services.clock(), WaiverForm.read(typed)
    end = form.end()
    if _wrong(asked, typed, now) or end is None:
        return went_to(_again(request, typed))
    by = who(request)
    try:
        for finding in _ticked(asked, typed).values():
            await services.waivers.give(
                NewWaiver(
                    rule=finding.rule,
                    tags=finding.tags,
                    observed=finding.observed,
                    digest=finding.digest,
                    location=None if typed[_SCOPE] == _EVERYWHERE else asked.study.location,
                    study_key=None if typed[_SCOPE] == _ALL_HERE else asked.study.study_key,
                    reason=form.reason,
                    author=by["actor"],
                    created=now,
                    expires=end,
                ),
                origin=by["origin"],
            )
    except (NotFoundError, ConflictError, UsageError) as wrong:
        return went_to(_again(request, {**typed, "refused": wrong.detail}))
    return went(back_to(asked.study), "waived")


FINDING_WAIVERS: Final = (ask_waive, waive)
"""The routes."""


async def _asked(request: AnyRequest, study: str) -> Asked:
    """What the address names.

    Raises:
        NotFoundError: There is no such study, verdict or finding.
        ConflictError: The study was judged again meanwhile, or the finding accepted.
    """
    insist_on_seeing_findings(request)
    found = await found_study(request, study)
    last = await services_of(request.app.state).store.read(_last, found)
    if last.revision != number(request.query_params, "revision"):
        raise ConflictError("The study was judged again meanwhile: look at its findings anew.")
    given = last.verdict.findings
    place = number(request.query_params, "finding")
    if place is None or place >= len(given):
        raise NotFoundError("The verdict has no such finding.")
    places = {id(finding): n for n, finding in enumerate(given)}
    group = next(group for group in together(given) if any(one is given[place] for one in group))
    standing = {places[id(one)]: one for one in group if not one.waived}
    if not standing:
        raise ConflictError("This finding is waived already.")
    return Asked(found, dict(list(standing.items())[:MOST_SHOWN]))


def _last(transaction: ReadTransaction, study: Study) -> StoredVerdict:
    last = verdicts.current(transaction, study.location, study.study_key)
    if last is None:
        raise NotFoundError("The study has no verdict yet.")
    return last


def _ticked(asked: Asked, typed: Mapping[str, str]) -> dict[int, Finding]:
    if len(asked.findings) == 1:
        return asked.findings
    return {place: one for place, one in asked.findings.items() if f"{_TICK}{place}" in typed}


def _wrong(asked: Asked, typed: Mapping[str, str], now: datetime) -> dict[str, str]:
    """What is wrong with the answer, by field."""
    wrong = WaiverForm.read(typed).wrong(None, now)
    if typed.get(_SCOPE) not in (_HERE, _EVERYWHERE, _ALL_HERE):
        wrong[_SCOPE] = "Choose what it covers."
    if not _ticked(asked, typed):
        wrong["findings"] = "Tick what is accepted."
    elif "refused" in typed:
        wrong["findings"] = typed["refused"]
    return wrong


def _again(request: AnyRequest, typed: dict[str, str]) -> str:
    """The address of the same question with what was answered."""
    query = {name: request.query_params.get(name, "") for name in ("location", "revision", "finding")}
    return f"?{urlencode({**query, _ANSWERS: keep_form(request, typed)})}"
