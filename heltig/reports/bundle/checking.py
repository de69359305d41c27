"""Judges what is in a bundle again, and says whether it comes to the same."""

from collections.abc import Iterable, Iterator
from typing import Any, Literal, TypeAlias

import msgspec

from heltig.dicom.snapshot import SeriesEvidence, read_snapshot, read_source, snapshot_id
from heltig.dicom.study import STUDY_INSTANCE_UID, StudyTable
from heltig.errors import UnreadableInputError
from heltig.pipeline.judging import RulesetName, ruleset_name
from heltig.pipeline.score import score_again
from heltig.reports.bundle.form import Judgement, Manifest
from heltig.reports.bundle.reading import Bundle, Evidence
from heltig.reports.bundle.remaking import remake
from heltig.reports.checksums import sha256
from heltig.rules.finding import Finding
from heltig.rules.profile import Profile
from heltig.store.records import Location, Snapshot, SnapshotSeries
from heltig.store.text import storable
from heltig.verdict import Inputs, Readiness, Verdict

Outcome: TypeAlias = Literal["same", "differs", "other-ruleset", "not-judged"]


class Checked(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What became of a bundle.

    Attributes:
        outcome: `same`; `differs`; `other-ruleset`: this machine judges by another one, so that a difference
            says nothing; `not-judged`: there is no snapshot in it.
        manifest: What it is about.
        here: The ruleset of this machine.
        readiness: What it came to here; null where it was not judged.
        findings: How many findings there are here.
        differences: What is not the same.
        unproven: What is proven against damage alone.
    """

    outcome: Outcome
    manifest: Manifest
    here: RulesetName
    readiness: Readiness | None
    findings: int | None
    differences: tuple[str, ...]
    unproven: tuple[str, ...]


def check_bundle(bundle: Bundle) -> Checked:
    """Judges a bundle's snapshot again by the ruleset of this machine.

    Raises:
        UnreadableInputError: Its parts contradict each other, or cannot be read.
    """
    _compare_parts(bundle)
    manifest, here = bundle.manifest, ruleset_name()
    if bundle.evidence is None:
        remade = remake(bundle, None, None)
        _refuse(remade.wrong)
        return Checked(
            outcome="not-judged",
            manifest=manifest,
            here=here,
            readiness=None,
            findings=None,
            differences=(),
            unproven=remade.unproven,
        )
    profile = _profile(bundle)
    snapshot, table = _snapshot(bundle.evidence)
    inputs, verdict = score_again(
        snapshot,
        profile,
        index_facts=bundle.judgement.inputs.index_facts,
        waivers=bundle.judgement.verdict.waivers,
    )
    differences = tuple(_differences(bundle.judgement, inputs, verdict))
    outcome: Outcome = "differs" if differences else "same"
    if manifest.ruleset.hash != here.hash:
        outcome = "other-ruleset"
    remade = remake(bundle, snapshot, table)
    if outcome == "differs":
        differences += remade.wrong
    else:
        _refuse(remade.wrong)
    return Checked(
        outcome=outcome,
        manifest=manifest,
        here=here,
        readiness=verdict.readiness,
        findings=len(verdict.findings),
        differences=differences,
        unproven=remade.unproven,
    )


def _compare_parts(bundle: Bundle) -> None:
    manifest, judgement = bundle.manifest, bundle.judgement
    verdict, inputs = judgement.verdict, judgement.inputs
    said = (
        manifest.verdict,
        manifest.readiness,
        manifest.snapshot,
        manifest.ruleset.hash,
        manifest.profile.hash,
        manifest.reference_date,
        manifest.revision,
    )
    found = (
        verdict.id,
        verdict.readiness,
        inputs.snapshot,
        inputs.ruleset,
        inputs.profile,
        inputs.reference_date,
        judgement.revision,
    )
    if said != found:
        _contradiction("its verdict is another one than its manifest says")
    if sha256(bundle.profile) != manifest.profile.hash:
        _contradiction("its profile does not have the hash that its manifest says")
    evidence = bundle.evidence
    if evidence is not None:
        outline = evidence.outline
        if (outline.snapshot, outline.study_key, outline.location, outline.reference_date) != (
            manifest.snapshot,
            manifest.key,
            manifest.location,
            manifest.reference_date,
        ):
            _contradiction("its snapshot is of something else than its manifest says")


def _snapshot(evidence: Evidence) -> tuple[Snapshot, StudyTable]:
    """The snapshot as a store has it, its id made again of its bytes."""
    outline = evidence.outline
    try:
        location = Location.parse(outline.location)
        source = read_source(evidence.facts)
        table = read_snapshot(outline.study_key, outline.study_uid, source, evidence.contents)
    except (msgspec.MsgspecError, ValueError, LookupError, TypeError, RecursionError) as error:
        raise UnreadableInputError("This bundle is damaged: its snapshot cannot be read.") from error
    if outline.snapshot not in _ids(table, evidence):
        _contradiction("its snapshot does not have the id that its manifest says")
    stored = Snapshot(
        location=location,
        study_key=outline.study_key,
        study_uid=outline.study_uid,
        snapshot=outline.snapshot,
        content_digest=outline.content_digest,
        received=outline.received,
        reference_date=outline.reference_date,
        facts=evidence.facts,
        series=tuple(
            SnapshotSeries(series.key, series.digest, digest, series.instances, content)
            for series, digest, content in zip(
                outline.series, evidence.digests, evidence.contents, strict=True
            )
        ),
    )
    return stored, table


def _ids(table: StudyTable, evidence: Evidence) -> Iterator[str]:
    """What the snapshot's id may be: keys that are too long for the store were cut there."""
    parts = [
        SeriesEvidence(key, 0, content, digest)
        for key, content, digest in zip(evidence.keys, evidence.contents, evidence.digests, strict=True)
    ]
    yield snapshot_id(table, parts)
    if table.rows:
        whole = StudyTable(table.at(STUDY_INSTANCE_UID, 0).text or table.key, table.uid, table.source)
        yield snapshot_id(whole, parts)


def _profile(bundle: Bundle) -> Profile:
    try:
        profile = msgspec.json.decode(bundle.profile, type=Profile)
    except msgspec.DecodeError as error:
        raise UnreadableInputError(
            "This bundle's profile has settings that this version does not know: judge it again with the "
            f"version that wrote it, {bundle.manifest.heltig[:20]}."
        ) from error
    return profile


def _differences(said: Judgement, inputs: Inputs, verdict: Verdict) -> Iterator[str]:
    """What is not as the bundle says, the weightiest first."""
    then = said.verdict
    if then.readiness != verdict.readiness:
        yield f"readiness: {then.readiness} in the bundle, {verdict.readiness} here"
    if then.unwaived_readiness != verdict.unwaived_readiness:
        yield (f"without waivers: {then.unwaived_readiness} in the bundle, {verdict.unwaived_readiness} here")
    before, after = list(map(_plain, then.findings)), list(map(_plain, verdict.findings))
    for finding in then.findings:
        if _plain(finding) not in after:
            yield f"only in the bundle, or otherwise: {_named(finding)}"
    for finding in verdict.findings:
        if _plain(finding) not in before:
            yield f"only here, or otherwise: {_named(finding)}"
    if before != after and sorted(map(repr, before)) == sorted(map(repr, after)):
        yield "the findings stand in another order"
    for name in ("not_evaluable", "errors", "waivers", "valid_until"):
        if _plain(getattr(then, name)) != _plain(getattr(verdict, name)):
            yield f"{name.replace('_', ' ')}: not the same"
    for name in Inputs.__struct_fields__:
        if getattr(said.inputs, name) != getattr(inputs, name):
            yield f"made of another {name.replace('_', ' ')}"
    if then.id != verdict.id:
        yield f"verdict id: {then.id[:12]}… in the bundle, {verdict.id[:12]}… here"


def _named(finding: Finding) -> str:
    return f"{finding.rule} ({finding.severity}{', waived' if finding.waived else ''})"


def _plain(value: Any) -> Any:
    """Builtins, with texts as a database can hold them."""
    return _storable(msgspec.to_builtins(value))


def _storable(value: Any) -> Any:
    match value:
        case str():
            return storable(value)
        case list() | tuple():
            return [_storable(item) for item in value]
        case dict():
            return {key: _storable(item) for key, item in value.items()}
    return value


def _refuse(wrong: Iterable[str]) -> None:
    if said := "; ".join(wrong):
        _contradiction(said)


def _contradiction(what: str) -> None:
    raise UnreadableInputError(f"This bundle is damaged, or was changed: {what}.")
