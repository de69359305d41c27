"""The fields of the form by which an archive is configured: their names, and how they are written."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal, TypeAlias, get_args

import msgspec

from heltig.credentials import ClientProof
from heltig.pipeline.archives.form import ArchiveForm
from heltig.rules.profile_shipped import SHIPPED
from heltig.store.archive_options import (
    ArchiveOptions,
    GateBlocked,
    GateFailing,
    GateMode,
    GateReview,
    StrategyChoice,
)

Kind: TypeAlias = Literal["text", "url", "secret", "whole", "number", "lines", "choice"]


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """A field of the form.

    Attributes:
        name: As in REST, such as `options.concurrency`.
        label: What people call it.
        kind: How it is written; `lines` has a value in each line.
        hint: What it is for, with `code` in it.
        choices: What can be chosen, or is suggested: values, with what people call them.
        needs: The kinds of authentication that have it; empty for all.
        is_needed: Something has to be there.
    """

    name: str
    label: str
    kind: Kind = "text"
    hint: str = ""
    choices: tuple[tuple[str, str], ...] = ()
    needs: tuple[str, ...] = ()
    is_needed: bool = False


class Group(msgspec.Struct, frozen=True):
    """Fields that belong together; `is_folded` where few will need them."""

    id: str
    title: str
    fields: tuple[Field, ...]
    is_folded: bool = False


KINDS: Final[Mapping[str, str]] = {
    "none": "nothing",
    "basic": "user name and password",
    "bearer": "a token that something else obtains",
    "oauth2": "OAuth 2.0 client credentials",
}
"""How to authenticate, as people say it."""

_STRATEGIES: Final[Mapping[StrategyChoice, str]] = {
    "auto": "as a test found (auto)",
    "listing": "by listing studies",
    "orthanc": "changes of Orthanc",
    "azure": "change feed of Azure",
    "dcm4chee": "dcm4chee, by time of receipt",
    "none": "not at all",
}

_GATES: Final[Mapping[GateMode | Literal[""], str]] = {
    "": "there is none",
    "observe": "forwards, and judges beside (observe)",
    "enforce": "refuses what would be blocked (enforce)",
    "hold": "keeps studies until they are judged (hold)",
}
_FAILING: Final[Mapping[GateFailing, str]] = {"closed": "is refused (closed)", "open": "is forwarded (open)"}
_REVIEW: Final[Mapping[GateReview, str]] = {
    "forward": "is forwarded (forward)",
    "quarantine": "waits for a person (quarantine)",
}
_BLOCKED: Final[Mapping[GateBlocked, str]] = {
    "pass": "can be retrieved through it (pass)",
    "refuse": "cannot be retrieved through it (refuse)",
}
_TLS: Final = {"off": "no", "on": "with the certificates below"}


def _option(name: str, label: str, kind: Kind = "text", **more: Any) -> Field:
    field = next(one for one in msgspec.structs.fields(ArchiveOptions) if one.name == name)
    meta: msgspec.Meta = field.type.__metadata__[0]
    hint = more.pop("hint", meta.description or "")
    return Field(name=f"options.{field.encode_name}", label=label, kind=kind, hint=hint, **more)


GROUPS: Final = (
    Group(
        "roots",
        "What it is",
        (
            Field(
                name="name",
                label="Id",
                hint="Its name everywhere: `a` to `z`, `0` to `9`, `-` and `_`. It stays for good.",
                is_needed=True,
            ),
            Field(name="title", label="Title", hint="What people call it."),
            Field(
                name="qidoUrl",
                label="DICOMweb root",
                kind="url",
                hint="The root of QIDO-RS, such as `https://pacs.example/dicom-web`.",
                is_needed=True,
            ),
            Field(name="wadoUrl", label="WADO-RS root", kind="url", hint="Where that is not the root above."),
            Field(name="stowUrl", label="STOW-RS root", kind="url", hint="Where studies can be sent to."),
            Field(
                name="feedUrl",
                label="Root of its changes",
                kind="url",
                hint="Where that is not beside DICOMweb, such as Orthanc's own interface.",
            ),
        ),
    ),
    Group(
        "auth",
        "How we say who we are",
        (
            Field(name="auth.username", label="User name", needs=("basic",), is_needed=True),
            Field(
                name="auth.tokenUrl", label="Token endpoint", kind="url", needs=("oauth2",), is_needed=True
            ),
            Field(name="auth.clientId", label="Client id", needs=("oauth2",), is_needed=True),
            Field(
                name="auth.secret",
                label="Where the secret lies",
                kind="secret",
                hint="Never the secret itself: `env:HELTIG_SECRET_…`, or `file:` and the path of a file in "
                "the folder `secrets` of `HELTIG_HOME`.",
                needs=("basic", "bearer", "oauth2"),
                is_needed=True,
            ),
            Field(
                name="auth.proof",
                label="Proof of the client",
                kind="choice",
                choices=tuple((one, one) for one in get_args(ClientProof)),
                needs=("oauth2",),
            ),
            Field(name="auth.scope", label="Scope", needs=("oauth2",)),
            Field(name="auth.audience", label="Audience", needs=("oauth2",)),
            Field(
                name="auth.certificate",
                label="Certificate of our key",
                hint="For `private_key_jwt`: a PEM file.",
                needs=("oauth2",),
            ),
            Field(name="auth.keyId", label="Id of our key", hint="Likewise.", needs=("oauth2",)),
            Field(
                name="auth.caBundle",
                label="Authorities of the endpoint",
                hint="A PEM file of the only ones to trust there.",
                needs=("oauth2",),
            ),
        ),
    ),
    Group(
        "limits",
        "How much, and when",
        (
            _option("concurrency", "Requests at a time", "whole"),
            _option("requests_per_second", "Requests a second", "number"),
            _option("bytes_per_second", "Bytes a second", "whole"),
            _option(
                "hours",
                "Hours",
                "lines",
                hint="When it may be asked, a window in each line, such as `mon-fri 19:00-06:00`; always "
                "where there is nothing.",
            ),
            _option("timezone", "Time zone of these hours", hint="An IANA name such as `Europe/Berlin`."),
        ),
    ),
    Group(
        "judging",
        "Profile and rank",
        (
            _option(
                "profile",
                "Profile",
                choices=tuple((name, name) for name in SHIPPED),
                hint="What its studies are judged with: a shipped profile, or a file in the folder "
                "`profiles` of `HELTIG_HOME`; that of the site where there is nothing.",
            ),
            _option("priority", "Priority", "whole", hint="Lower numbers go first."),
            _option("weight", "Weight", "whole"),
        ),
    ),
    Group(
        "watching",
        "How it is watched",
        (
            _option("strategy", "New studies are found", "choice", choices=tuple(_STRATEGIES.items())),
            _option("poll_seconds", "Look every (seconds)", "number"),
            _option("quiet_seconds", "Quiet for (seconds)", "number"),
            _option("settle_seconds", "At the latest after (seconds)", "number"),
            _option("hot_days", "Newest studies (days)", "whole"),
            _option("warm_days", "Recent studies (days)", "whole"),
            _option("warm_minutes", "Recent ones every (minutes)", "number"),
            _option("cold_hours", "All studies every (hours)", "number"),
            _option("failing_hours", "Alert when it fails for (hours)", "number"),
            _option("silent_hours", "Alert when nothing new came for (hours)", "number"),
        ),
        is_folded=True,
    ),
    Group(
        "gate",
        "The gate before it",
        (
            _option("gate", "What it does", "choice", choices=tuple(_GATES.items())),
            _option("gate_failing", "What could not be judged", "choice", choices=tuple(_FAILING.items())),
            _option("gate_review", "What needs review", "choice", choices=tuple(_REVIEW.items())),
            _option("gate_blocked", "What is BLOCKED", "choice", choices=tuple(_BLOCKED.items())),
            _option("gate_idle_seconds", "Quiet for (seconds)", "number"),
        ),
        is_folded=True,
    ),
    Group(
        "dimse",
        "C-STORE instead of STOW-RS",
        (
            _option("dimse_host", "Host"),
            _option("dimse_port", "Port", "whole"),
            _option("dimse_ae_title", "AE title"),
            _option("dimse_tls", "TLS", "choice", choices=tuple(_TLS.items())),
        ),
        is_folded=True,
    ),
    Group(
        "tls",
        "Certificates",
        (
            _option("ca_bundle", "Authorities to trust"),
            _option("certificate", "Our certificate"),
            _option("key", "Its key"),
        ),
        is_folded=True,
    ),
)
FIELDS: Final = {field.name: field for group in GROUPS for field in group.fields}
CHOSEN: Final = "auth.kind"
"""The field that says how to authenticate."""


def texts_of(form: ArchiveForm) -> dict[str, str]:
    """What the fields hold for an archive; where a secret lies is not told."""
    given: dict[str, Any] = msgspec.to_builtins(form)
    options = {field.encode_name: field.default for field in msgspec.structs.fields(ArchiveOptions)}
    parts = {"auth": given.get("auth", {"kind": "none"}), "options": {**options, **given.get("options", {})}}
    found = {CHOSEN: _text(parts["auth"]["kind"])}
    for name in FIELDS:
        part, _, inner = name.rpartition(".")
        value = parts[part].get(inner) if part else given.get(name)
        found[name] = "" if name == "auth.secret" else _text(value)
    return found


def patch_of(typed: Mapping[str, str]) -> dict[str, Any]:
    """What was typed, as a merge patch of an `ArchiveForm`: what is left empty gets its default.

    A number that is none stays the text, which nothing takes. A secret that is left empty stays as it was.
    """
    patch: dict[str, Any] = {"auth": {"kind": typed.get(CHOSEN, "")}, "options": {}}
    for name, field in FIELDS.items():
        if field.needs and typed.get(CHOSEN) not in field.needs:
            continue
        part, _, inner = name.rpartition(".")
        value = _value(field, typed.get(name, ""))
        if value is not None or field.kind != "secret":
            (patch[part] if part else patch)[inner] = value
    return patch


def without_nothing(patch: Mapping[str, Any]) -> dict[str, Any]:
    """A patch as what a new archive is made of."""
    return {
        name: without_nothing(value) if isinstance(value, Mapping) else value
        for name, value in patch.items()
        if value is not None
    }


def _value(field: Field, text: str) -> str | float | list[str] | None:
    if not text:
        return None
    if field.kind == "lines":
        return [*_lines(text)]
    if field.kind in ("whole", "number"):
        try:
            return int(text) if field.kind == "whole" else float(text)
        except ValueError:
            return text
    return text


def _lines(text: str) -> Iterator[str]:
    yield from (line.strip() for line in text.split("\n") if line.strip())


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, list | tuple):
        return "\n".join(map(str, value))
    return str(value).removesuffix(".0") if isinstance(value, float) else str(value)
