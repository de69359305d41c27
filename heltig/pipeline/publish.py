"""The prepared answer about a study: made when its state changes, sent as it stands when somebody asks.

The verdict travels in a private block (PS3.5 7.8.1) of a data set in DICOM JSON (PS3.18 Annex F):

| tag | VR | holds |
|---|---|---|
| (0099,0010) | LO | the creator, `HELTIG READINESS 1` |
| (0099,1001) | CS | READY, NEEDS_REVIEW or BLOCKED; no value unless the state is JUDGED |
| (0099,1002) | DT | when it was judged |
| (0099,1003) | LO | the ruleset: name and 12 digits of its hash |
| (0099,1004) | LO | the snapshot: 64 digits |
| (0099,1005) | LO | the profile: name and 12 digits of its hash |
| (0099,1006) | IS | number of `block` findings that are not waived |
| (0099,1007) | IS | number of such `review` findings |
| (0099,1008) | IS | revision of the verdict |
| (0099,1009) | CS | state: PENDING, JUDGED or WITHDRAWN |
| (0099,1010) | SQ | findings, one item a rule |
| (0099,1011) | LO | location |
| (0099,1012) | IS | number of locations that have the study |
| (0099,1013) | LO | key of a study that has no usable StudyInstanceUID |

An item of (0099,1010) has (0099,1020) LO rule, (0099,1021) CS severity, (0099,1022) CS level, (0099,1023)
UT what is wrong, (0099,1024) IS number of findings, (0099,1025) CS waived (YES, or NO when one of them
stands) and (0099,1026) UT attributes. Observed values are left out, and names of private creators
that are not known, so that the answer holds no patient data.
"""

import hashlib
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final, TypeAlias

import msgspec

from heltig.pipeline.identifiers.redaction import told_message, told_tags
from heltig.rules.finding import Finding
from heltig.rules.rule import SEVERITIES
from heltig.store.records import Published, StoredVerdict, Study
from heltig.verdict import Verdict

CREATOR: Final = "HELTIG READINESS 1"
CREATOR_TAG: Final = "00990010"
READINESS_TAG: Final = "00991001"
STATE_TAG: Final = "00991009"
FINDINGS_TAG: Final = "00991010"
LOCATIONS_TAG: Final = "00991012"

MEDIA_TYPE: Final = "application/dicom+json"

Element: TypeAlias = dict[str, Any]
DataSet: TypeAlias = dict[str, Element]

STUDY_INSTANCE_UID_TAG: Final = "0020000D"
_SPECIFIC_CHARACTER_SET: Final = "00080005"
_COMMENT_LENGTH: Final = 64  # LO, as Error Comment (0000,0902) is
_ATTRIBUTES_SHOWN: Final = 10


class Prepared(msgspec.Struct, array_like=True, frozen=True):
    """The prepared answer about a study at one location.

    Attributes:
        tag: What the entity tag is made of: SHA-256 over verdict, state and representation, 64 hex digits.
        dataset: The data set in DICOM JSON. Its last element but the key is the number of locations, 1.
        comment: The rules behind a verdict that is not READY, the worst first, at most 64 characters.
    """

    tag: str
    dataset: bytes
    comment: str


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Prepared).decode


class _Answers:
    """Makes what the store keeps as the prepared answer about a study.

    Attributes:
        form: To be counted up whenever the same verdict is told in other bytes; `heltig rescore` makes the
            answers of older forms again.
    """

    form: Final = "2"

    def __call__(self, published: Published, /) -> bytes:
        study, verdict = published.study, published.verdict
        dataset = msgspec.json.encode(dataset_of(study, verdict))
        stamp = (verdict.verdict.id if verdict else "", study.version, MEDIA_TYPE, dataset)
        tag = hashlib.sha256(msgspec.msgpack.encode(stamp)).hexdigest()
        return _encode(Prepared(tag, dataset, _comment(verdict) if verdict else ""))


render: Final = _Answers()
"""Makes the prepared answer about a study."""


def prepared(body: bytes) -> Prepared:
    """What `render` made."""
    return _decode(body)


def dataset_of(study: Study, verdict: StoredVerdict | None) -> DataSet:
    """The data set about a study: its UID and the private block, tags ascending."""
    dataset: DataSet = {
        _SPECIFIC_CHARACTER_SET: element("CS", "ISO_IR 192"),
        STUDY_INSTANCE_UID_TAG: element("UI", *_uid(study)),
        CREATOR_TAG: element("LO", CREATOR),
    }
    judged = study.state == "JUDGED"
    dataset[READINESS_TAG] = element("CS", *([study.readiness] if judged and study.readiness else []))
    if verdict is not None:
        ruleset, profile = verdict.ruleset, verdict.profile
        dataset |= {
            "00991002": element("DT", dt(verdict.judged)),
            "00991003": element("LO", f"heltig {ruleset.version} {ruleset.hash[:12]}"),
            "00991004": element("LO", verdict.inputs.snapshot),
            "00991005": element("LO", f"{_lo(profile.name, 51)} {profile.hash[:12]}"),
            "00991006": element("IS", study.blocks),
            "00991007": element("IS", study.reviews),
        }
    dataset["00991008"] = element("IS", study.revision)
    dataset[STATE_TAG] = element("CS", study.state)
    if verdict is not None:
        dataset[FINDINGS_TAG] = element("SQ", *_items(verdict.verdict.findings))
    dataset["00991011"] = element("LO", _lo(str(study.location), 64))
    dataset[LOCATIONS_TAG] = element("IS", 1)
    if study.study_uid != study.study_key:
        dataset["00991013"] = element("LO", study.study_key)
    return dataset


def element(vr: str, *values: Any) -> Element:
    """An element of the DICOM JSON model; without a value it has its VR only (PS3.18 F.2.2)."""
    return {"vr": vr, "Value": list(values)} if values else {"vr": vr}


def dt(time: datetime) -> str:
    """A time as DT writes it (PS3.5 6.2), with its offset from UTC."""
    return time.strftime("%Y%m%d%H%M%S.%f%z")


def _uid(study: Study) -> list[str]:
    return [study.study_uid] if study.study_uid else []


def _lo(text: str, length: int) -> str:
    """Text without what LO does not hold (PS3.5 6.2)."""
    return "".join(c if c.isprintable() and c != "\\" else "?" for c in text)[:length]


def _items(findings: Iterable[Finding]) -> list[DataSet]:
    by_rule: dict[tuple[str, str], list[Finding]] = {}
    for finding in findings:
        by_rule.setdefault((finding.severity, finding.rule), []).append(finding)
    worst_first = sorted(
        by_rule.items(), key=lambda group: (SEVERITIES.index(group[1][0].severity), group[0])
    )
    return [_item(group) for _, group in worst_first]


def _item(group: list[Finding]) -> DataSet:
    first = group[0]
    tags = told_tags(tag for finding in group for tag in finding.tags)
    shown = ",".join(tags[:_ATTRIBUTES_SHOWN]) + (",…" if len(tags) > _ATTRIBUTES_SHOWN else "")
    return {
        CREATOR_TAG: element("LO", CREATOR),
        "00991020": element("LO", first.rule),
        "00991021": element("CS", first.severity.upper()),
        "00991022": element("CS", first.level.upper()),
        "00991023": element("UT", told_message(first)),
        "00991024": element("IS", len(group)),
        "00991025": element("CS", "YES" if all(finding.waived for finding in group) else "NO"),
        "00991026": element("UT", *([shown] if shown else [])),
    }


def standing_rules(verdict: Verdict) -> list[str]:
    """The ids of the rules that keep a study from being READY, the worst first."""
    standing = [finding for finding in verdict.findings if not finding.waived]
    ids = [finding.rule for finding in standing if finding.severity == "block"]
    ids += [finding.rule for finding in standing if finding.severity == "review"]
    ids += [error.rule for error in verdict.errors]
    ids += [missing.rule for missing in verdict.not_evaluable if missing.required]
    return list(dict.fromkeys(ids))


def _comment(verdict: StoredVerdict) -> str:
    """Of these rules as many as have room."""
    ids = standing_rules(verdict.verdict)
    comment = ",".join(ids)
    while len(comment) > _COMMENT_LENGTH:
        shown = comment.split(",+")[0].rpartition(",")[0]
        comment = f"{shown},+{len(ids) - shown.count(',') - 1}"
    return comment
