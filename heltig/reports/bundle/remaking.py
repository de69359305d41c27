"""Makes those files of a bundle again that follow from verdict and snapshot, and tells which differ."""

import hashlib
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from heltig import __version__
from heltig.dicom.digest import series_digests
from heltig.dicom.study import STUDY_INSTANCE_UID, StudyTable
from heltig.errors import UnreadableInputError
from heltig.pipeline.evidence import devices_of
from heltig.pipeline.identifiers.redaction import redacted_finding
from heltig.pipeline.judging import ruleset_name
from heltig.pipeline.profiles import load_profile
from heltig.pipeline.score import attributes_of, study_digest
from heltig.reports.bundle import form, trail
from heltig.reports.bundle.form import AboutStudy, File
from heltig.reports.bundle.reading import Bundle
from heltig.reports.bundle.writing import metadata, readme, report
from heltig.reports.verdict_line import line_of
from heltig.reports.verdict_report import as_csv
from heltig.rules.profile_shipped import SHIPPED
from heltig.store.attributes import storable_attributes
from heltig.store.devices import stored
from heltig.store.judged_studies import JudgedStudy
from heltig.store.records import Location, ProfileInfo, RulesetInfo, Snapshot, StoredVerdict, Study

_AS_WRITTEN: Final = (form.README, form.FINDINGS, form.REPORT, form.METADATA)


class Remade(msgspec.Struct, frozen=True):
    """What came of it.

    Attributes:
        wrong: What is not as it is made again, in words.
        unproven: What nothing in the bundle proves: its checksums tell damage of it, and no more.
    """

    wrong: tuple[str, ...]
    unproven: tuple[str, ...]


def remake(bundle: Bundle, snapshot: Snapshot | None, table: StudyTable | None) -> Remade:
    """Makes again what can be made again.

    Args:
        bundle: The bundle.
        snapshot: Its snapshot, as a store has it, whose id was made again; None without one.
        table: The study of that snapshot.

    Raises:
        UnreadableInputError: A part cannot be read.
    """
    wrong = [*_contradictions(bundle)]
    if snapshot is not None and table is not None:
        wrong += _of_snapshot(bundle, snapshot, table)
    wrong += [f"{name} is not as it is made again of the rest" for name in _differing(bundle, snapshot)]
    return Remade(tuple(wrong), tuple(_unproven(bundle, table)))


def _contradictions(bundle: Bundle) -> Iterator[str]:
    """What its files say of the same thing."""
    manifest, judgement = bundle.manifest, bundle.judgement
    if manifest.heltig == __version__ and not bundle.is_plain:
        yield "its JSON has something that no bundle has, or has it twice"
    if manifest.judged != judgement.judged:
        yield f"{form.MANIFEST} says another time of judging than {form.VERDICT}"
    if manifest.study_instance_uid not in (None, manifest.key):
        yield f"{form.MANIFEST} says another StudyInstanceUID than that of the study"
    if manifest.profile.name != _profile_name(bundle.profile):
        yield f"{form.MANIFEST} says another name of the profile than {form.PROFILE}"
    here = ruleset_name()
    if bundle.ruleset != manifest.ruleset or (here.hash == bundle.ruleset.hash and here != bundle.ruleset):
        yield f"{form.RULESET} and {form.MANIFEST} do not both name the ruleset"
    relied = [
        (one.id, one.rule, one.tags, one.observed, one.digest, one.expires)
        for one in judgement.verdict.waivers
    ]
    given = [
        (str(one.id), one.rule, one.tags, one.observed, one.digest, one.expires) for one in bundle.waivers
    ]
    if sorted(relied) != sorted(given):
        yield f"{form.WAIVERS} does not have the waivers that the verdict relies on"
    if bundle.evidence is not None and not manifest.left_out.keys().isdisjoint(("snapshot", "identifiers")):
        yield f"{form.MANIFEST} says that the snapshot was left out"
    if bundle.evidence is None and form.METADATA in manifest.files:
        yield f"{form.METADATA} is there without the snapshot that it is made of"
    if "identifiers" in manifest.left_out and not _names_nobody(bundle):
        yield f"{form.MANIFEST} says that what could name a patient was left out, and some of it is there"
    about = bundle.about
    if about is not None and about.state == "JUDGED" and about.snapshot != manifest.snapshot:
        yield f"{form.STUDY} says that the verdict stands, on another snapshot than its own"
    yield from trail.contradictions(bundle)


def _names_nobody(bundle: Bundle) -> bool:
    """Whether taking out what could name a patient would take out nothing more."""
    verdict, about = bundle.judgement.verdict, bundle.about
    return (
        verdict.findings == tuple(map(redacted_finding, verdict.findings))
        and not bundle.judgement.inputs.index_facts
        and (about is None or not about.attributes.patients)
    )


def _of_snapshot(bundle: Bundle, snapshot: Snapshot, table: StudyTable) -> Iterator[str]:
    """What does not follow from the snapshot."""
    manifest, about = bundle.manifest, bundle.about
    uid = table.at(STUDY_INSTANCE_UID, 0).text if table.rows else manifest.study_instance_uid
    if manifest.study_instance_uid != snapshot.study_uid or bool(uid) != bool(snapshot.study_uid):
        yield f"{form.MANIFEST} says another StudyInstanceUID than the snapshot"
    if manifest.heltig == __version__:
        digests = series_digests(table)
        said = [series.digest for series in snapshot.series]
        made = study_digest(digests, table.source)
        if sorted(said) != sorted(one.digest for one in digests) or {
            manifest.content_digest,
            snapshot.content_digest,
        } != {made}:
            yield "a content digest is not that of the snapshot"
    if about is not None and about.snapshot == snapshot.snapshot and not _is_of(about, table):
        yield f"{form.STUDY} is not what the snapshot says of the study"


def _is_of(about: AboutStudy, table: StudyTable) -> bool:
    return (
        about.attributes == storable_attributes(attributes_of(table))
        and about.devices in ((), stored(devices_of(table)))
        and (about.series, about.instances) == (len(table.series), table.rows)
    )


def _differing(bundle: Bundle, snapshot: Snapshot | None) -> Iterator[str]:
    manifest = bundle.manifest
    if manifest.heltig != __version__:
        return
    for name, content in _made(bundle, snapshot):
        if manifest.files.get(name) != _file(content):
            yield name


def _made(bundle: Bundle, snapshot: Snapshot | None) -> Iterator[tuple[str, Iterable[bytes]]]:
    """The files that this version would write."""
    if snapshot is not None:
        yield form.METADATA, metadata(snapshot)
    if bundle.about is None:
        return
    yield form.README, [readme(bundle.judgement)]
    is_redacted = "identifiers" in bundle.manifest.left_out
    line = line_of(_found(bundle, bundle.about), redact=is_redacted)
    yield form.FINDINGS, [as_csv([line]).encode()]
    if bundle.manifest.ruleset == ruleset_name():  # it has texts of the rules
        yield form.REPORT, [report(line, snapshot, redacted=is_redacted)]


def _file(content: Iterable[bytes]) -> File:
    digest, size = hashlib.sha256(), 0
    for chunk in content:
        digest.update(chunk)
        size += len(chunk)
    return File(digest.hexdigest(), size)


def _found(bundle: Bundle, about: AboutStudy) -> JudgedStudy:
    """The study as it was read for the bundle, as far as reports tell."""
    manifest, judgement = bundle.manifest, bundle.judgement
    location, verdict = _location(manifest.location), judgement.verdict
    ruleset, profile = manifest.ruleset, manifest.profile
    study = Study(
        location=location,
        study_key=manifest.key,
        study_uid=manifest.study_instance_uid,
        state=about.state,
        version=0,
        revision=judgement.revision,
        snapshot=about.snapshot,
        content_digest=None,
        readiness=verdict.readiness,
        judged=judgement.judged,
        blocks=0,
        reviews=0,
        notes=0,
        series=about.series,
        instances=about.instances,
        first_seen=about.first_seen,
        changed=about.first_seen,
        attributes=about.attributes,
    )
    given = StoredVerdict(
        location=location,
        study_key=manifest.key,
        study_uid=manifest.study_instance_uid,
        revision=judgement.revision,
        judged=judgement.judged,
        verdict=verdict,
        inputs=judgement.inputs,
        ruleset=RulesetInfo(hash=ruleset.hash, version=ruleset.version, standard=ruleset.standard),
        profile=ProfileInfo(hash=profile.hash, name=profile.name),
    )
    return JudgedStudy(study, given, about.devices, about.owner)


def _whose_profile(bundle: Bundle) -> str:
    """Whether a profile is what its name says to those who know the shipped ones."""
    name = bundle.manifest.profile.name
    if name not in SHIPPED:
        return "the site's own"
    if load_profile(name).hash == bundle.manifest.profile.hash:
        return f"{name} as it is shipped"
    return f"which is NOT {name} as it is shipped here"


def _counted_facts(bundle: Bundle) -> str:
    facts = len(bundle.judgement.inputs.index_facts)
    return "1 fact about other studies" if facts == 1 else f"{facts:,} facts about other studies"


def _location(text: str) -> Location:
    try:
        return Location.parse(text)
    except (msgspec.ValidationError, ValueError) as error:
        raise UnreadableInputError("This bundle is damaged: its manifest names no location.") from error


class _Named(msgspec.Struct):
    name: str


def _profile_name(profile: bytes) -> str:
    """The name in a profile, of which other settings need not be known here."""
    try:
        return msgspec.json.decode(profile, type=_Named).name
    except (msgspec.DecodeError, RecursionError) as error:
        raise UnreadableInputError("This bundle is damaged: its profile cannot be read.") from error


def _unproven(bundle: Bundle, table: StudyTable | None) -> Iterator[str]:
    manifest, about = bundle.manifest, bundle.about
    yield "when it was received and judged and as which revision, and where the study was seen"
    yield f"that it was to be judged under this profile, {_whose_profile(bundle)} ({form.PROFILE})"
    yield (
        f"what it was judged with beside the snapshot: the reference date, {manifest.reference_date}, and "
        f"{_counted_facts(bundle)} ({form.VERDICT})"
    )
    if about is not None:
        yield f"state, first sight and owner of the study ({form.STUDY})"
    if about is not None and not about.devices and table is not None and devices_of(table):
        yield f"that no device was known ({form.STUDY})"
    if bundle.waivers:
        yield f"that the waivers were given, their reasons, authors and times ({form.WAIVERS})"
    if form.AUDIT in manifest.files:
        yield f"{form.AUDIT}, {trail.proof(bundle)}"
    yield from _not_made_again(bundle)


def _not_made_again(bundle: Bundle) -> Iterator[str]:
    """Files and parts that this version, or this bundle, tells too little of."""
    manifest, about = bundle.manifest, bundle.about
    if bundle.evidence is None:
        yield f"all that {form.VERDICT} and {form.STUDY} say: there is no snapshot to judge again"
    elif about is not None and about.snapshot != manifest.snapshot:
        yield f"all that {form.STUDY} and reports say beside the verdict: the study changed since, it says"
    there = [name for name in _AS_WRITTEN if name in manifest.files]
    if manifest.heltig != __version__:
        yield f"{', '.join(there)}: version {manifest.heltig[:20]} wrote them, this is {__version__}"
    elif manifest.form != form.FORM:
        there = [name for name in there if name != form.METADATA]
        yield f"{', '.join(there)}: the bundle is of a form that tells too little to make them again"
    elif manifest.ruleset != ruleset_name():
        yield f"{form.REPORT}: it has texts of the ruleset that judged"
