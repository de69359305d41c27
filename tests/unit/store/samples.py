"""Studies, snapshots and verdicts for the tests of the store."""

import hashlib
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

from heltig.rules.finding import Finding, NotEvaluable, RuleError
from heltig.store import judged_with, publication, snapshots
from heltig.store.engine import Store
from heltig.store.packing import pack_series
from heltig.store.records import (
    Device,
    Location,
    NewSnapshot,
    NewVerdict,
    Patient,
    ProfileInfo,
    Published,
    PutSnapshot,
    RulesetInfo,
    SeriesBlob,
    StudyAttributes,
)
from heltig.store.transaction import WriteTransaction
from heltig.verdict import Inputs, Readiness, Verdict, Waiver

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
TODAY = date(2026, 3, 1)
MAIN = Location("archive", "main")
OTHER = Location("archive", "other")
STUDY = "1.2.840.99.1"
RULESET = RulesetInfo(hash="a" * 64, version="0.1.0", standard="2024e", manifest=b"PAT-ID-EMPTY")
PROFILE = ProfileInfo(hash="b" * 64, name="default", text=b'name = "default"')


def sha(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def series(number: int = 1, *, instances: int = 3, study: str = STUDY, content: str = "") -> SeriesBlob:
    uid = f"{study}.{number}"
    uids = [f"{uid}.{n}" for n in range(1, instances + 1)]
    text = f"{content} {uids}"
    return pack_series(
        text.encode("utf-8", "surrogatepass"),
        series_key=uid,
        series_uid=uid,
        digest=sha(text),
        sop_instance_uids=uids,
        instances=instances,
        modality="CT",
        series_number=str(number),
    )


def snapshot(
    blobs: Sequence[SeriesBlob] | None = None,
    *,
    study: str = STUDY,
    location: Location = MAIN,
    facts: bytes = b"facts",
    devices: tuple[Device, ...] = (),
    **attributes: Any,
) -> NewSnapshot:
    blobs = [series(study=study)] if blobs is None else blobs
    attributes.setdefault("patients", (Patient(patient_id="P1", patient_name="Doe^Jane", instances=3),))
    return NewSnapshot(
        location=location,
        study_key=study,
        study_uid=study,
        snapshot=sha(f"{location} {study} {[blob.address for blob in blobs]}"),
        content_digest=sha(str(sorted(blob.digest for blob in blobs))),
        received=NOW,
        reference_date=TODAY,
        facts=facts,
        attributes=StudyAttributes(**attributes),
        series=tuple(blobs),
        devices=devices,
    )


def finding(rule: str = "PAT-ID-EMPTY", severity: Any = "block", **fields: Any) -> Finding:
    values: dict[str, Any] = {
        "rule": rule,
        "severity": severity,
        "level": "study",
        "message": "PatientID is empty.",
        "tags": ("00100020",),
        "observed": "",
        "expected": "a PatientID",
        "count": 3,
        "instances": (f"{STUDY}.1.1",),
        "reference": "PS3.3 C.7.1.1",
        "remedy": "Fill it in.",
        "digest": sha(f"{rule} {fields.get('observed', '')}")[:32],
    }
    return Finding(**values | fields)


def verdict(
    put: PutSnapshot,
    *findings: Finding,
    readiness: Readiness = "READY",
    study: str = STUDY,
    location: Location = MAIN,
    version: int | None = None,
    unwaived_readiness: Readiness | None = None,
    waivers: tuple[Waiver, ...] = (),
    in_force: tuple[Waiver, ...] = (),
    facts: tuple[str, ...] = (),
    at: datetime = NOW,
) -> NewVerdict:
    inputs = Inputs(put.snapshot, RULESET.hash, PROFILE.hash, TODAY, facts)
    return NewVerdict(
        location=location,
        study_key=study,
        version=put.version if version is None else version,
        verdict=Verdict(
            id=sha(f"{inputs} {readiness} {findings} {waivers}"),
            readiness=readiness,
            unwaived_readiness=unwaived_readiness or readiness,
            findings=findings,
            not_evaluable=(NotEvaluable("PIX-LENGTH", ("pixel_length",)),),
            errors=(RuleError("SITE-1", "ValueError at site.py:3"),),
            waivers=waivers,
            valid_until=min((waiver.expires for waiver in waivers), default=None),
        ),
        inputs=inputs,
        judged=at,
        actor="worker",
        waivers=in_force,
    )


def put_judged_with(transaction: WriteTransaction) -> None:
    judged_with.put_ruleset(transaction, RULESET)
    judged_with.put_profile(transaction, PROFILE)


async def judge(
    store: Store, new: NewSnapshot, *findings: Finding, readiness: Readiness = "READY"
) -> Published:
    """Stores a snapshot and a verdict on it."""
    await store.write(put_judged_with)
    put = await store.write(snapshots.put, new)
    made = verdict(put, *findings, readiness=readiness, study=new.study_key, location=new.location)
    return await store.write_durably(publication.publish, made)
