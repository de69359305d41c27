"""Analyses as `/api/v1/research` takes and shows them."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from heltig.imaging.order import Modality, State
from heltig.imaging.statements import GATE_USE, RESEARCH_USE
from heltig.pipeline.identifiers.sights import Sight
from heltig.pipeline.research.asked import Asked, Target, meaning_of
from heltig.pipeline.research.ordering import MOST_REASON
from heltig.pipeline.research.publishing.codes import meaning_of_failure
from heltig.store.analyses import Analysis, Output
from heltig.store.publications import Publication, PublicationState
from heltig.verdict import Readiness

Name = Annotated[str, Meta(min_length=1, max_length=64, pattern="^[A-Za-z0-9._-]+$")]
Names = Annotated[tuple[Name, ...], Meta(max_length=16)]
Key = Annotated[str, Meta(min_length=1, max_length=1024)]


class AnalysisOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel", kw_only=True):
    """An analysis to be made.

    Attributes:
        study: The StudyInstanceUID, or the key of a study without one.
        location: Such as `archive:main`; where it is READY where this is left out.
        segmenters: What finds structures, of those that `GET /api/v1/research` lists, in the order in which
            they run.
        target: What the selection of a series looks for.
        slice_metrics: Something is measured on single slices.
        modalities: Which may be chosen; any where this is left out.
        series: SeriesInstanceUID that has to be taken.
        optional: Families of measurements that are made only where they are asked for.
        height_m: The patient's height in metres, where it is known better than by the images.
        converter: Has a second converter read the series, too; differences are flagged.
        allow_identified: Objects may be analysed that do not say that the patient's identity was removed.
    """

    study: Key
    location: Key | None = None
    segmenters: Names = ()
    target: Target = "soft_tissue"
    slice_metrics: bool = False
    modalities: tuple[Modality, ...] = ()
    series: Annotated[str, Meta(min_length=1, max_length=64, pattern="^[0-9.]+$")] | None = None
    optional: Names = ()
    height_m: Annotated[float, Meta(ge=0.3, le=2.8)] | None = None
    converter: Literal["dcm2niix"] | None = None
    allow_identified: bool = False

    @property
    def asked(self) -> Asked:
        """What is to be done."""
        return Asked(
            segmenters=self.segmenters,
            target=self.target,
            slice_metrics=self.slice_metrics,
            modalities=self.modalities,
            series=self.series,
            optional=self.optional,
            height_m=self.height_m,
            converter=self.converter,
        )


class AnalysisOverride(AnalysisOrder, frozen=True, forbid_unknown_fields=True, rename="camel", kw_only=True):
    """An analysis of a study that is not READY.

    Attributes:
        reason: Why; it stands with the analysis and in the audit trail.
    """

    reason: Annotated[str, Meta(min_length=1, max_length=MOST_REASON)]


class AnalysisView(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """An analysis.

    Attributes:
        id: Opaque.
        state: `done`, `refused` and `failed` are ends; to be refused is a normal outcome.
        stages: When each state began.
        code: Why it was refused or failed; `meaning` says it in a sentence, where the
            audit of the selection does not.
        observed: What was seen then, in numbers.
        readiness: What the gate said of the study when the analysis was ordered.
        override_reason: Why it is analysed though it is not READY; empty where it is.
        identified: Its files may say or show who the patient is.
        fingerprint: SHA-256 of all that decides its results.
        series: SeriesInstanceUID that was selected.
        same_as: The analysis that had made the same files before; null where these are its own.
        job: Its job, `GET /api/v1/jobs/{id}`.
        statement: What its results are for.
        gate_statement: What the readiness is.
    """

    id: str
    study: str
    location: str
    state: State
    stages: dict[str, datetime]
    code: str
    meaning: str
    observed: str
    readiness: Readiness | None
    override_reason: str
    requested_by: str
    ordered: datetime
    finished: datetime | None
    asked: dict[str, Any]
    identified: bool
    fingerprint: str
    series: str
    same_as: str | None
    job: int
    statement: str = RESEARCH_USE
    gate_statement: str = GATE_USE


class PublicationView(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """An object of an analysis on its way to an archive.

    Attributes:
        name: Its file.
        archive: Where it goes.
        state: `waiting` to be sent, `stored` as the archive said, `verified` where it shows it, or `failed`.
        attempts: How often it was sent.
        code: Why it failed, or what the archive warned of; `meaning` says it in a sentence.
        observed: What was seen then.
        changed: Since when it is so.
    """

    name: str
    sop_class_uid: str
    sop_instance_uid: str
    archive: str
    state: PublicationState
    attempts: int
    code: str
    meaning: str
    observed: str
    changed: datetime


class AnalysisDetail(AnalysisView, frozen=True, rename="camel", kw_only=True):
    """An analysis with what it came to.

    Attributes:
        measurements: The flat keys of `resultados.json`; null is *not measured*, never 0. None of them while
            it is not done, and where its files are not on this server.
        outputs: Its files.
        publications: Those of them that went to archives, or are on their way.
    """

    measurements: dict[str, Any] | None
    outputs: list[Output]
    publications: list[PublicationView]


class ResearchStatus(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """What analyses there can be here.

    Attributes:
        is_enabled: HELTIG_ANALYSIS_ENABLED.
        is_installed: What makes analyses is installed on this server.
        segmenters: Those of the site's plan.
        allow_identified: HELTIG_ANALYSIS_ALLOW_IDENTIFIED.
        max_parallel_cases: Analyses at the same time, on all workers together.
        publish_to: The archives that results may be sent to.
        statement: What their results are for.
    """

    is_enabled: bool = msgspec.field(name="enabled")
    is_installed: bool = msgspec.field(name="installed")
    segmenters: list[str]
    allow_identified: bool
    max_parallel_cases: int
    publish_to: list[str]
    statement: str = RESEARCH_USE


def analysis_view(one: Analysis, sight: Sight) -> AnalysisView:
    """An analysis as somebody may see it."""
    return AnalysisView(**_shown(one, sight))


def publication_view(one: Publication) -> PublicationView:
    """An object on its way to an archive."""
    return PublicationView(
        name=one.name,
        sop_class_uid=one.sop_class_uid,
        sop_instance_uid=one.sop_instance_uid,
        archive=one.target,
        state=one.state,
        attempts=one.attempts,
        code=one.code,
        meaning=meaning_of_failure(one.code),
        observed=one.observed,
        changed=one.changed,
    )


def analysis_detail(
    one: Analysis,
    sight: Sight,
    *,
    measurements: Mapping[str, Any] | None,
    outputs: list[Output],
    published: Iterable[Publication],
) -> AnalysisDetail:
    """An analysis with what it came to."""
    told = None if measurements is None else dict(measurements)
    sent = [publication_view(publication) for publication in published]
    return AnalysisDetail(**_shown(one, sight), measurements=told, outputs=outputs, publications=sent)


def _shown(one: Analysis, sight: Sight) -> dict[str, Any]:
    return {
        "id": one.analysis_id,
        "study": one.study_key,
        "location": str(one.location),
        "state": "publishing" if one.is_publishing else one.state,
        "stages": one.stages,
        "code": one.code,
        "meaning": meaning_of(one.code),
        "observed": one.observed,
        "readiness": one.readiness,
        "override_reason": sight.typed(one.override_reason),
        "requested_by": one.requested_by,
        "ordered": one.ordered,
        "finished": one.finished,
        "asked": one.asked,
        "identified": one.identified,
        "fingerprint": one.fingerprint,
        "series": one.series_uid,
        "same_as": one.same_as or None,
        "job": one.job,
    }
