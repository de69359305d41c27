"""Who sees what of patients: the one place that decides it.

Whatever is answered goes through what somebody sees (`Sight`): studies, findings, waivers and data sets as
they stand in the database go in, and come out as they may be shown.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeVar

import msgspec
from msgspec.structs import replace

from heltig.auth.policy import ROUTES, Refusal, is_whole, roles_named
from heltig.auth.principal import Principal
from heltig.errors import AuthorisationError
from heltig.pipeline.identifiers.masks import (
    DataSet,
    masked,
    tokens,
    without_fields,
    without_identifiers,
    without_ill_formed,
)
from heltig.pipeline.identifiers.redaction import redacted_finding, told_tags
from heltig.pipeline.identifiers.vocabulary import REDACTED
from heltig.rules.finding import Finding
from heltig.settings import Settings
from heltig.store.audit_actions import Action
from heltig.store.audit_trail import Line
from heltig.store.keyed import HIDDEN_OF_DEVICES, OF_PATIENTS, OF_STUDIES, Keyed
from heltig.store.records import Patient, Series, Study
from heltig.store.study_query import StudyQuery
from heltig.store.waivers import GivenWaiver
from heltig.store.well_formed import attributes_told, is_code, series_told

LineT = TypeVar("LineT", bound=Line)

RULE: Final = "identifiers"
"""What refuses, in problem documents and in the audit trail."""

WITH_TYPED_REASON: Final[frozenset[Action]] = frozenset(
    {
        *("analysis.override", "audit.accept", "quarantine.discard", "quarantine.release", "spool.write-off"),
        *("study.purge", "upload.purge"),
    }
)
"""Actions in the audit trail whose `reason` is a person's own words, which may name a patient."""

_HIDDEN: Final = "You do not see patients' identifiers here (HELTIG_IDENTIFIERS)"


class Sight(msgspec.Struct, frozen=True):
    """What somebody sees of patients.

    Attributes:
        identifiers: What the database holds of every study and finding, as it stands there.
        evidence: What studies were judged by, as it came.
        searches: They may look for studies by identifiers.
        keyed: Makes of an identifier what stands for it in the database; None where it stands there itself.
    """

    identifiers: bool = True
    evidence: bool = True
    searches: bool = True
    keyed: Keyed | None = None

    @property
    def mark(self) -> str:
        """What the entity tag of evidence has at its end: other bytes, another tag."""
        if self.evidence:
            return ""
        return f"-{self.keyed.id}" if self.keyed else "-masked"

    def study(self, study: Study, *, mask: str = REDACTED) -> Study:
        """A study, with the patients that it names.

        Args:
            study: As it stands in the database.
            mask: What stands for an identifier that they do not see.
        """
        if self.evidence:
            return study
        about = attributes_told(study.attributes, mask=mask)
        if self.identifiers:
            return replace(study, attributes=about)
        texts = {name: mask if getattr(about, name) else "" for name in OF_STUDIES}
        patients = tuple(_masked_patient(patient, mask) for patient in about.patients)
        return replace(study, attributes=replace(about, **texts, patients=patients))

    def modalities(self, modalities: Iterable[str]) -> list[str]:
        """Modalities of whatever studies: those that the standard lists."""
        return [one for one in modalities if self.evidence or is_code(one)]

    def series(self, series: Series) -> Series:
        """A series, with its modality and number where they are such."""
        return series if self.evidence else series_told(series)

    def finding(self, finding: Finding) -> Finding:
        """A finding, with what was observed."""
        return finding if self.identifiers else redacted_finding(finding)

    def findings(self, findings: Iterable[Finding]) -> tuple[Finding, ...]:
        """Some findings."""
        return tuple(map(self.finding, findings))

    def waiver(self, waiver: GivenWaiver) -> GivenWaiver:
        """A waiver, with what was observed, and why it was given."""
        waiver = replace(waiver, reason=self.typed(waiver.reason))
        if self.identifiers:
            return waiver
        observed = REDACTED if waiver.observed else ""
        return replace(waiver, tags=told_tags(waiver.tags), observed=observed, digest="")

    def typed(self, text: str) -> str:
        """What people wrote: it may name a patient, whatever the identifiers of a study are."""
        return text if self.searches or not text else REDACTED

    def audited(self, action: str, detail: Mapping[str, Any]) -> dict[str, Any]:
        """What the audit trail keeps of an action, with the reason that somebody typed."""
        if self.searches or action not in WITH_TYPED_REASON or not detail.get("reason"):
            return dict(detail)
        return {**detail, "reason": REDACTED}

    def line(self, line: LineT) -> LineT:
        """An entry of the trail, likewise; nobody knows where one that is damaged has its reason."""
        if self.searches or (line.action not in WITH_TYPED_REASON and not line.damaged):
            return line
        told = REDACTED if line.damaged else self.audited(line.action, _decode(line.detail))
        return replace(line, detail=msgspec.Raw(msgspec.json.encode(told)))

    def row(self, dataset: DataSet) -> DataSet:
        """The row of a study in DICOM JSON, made of what is known of every study."""
        if self.evidence:
            return dataset
        return without_ill_formed(dataset if self.identifiers else without_fields(dataset))

    def dataset(self, dataset: DataSet) -> DataSet:
        """Attributes in DICOM JSON out of what a study was judged by."""
        if self.evidence:
            return dataset
        return without_identifiers(dataset, tokens(self.keyed) if self.keyed else masked)

    def instance(self, text: bytes) -> bytes:
        """An instance in DICOM JSON, likewise."""
        if self.evidence:
            return text
        return msgspec.json.encode(self.dataset(_decode(text)))

    def query(self, query: StudyQuery) -> StudyQuery:
        """A search, as it is asked of the database.

        Raises:
            HiddenError: It looks for identifiers that they do not see: the answer would tell them.
            UsageError: It looks for a part of what is hashed.
        """
        names = (*OF_STUDIES, *OF_PATIENTS, *HIDDEN_OF_DEVICES)
        wanted = [name for name in names if getattr(query, name) is not None or name in query.empty]
        if wanted and not self.searches:
            raise HiddenError(f"{_HIDDEN}, so you cannot search by {', '.join(wanted).replace('_', ' ')}.")
        return self.keyed.query(query) if self.keyed else query


class HiddenError(AuthorisationError):
    """Somebody asks for identifiers that they do not see."""


ALL: Final = Sight()
"""Everything: whoever works on this machine, and everybody where identifiers are plain."""


NOTHING: Final = Sight(identifiers=False, evidence=False, searches=False)
"""No identifiers."""


class Sights:
    """What each principal sees, by the settings."""

    def __init__(self, settings: Settings, keyed: Keyed | None) -> None:
        """Knows the settings.

        Args:
            settings: The site's.
            keyed: Makes the hashes, where identifiers are kept as such.

        Raises:
            ConfigurationError: They name a role that there is not.
        """
        self._mode = settings.identifiers
        self._shown_to = roles_named(settings.identifiers_shown_to)
        self._keyed = keyed

    def of(self, principal: Principal | None) -> Sight:
        """What somebody sees; whoever is nobody sees nothing."""
        if self._mode == "plain":
            return ALL
        is_one = principal is not None and not principal.roles.isdisjoint(self._shown_to)
        if self._mode == "hashed":
            return Sight(identifiers=True, evidence=False, searches=is_one, keyed=self._keyed)
        return ALL if is_one else NOTHING

    def refusal(self, principal: Principal, method: str, template: str) -> Refusal | None:
        """Why somebody may not use a route that cannot be masked; None when they may.

        What an archive answers through its gate is the archive's: who may search by identifiers may have it.
        Rules across studies say which others have the same PatientID, name or accession number: who sends
        studies of their own making and reads what is found would ask for what is masked.
        """
        sight = self.of(principal)
        if self._mode == "masked" and not sight.evidence and ROUTES.get(f"{method} {template}") == "gate":
            if principal.areas == {"gate"}:
                return None
            return Refusal(
                RULE,
                f"{_HIDDEN}. Who sends studies and reads verdicts can try out what is masked: send with a "
                "key of the area `gate` alone.",
            )
        if self._mode == "plain" or not is_whole(method, template):
            return None
        if sight.evidence or (sight.searches and template.startswith("/gate/")):
            return None
        return Refusal(RULE, f"{_HIDDEN}, and {method} {template} cannot answer without them.")


def _masked_patient(patient: Patient, mask: str) -> Patient:
    return replace(patient, **{name: mask if getattr(patient, name) else "" for name in OF_PATIENTS})


_decode: Final[Any] = msgspec.json.Decoder(dict[str, Any]).decode
