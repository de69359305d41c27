"""What the pages of analyses have in common: their header, their words, what can be done here."""

from collections.abc import Mapping
from typing import Any, Final

from heltig.api.services import services_of
from heltig.auth.policy import refusal
from heltig.dashboard.own_forms import AnyRequest, principal_of
from heltig.imaging.order import State
from heltig.imaging.statements import GATE_USE, RESEARCH_USE
from heltig.pipeline.identifiers.sights import Sight
from heltig.pipeline.research.desk import ResearchDesk

STATES_IN_WORDS: Final[Mapping[State, str]] = {
    "queued": "waits its turn, and has its objects fetched",
    "selecting": "chooses a series",
    "converting": "reads the series as a volume",
    "segmenting": "finds structures",
    "measuring": "measures them",
    "rendering": "draws and writes its files",
    "publishing": "sends results to the archive",
    "done": "done",
    "refused": "refused, which is a normal outcome",
    "failed": "failed",
}

ALL_STAGES: Final[tuple[State, ...]] = (
    "queued",
    "selecting",
    "converting",
    "segmenting",
    "measuring",
    "rendering",
)
"""What every analysis goes through that is done."""


def desk_of(request: AnyRequest) -> ResearchDesk:
    """The desk of analyses."""
    desk: ResearchDesk = request.app.state["research"]
    return desk


def shared(request: AnyRequest) -> dict[str, Any]:
    """What the templates of all of them show."""
    desk = desk_of(request)
    return {
        "now": services_of(request.app.state).clock(),
        "statement": RESEARCH_USE,
        "gate_statement": GATE_USE,
        "is_open": desk.is_open,
        "is_installed": desk.is_installed,
        "sees_studies": refusal(principal_of(request), "GET", "/studies/{study}") is None,
        "may_override": refusal(principal_of(request), "GET", "/studies/{study}/analyse/override") is None,
    }


def sight_of_results(request: AnyRequest) -> Sight:
    """What somebody sees of analyses: the same as by `/api/v1/research`."""
    return services_of(request.app.state).sights.of(principal_of(request))
