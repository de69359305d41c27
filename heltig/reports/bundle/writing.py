"""Writes an evidence bundle: the same study, as it stands, gives the same bytes."""

import asyncio
import hashlib
import zipfile
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from itertools import islice
from typing import IO, Final

import msgspec

from heltig import __version__
from heltig.dicom.json_writing import instances_as_json
from heltig.dicom.snapshot import read_snapshot, read_source
from heltig.errors import ConflictError, NotFoundError
from heltig.pipeline.identifiers.redaction import redacted_finding, told_tags
from heltig.pipeline.identifiers.sights import NOTHING
from heltig.pipeline.identifiers.vocabulary import REDACTED
from heltig.pipeline.judging import RulesetName
from heltig.pipeline.report import ProfileName
from heltig.reports.bundle import form
from heltig.reports.bundle.form import (
    AboutStudy,
    ChainedLine,
    File,
    Judgement,
    Manifest,
    Part,
    SeriesFile,
    SnapshotForm,
)
from heltig.reports.checksums import checksums
from heltig.reports.study_pictures import StudyPictures, picture_of
from heltig.reports.verdict_about import About
from heltig.reports.verdict_html import study_page
from heltig.reports.verdict_line import VerdictLine, line_of
from heltig.reports.verdict_report import as_csv
from heltig.store import audit_trail, judged_with, snapshots, waivers
from heltig.store.audit_trail import Wanted
from heltig.store.engine import Store
from heltig.store.judged_studies import JudgedStudy
from heltig.store.records import ProfileInfo, RulesetInfo, Snapshot, StoredVerdict, Study
from heltig.store.transaction import ReadTransaction
from heltig.store.waivers import GivenWaiver
from heltig.verdict import Inputs, Waiver

MOST_ENTRIES: Final = 10_000
"""Entries of the audit trail that a bundle has, the first ones."""

_ROWS: Final = 100
_TIME: Final = (1980, 1, 1, 0, 0, 0)
"""A ZIP has to say a time; this one says none."""


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody may have in a bundle.

    Attributes:
        identifiers: What could name a patient.
        snapshot: What the study was judged by.
        audit: What the audit trail says of it.
    """

    identifiers: bool = True
    snapshot: bool = True
    audit: bool = True


class _Read(msgspec.Struct, frozen=True):
    """All that a bundle is made of."""

    ruleset: RulesetInfo
    profile: ProfileInfo
    snapshot: Snapshot | None
    waivers: tuple[GivenWaiver, ...]
    audit: tuple[ChainedLine, ...]


async def write_bundle(store: Store, found: JudgedStudy, parts: Parts, file: IO[bytes]) -> Manifest:
    """Writes the bundle of a study's last verdict; returns what is in it.

    Args:
        store: Where the study is.
        found: The study.
        parts: What may be in it.
        file: Open for writing; it can be positioned.

    Raises:
        ConflictError: The study was never judged.
        StorageError: The stored evidence is damaged.
    """
    if found.verdict is None:
        raise ConflictError("This study has not been judged yet: there is no verdict to give evidence of.")
    read = await store.read(_read, found.study, found.verdict, parts)
    return await asyncio.to_thread(_write, found, found.verdict, read, parts, file)


def _read(transaction: ReadTransaction, study: Study, verdict: StoredVerdict, parts: Parts) -> _Read:
    ruleset = judged_with.ruleset(transaction, verdict.inputs.ruleset)
    profile = judged_with.profile(transaction, verdict.inputs.profile)
    if ruleset is None or profile is None:
        raise NotFoundError("The ruleset or the profile of this verdict is not stored.")
    snapshot = None
    if parts.snapshot and parts.identifiers:
        snapshot = snapshots.get(
            transaction, study.location, study.study_key, snapshot=verdict.inputs.snapshot
        )
    given = tuple(waivers.get(transaction, int(waiver.id)) for waiver in verdict.verdict.waivers)
    entries = tuple(_audit(transaction, study, given)) if parts.audit else ()
    if not parts.identifiers:
        entries = tuple(map(NOTHING.line, entries))
    return _Read(ruleset, profile, snapshot, given, entries)


def _audit(transaction: ReadTransaction, study: Study, given: Iterable[GivenWaiver]) -> Iterator[ChainedLine]:
    """What the trail says of the study and its waivers, in its order."""
    subjects = [(f"{study.location} {study.study_key}", study.first_seen)]
    subjects += [(f"waiver {waiver.id}", waiver.created) for waiver in given]
    lines = [
        line
        for subject, since in subjects
        for line in audit_trail.lines(
            transaction,
            Wanted(subject=subject, since=since - timedelta(minutes=1)),
            after=0,
            limit=MOST_ENTRIES,
        )
    ]
    for line in sorted(lines, key=lambda one: one.sequence)[:MOST_ENTRIES]:
        earlier = audit_trail.lines(
            transaction, Wanted(), after=line.sequence - 2, limit=1, through=line.sequence - 1
        )
        before = earlier[0].tag if earlier else None
        yield ChainedLine(**{name: getattr(line, name) for name in line.__struct_fields__}, before=before)


def _write(found: JudgedStudy, stored: StoredVerdict, read: _Read, parts: Parts, file: IO[bytes]) -> Manifest:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as package:
        files: dict[str, File] = {}

        def put(name: str, chunks: Iterable[bytes]) -> None:
            files[name] = _put(package, name, chunks)

        line = line_of(found, redact=not parts.identifiers)
        put(form.README, [readme(Judgement.of(stored))])
        if parts.audit:
            put(form.AUDIT, (msgspec.json.encode(entry) + b"\n" for entry in read.audit))
        put(form.FINDINGS, [as_csv([line]).encode()])
        if read.snapshot is not None:
            put(form.METADATA, metadata(read.snapshot))
        put(form.PROFILE, [read.profile.text])
        put(form.REPORT, [report(line, read.snapshot, redacted=not parts.identifiers)])
        put(form.RULESET, [form.as_json(_ruleset(read.ruleset))])
        if read.snapshot is not None:
            _put_snapshot(read.snapshot, put)
        put(form.STUDY, [form.as_json(AboutStudy.of(found, redact=not parts.identifiers))])
        put(form.VERDICT, [form.as_json(_judgement(stored, parts))])
        put(form.WAIVERS, [form.as_json([_waiver(waiver, parts) for waiver in read.waivers])])
        manifest = _manifest(found, stored, read, parts, files)
        manifest_file = _put(package, form.MANIFEST, [form.as_json(manifest)])
        digests = {name: one.sha256 for name, one in files.items()}
        sums = checksums({**digests, form.MANIFEST: manifest_file.sha256})
        _put(package, form.CHECKSUMS, [sums])
    return manifest


def _put(package: zipfile.ZipFile, name: str, chunks: Iterable[bytes]) -> File:
    info = zipfile.ZipInfo(name, date_time=_TIME)
    info.compress_type = zipfile.ZIP_DEFLATED
    info.create_system = 3
    info.external_attr = 0o100644 << 16
    digest, size = hashlib.sha256(), 0
    with package.open(info, "w", force_zip64=True) as member:
        for chunk in chunks:
            member.write(chunk)
            digest.update(chunk)
            size += len(chunk)
    return File(digest.hexdigest(), size)


def _put_snapshot(snapshot: Snapshot, put: Callable[[str, Iterable[bytes]], None]) -> None:
    named = [f"snapshot/series-{number:06}.msgpack" for number, _ in enumerate(snapshot.series, 1)]
    put(form.FACTS, [snapshot.facts])
    for name, series in zip(named, snapshot.series, strict=True):
        put(name, [series.content])
    outline = SnapshotForm(
        study_key=snapshot.study_key,
        study_uid=snapshot.study_uid,
        location=str(snapshot.location),
        snapshot=snapshot.snapshot,
        content_digest=snapshot.content_digest,
        received=snapshot.received,
        reference_date=snapshot.reference_date,
        series=tuple(
            SeriesFile(series.series_key, name, series.instances, series.digest)
            for name, series in zip(named, snapshot.series, strict=True)
        ),
    )
    put(form.SNAPSHOT, [form.as_json(outline)])


def metadata(snapshot: Snapshot) -> Iterator[bytes]:
    """The instances in DICOM JSON (PS3.18 F.2), for other programs; Heltig reads the snapshot itself."""
    source, separator = read_source(snapshot.facts), b"[\n"
    for series in snapshot.series:
        table = read_snapshot(series.series_key, None, source, [series.content])
        instances = instances_as_json(table, range(table.rows))
        while chunk := b",\n".join(islice(instances, _ROWS)):
            yield separator + chunk
            separator = b",\n"
    yield b"[]\n" if separator == b"[\n" else b"\n]\n"


def report(line: VerdictLine, snapshot: Snapshot | None, *, redacted: bool) -> bytes:
    """The report of the study, with its pictures where its snapshot is there."""
    pictures = None
    if snapshot is not None:
        made = (
            picture_of(series.series_key, series.content, reference=snapshot.reference_date)
            for series in snapshot.series
        )
        pictures = StudyPictures(tuple(made))
    about = About(kind="study", title=f"Study {line.key}", redacted=redacted)
    return study_page(line, about, pictures).encode()


def _judgement(stored: StoredVerdict, parts: Parts) -> Judgement:
    judgement = Judgement.of(stored)
    if parts.identifiers:
        return judgement
    verdict, inputs = judgement.verdict, judgement.inputs
    return msgspec.structs.replace(
        judgement,
        verdict=msgspec.structs.replace(
            verdict,
            findings=tuple(map(redacted_finding, verdict.findings)),
            waivers=tuple(map(_without_observed, verdict.waivers)),
        ),
        inputs=_without_facts(inputs),
    )


def _without_observed(waiver: Waiver) -> Waiver:
    return msgspec.structs.replace(waiver, tags=told_tags(waiver.tags), observed=REDACTED, digest="")


def _without_facts(inputs: Inputs) -> Inputs:
    """Facts of the index name patients."""
    return msgspec.structs.replace(inputs, index_facts=())


def _waiver(waiver: GivenWaiver, parts: Parts) -> GivenWaiver:
    if parts.identifiers:
        return waiver
    return msgspec.structs.replace(
        waiver, tags=told_tags(waiver.tags), observed=REDACTED, digest="", reason=REDACTED
    )


def _manifest(
    found: JudgedStudy, stored: StoredVerdict, read: _Read, parts: Parts, files: dict[str, File]
) -> Manifest:
    left_out: dict[Part, str] = {}
    if not parts.identifiers:
        left_out["identifiers"] = "values that could name a patient"
    if read.snapshot is None:
        left_out["snapshot"] = (
            "it is not kept any more"
            if parts.snapshot and parts.identifiers
            else "it is full of values that could name a patient, and was not to be had"
        )
    if not parts.audit:
        left_out["audit"] = "it was not to be had"
    digest = read.snapshot.content_digest if read.snapshot else found.study.content_digest or ""
    return Manifest(
        form=form.FORM,
        heltig=__version__,
        study_instance_uid=stored.study_uid,
        key=stored.study_key,
        location=str(stored.location),
        revision=stored.revision,
        judged=stored.judged,
        readiness=stored.verdict.readiness,
        verdict=stored.verdict.id,
        snapshot=stored.inputs.snapshot,
        content_digest=digest,
        reference_date=stored.inputs.reference_date,
        ruleset=_ruleset(stored.ruleset),
        profile=ProfileName(stored.profile.name, stored.profile.hash),
        left_out=left_out,
        files=dict(sorted(files.items())),
    )


def _ruleset(ruleset: RulesetInfo) -> RulesetName:
    return RulesetName(ruleset.version, ruleset.hash, ruleset.standard)


def readme(of: Judgement) -> bytes:
    """What the files are, for who unpacks them."""
    return f"""\
Evidence for a verdict of Heltig: {of.verdict.readiness}, revision {of.revision},
judged {of.judged:%Y-%m-%d %H:%M:%S} UTC.

    sha256sum -c {form.CHECKSUMS}      the files are as they were written
    heltig verify BUNDLE.zip       the same, and the study is judged again; what can be made again of
                                   verdict and snapshot is made again and compared, and what cannot
                                   is named: checksums show damage, not fraud

{form.VERDICT}       the verdict, its findings, and what it was made of
{form.STUDY}         what reports say of the study beside that: attributes, devices, owner
{form.REPORT}        both to be read and printed
{form.FINDINGS}       a row a finding
{form.PROFILE}       the profile that it was judged under; its SHA-256 is the profile's hash
{form.RULESET}       the ruleset
{form.WAIVERS}       the waivers that it relies on
snapshot/          what was judged, as Heltig keeps it
{form.METADATA}      the same in DICOM JSON, for other programs
{form.AUDIT}       what the audit trail says of the study: entries with their tags, and the tag before each

What is not there was left out; {form.MANIFEST} says why. Operational QA of metadata, non-diagnostic.
""".encode()
