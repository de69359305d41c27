"""How an archive is to be treated: whom to trust, how much to ask of it and when, how to watch it."""

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from heltig.setting_types import is_ae_title
from heltig.work_hours import WorkHours

_YEAR_IN_HOURS: Final = 366 * 24
"""Nothing is left for longer than a year: more is a slip, and dates come to their end."""
_CENTURY_IN_DAYS: Final = 36_525

StrategyChoice = Literal["auto", "listing", "orthanc", "azure", "dcm4chee", "none"]


GateMode = Literal["observe", "enforce", "hold"]
GateFailing = Literal["closed", "open"]
GateReview = Literal["forward", "quarantine"]
GateBlocked = Literal["pass", "refuse"]


class ArchiveOptions(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, rename="camel"
):
    """What can be set for an archive beside its addresses. Each field's Meta is its documentation.

    Raises:
        ValueError: The hours are none, or the time zone is not known, or a key has no certificate.
    """

    ca_bundle: Annotated[str | None, Meta(description="PEM file of the only authorities to trust.")] = None
    certificate: Annotated[
        str | None, Meta(description="PEM file of our client certificate, with its chain (mutual TLS).")
    ] = None
    key: Annotated[
        str | None, Meta(description="PEM file of its key, where the certificate's file does not hold it.")
    ] = None
    concurrency: Annotated[
        int, Meta(ge=1, le=64, description="Requests at the same time, and studies pulled at a time.")
    ] = 2
    requests_per_second: Annotated[
        Annotated[float, Meta(ge=0.001, le=1_000_000)] | None,
        Meta(description="The most requests a second, of all workers together."),
    ] = None
    bytes_per_second: Annotated[
        Annotated[int, Meta(ge=1024, le=10**15)] | None,
        Meta(description="The most bytes a second to take from it, of all workers together."),
    ] = None
    hours: Annotated[
        tuple[str, ...],
        Meta(
            description="When it may be asked, such as `mon-fri 19:00-06:00`; always where there is nothing."
        ),
    ] = ()
    timezone: Annotated[
        str, Meta(description="The time zone of these hours, an IANA name such as `Europe/Berlin`.")
    ] = "UTC"
    profile: Annotated[
        Annotated[str, Meta(min_length=1)] | None,
        Meta(
            description="What its studies are judged with: a shipped profile or the path of a TOML file; "
            "`HELTIG_PROFILE` where there is nothing.",
        ),
    ] = None
    priority: Annotated[
        int,
        Meta(ge=-100, le=100, description="Its pulls before those of archives with a higher number."),
    ] = 0
    weight: Annotated[
        int, Meta(ge=1, le=1000, description="Its share of the workers among archives of one priority.")
    ] = 1
    strategy: Annotated[
        StrategyChoice,
        Meta(
            description="How it is watched: by a change feed of one kind, by `listing`, by what the probe "
            "found (`auto`), or not at all (`none`)."
        ),
    ] = "auto"
    poll_seconds: Annotated[
        float,
        Meta(ge=1, le=_YEAR_IN_HOURS * 3600, description="How often to look for new and changed studies."),
    ] = 60.0
    quiet_seconds: Annotated[
        float,
        Meta(
            ge=0,
            le=_YEAR_IN_HOURS * 3600,
            description="A study is pulled when nothing changed in it for so long.",
        ),
    ] = 120.0
    settle_seconds: Annotated[
        float,
        Meta(
            ge=0,
            le=_YEAR_IN_HOURS * 3600,
            description="A study that keeps changing is pulled after so long all the same.",
        ),
    ] = 5400.0
    hot_days: Annotated[
        int,
        Meta(
            ge=0,
            le=_CENTURY_IN_DAYS,
            description="Studies of so many days are listed with every look (`listing`).",
        ),
    ] = 3
    warm_days: Annotated[
        int,
        Meta(
            ge=0,
            le=_CENTURY_IN_DAYS,
            description="Studies of so many days are listed every `warmMinutes`.",
        ),
    ] = 30
    warm_minutes: Annotated[
        float,
        Meta(ge=1, le=_YEAR_IN_HOURS * 60, description="How often the studies of `warmDays` are listed."),
    ] = 30.0
    cold_hours: Annotated[
        float, Meta(ge=1, le=_YEAR_IN_HOURS, description="How often all studies are listed.")
    ] = 24.0
    failing_hours: Annotated[
        float,
        Meta(
            gt=0,
            le=_YEAR_IN_HOURS,
            description="There is an alert when it could not be asked for new studies for so long.",
        ),
    ] = 1.0
    silent_hours: Annotated[
        Annotated[float, Meta(gt=0, le=_YEAR_IN_HOURS)] | None,
        Meta(
            description="There is an alert when it was read and showed no new study for so long; none where "
            "nothing is said."
        ),
    ] = None
    gate: Annotated[
        GateMode | None,
        Meta(
            description="What the gate before it does with what is sent: forwards it, and judges beside "
            "(`observe`); refuses instances with a `block` finding (`enforce`); keeps all until the study is "
            "judged (`hold`). There is no gate where there is nothing."
        ),
    ] = None
    gate_failing: Annotated[
        GateFailing,
        Meta(
            description="What a gate in `enforce` does with what it could not judge: refuses it (`closed`) "
            "or forwards it (`open`)."
        ),
    ] = "closed"
    gate_review: Annotated[
        GateReview,
        Meta(
            description="What a gate in `hold` does with a study that is NEEDS_REVIEW: forwards it "
            "(`forward`) or lays it before a person, like one that is BLOCKED (`quarantine`)."
        ),
    ] = "forward"
    gate_blocked: Annotated[
        GateBlocked,
        Meta(
            description="What the gate does with who retrieves a study that is BLOCKED: passes it on like "
            "any other (`pass`) or refuses it (`refuse`)."
        ),
    ] = "pass"
    gate_idle_seconds: Annotated[
        float,
        Meta(
            ge=0,
            le=_YEAR_IN_HOURS * 3600,
            description="A study that is sent to the gate is judged when nothing of it came for so long.",
        ),
    ] = 30.0

    dimse_host: Annotated[
        Annotated[str, Meta(pattern=r"^[A-Za-z0-9.:_-]{1,253}$")] | None,
        Meta(
            description="Where it takes objects by C-STORE: the gate sends them there then, not by STOW-RS."
        ),
    ] = None
    dimse_port: Annotated[int, Meta(ge=1, le=65535, description="The port of `dimseHost`.")] = 104
    dimse_ae_title: Annotated[
        str | None, Meta(description="Its AE title; we call ourselves `HELTIG_AE_TITLE`.")
    ] = None
    dimse_tls: Annotated[
        Literal["off", "on"],
        Meta(description="Whether it speaks TLS there, with the certificates of this archive."),
    ] = "off"

    def __post_init__(self) -> None:
        for field, hours in (("timezone", ()), ("hours", self.hours)):
            try:
                WorkHours(hours, self.timezone)
            except ValueError as wrong:
                raise ValueError(f"{field}: {wrong}") from None
        if self.key and not self.certificate:
            raise ValueError("key: give the certificate that it belongs to, too")
        if (self.dimse_host is None) != (self.dimse_ae_title is None):
            raise ValueError("dimseAeTitle: give it together with dimseHost")
        if self.dimse_ae_title is not None and not is_ae_title(self.dimse_ae_title):
            raise ValueError("dimseAeTitle: not an AE title")
