"""Who is asking."""

from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

import msgspec

Role: TypeAlias = Literal["reader", "reviewer", "qa_operator", "admin", "auditor", "archive", "researcher"]

ROLES: Final[Mapping[Role, str]] = {
    "reader": "sees studies, verdicts and evidence",
    "reviewer": "decides about studies",
    "qa_operator": "brings studies in, by upload or from archives",
    "admin": "runs the service",
    "auditor": "sees what was done and by which rules, not the studies",
    "archive": "an archive that asks before it ingests",
    "researcher": "sees readiness, and orders analyses for research",
}
"""What each role is for. What it may do stands in `heltig.auth.policy`."""

Area: TypeAlias = Literal[
    "audit", "look-up", "query", "studies", "waivers", "upload", "rescore", "jobs", "dead-letters",
    "archives", "configure", "metrics", "rules", "pages", "gate", "pass-through", "quarantine", "review",
    "webhooks", "operations", "keys", "session", "research", "research-override",
    "research-publish",
]  # fmt: skip

AREAS: Final[Mapping[Area, str]] = {
    "audit": "the audit trail: who did what, and looked at which studies",
    "look-up": "the readiness of studies by their UID; no patient data",
    "query": "searches over judged studies, and the metadata they were judged by, with patient data",
    "studies": "studies, verdicts and findings with what was observed, patient data included",
    "waivers": "waivers, to give and to revoke them",
    "upload": "uploads, and what they came to",
    "rescore": "judging stored studies again",
    "jobs": "what is queued, running and done",
    "dead-letters": "having jobs tried again that ended badly, or letting them be",
    "archives": "the archives that are configured",
    "configure": "adding archives, changing, testing and pausing them",
    "metrics": "figures for monitoring; no patient data",
    "rules": "the rules and their manuals",
    "pages": "the pages for people",
    "gate": "bringing objects to an archive through the gate before it",
    "pass-through": "searching archives and retrieving from them through their gates, images included",
    "quarantine": "releasing studies that a gate kept back, or throwing them away",
    "review": "who sees to a study, and comments on studies",
    "webhooks": "receivers that are told of changes and alerts, and what they are told",
    "operations": "removing what is not kept any more",
    "keys": "API keys, and who is logged in on the pages: to make keys, to revoke them, to end sessions",
    "session": "one's own sessions on the pages, to end them",
    "research": "analyses of READY studies for research: to order them, to see what they gave",
    "research-override": "analyses of studies that are not READY, with a reason",
    "research-publish": "sending results of analyses to the archives that the site names",
}
"""Parts of the service that are given to roles; a key can be limited to some of them."""


class Principal(msgspec.Struct, frozen=True):
    """Somebody who is asking.

    Attributes:
        name: As the audit trail has it: `key:pacs-1`, `user:anna`, `token:router`, `local`, `consult`.
        roles: What they are.
        areas: What they are limited to; empty for everything that their roles may.
    """

    name: str
    roles: frozenset[Role]
    areas: frozenset[Area] = frozenset()


LOCAL: Final = Principal("local", frozenset({"admin"}))
"""Whoever is on this machine, where authentication is off."""

CONSULT: Final = Principal("consult", frozenset({"archive"}), frozenset({"look-up"}))
"""An archive that asks at the separate listener, by its address."""

ANONYMOUS: Final = "anonymous"
"""The name in the audit trail of somebody who did not say who they are."""


def may_log_in(name: str) -> bool:
    """Whether a text is a name as those who log in have one, and not just any text.

    >>> [may_log_in(name) for name in ("user:anna", "key:b", "token:c", "local", "Doe^Jane", "mine")]
    [True, True, True, True, False, False]
    """
    kind, _, rest = name.partition(":")
    is_named = kind in ("user", "key", "token") and bool(rest) and rest == rest.strip()
    return name == LOCAL.name or (is_named and rest.isprintable())


def known_role(text: str) -> Role | None:
    """A role by its name, None for what is none."""
    return next((role for role in ROLES if role == text), None)


def known_areas(texts: tuple[str, ...]) -> frozenset[Area]:
    """Those of the names that are areas."""
    return frozenset(area for area in AREAS if area in texts)
