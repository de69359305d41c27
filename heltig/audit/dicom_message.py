"""Entries of the audit trail as DICOM audit messages (PS3.15 A.5), for a site's audit record repository."""

from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, Literal, TypeAlias
from xml.etree import ElementTree as XML

import msgspec

from heltig.store.audit_actions import ACTIONS, Action
from heltig.store.audit_trail import AuditEntry

OURS: Final = "99HELTIG"
"""The coding scheme of our own actions; it begins with 99 as private ones do (PS3.3 8.2)."""

Act: TypeAlias = Literal["C", "R", "U", "D", "E"]
"""EventActionCode: create, read, update, delete, execute."""

Code: TypeAlias = tuple[str, str]
"""A code of DCM (PS3.16 annex D), and its meaning."""


class _Event(msgspec.Struct, frozen=True):
    """What an action is in the words of DICOM.

    Attributes:
        id: The event (CID 400).
        act: What is done.
        type: Its kind (CID 401), where there is one.
    """

    id: Code
    act: Act
    type: Code | None = None


_ACTIVITY: Final = ("110100", "Application Activity")
_LOG_USED: Final = ("110101", "Audit Log Used")
_ACCESSED: Final = ("110103", "DICOM Instances Accessed")
_TRANSFERRED: Final = ("110104", "DICOM Instances Transferred")
_DELETED: Final = ("110105", "DICOM Study Deleted")
_IMPORT: Final = ("110107", "Import")
_QUERY: Final = ("110112", "Query")
_ALERT: Final = ("110113", "Security Alert")
_USER: Final = ("110114", "User Authentication")
_NETWORK: Final = ("110128", "Network Configuration")
_SECURITY: Final = ("110129", "Security Configuration")
_RESTRICTED: Final = ("110132", "Use of Restricted Function")
_ATTRIBUTES: Final = ("110137", "User Security Attributes Changed")

_EVENTS: Final[Mapping[Action, _Event]] = {
    "audit.export": _Event(_LOG_USED, "R"),
    "audit.read": _Event(_LOG_USED, "R"),
    "audit.begin": _Event(_ALERT, "E", _SECURITY),
    "audit.checkpoint": _Event(_ALERT, "E", _SECURITY),
    "audit.rotate-key": _Event(_ALERT, "E", _SECURITY),
    "archive.add": _Event(_ALERT, "E", _NETWORK),
    "archive.change": _Event(_ALERT, "E", _NETWORK),
    "archive.remove": _Event(_ALERT, "E", _NETWORK),
    "webhook.add": _Event(_ALERT, "E", _NETWORK),
    "webhook.change": _Event(_ALERT, "E", _NETWORK),
    "webhook.remove": _Event(_ALERT, "E", _NETWORK),
    "gate.forward": _Event(_TRANSFERRED, "R"),
    "gate.take": _Event(_TRANSFERRED, "C"),
    "key.create": _Event(_ALERT, "E", _ATTRIBUTES),
    "key.revoke": _Event(_ALERT, "E", _ATTRIBUTES),
    "patient.look": _Event(_ACCESSED, "R"),
    "patient.search": _Event(_QUERY, "E"),
    "quarantine.discard": _Event(_DELETED, "D"),
    "request.refuse": _Event(_ALERT, "E", _RESTRICTED),
    "service.start": _Event(_ACTIVITY, "E", ("110120", "Application Start")),
    "service.stop": _Event(_ACTIVITY, "E", ("110121", "Application Stop")),
    "session.begin": _Event(_USER, "E", ("110122", "Login")),
    "session.end": _Event(_USER, "E", ("110123", "Logout")),
    "session.refuse": _Event(_USER, "E", ("110122", "Login")),
    "upload.accept": _Event(_IMPORT, "C"),
}
"""Those that DICOM has an event for; the others are events of ours."""

_OUTCOMES: Final = {"success": "0", "refused": "4", "failure": "8"}
"""EventOutcomeIndicator: minor failure for what was refused, serious failure for what failed."""


def message(entry: AuditEntry, *, source: str) -> bytes:
    """An entry as XML, without patient data.

    Args:
        entry: The entry.
        source: Names the system that reports (AuditSourceID).
    """
    root = XML.Element("AuditMessage")
    known = _EVENTS.get(entry.action)  # type: ignore[call-overload]  # one of a newer version is none of them
    event = XML.SubElement(
        root,
        "EventIdentification",
        EventActionCode=known.act if known else "E",
        EventDateTime=entry.at.isoformat(timespec="microseconds"),
        EventOutcomeIndicator=_OUTCOMES.get(entry.outcome, _OUTCOMES["failure"]),
    )
    described = ACTIONS.get(entry.action)  # type: ignore[call-overload]  # likewise
    ours = (entry.action, described.when if described else entry.action)
    _code(event, "EventID", known.id if known else ours, scheme="DCM" if known else OURS)
    if known and known.type:
        _code(event, "EventTypeCode", known.type)
    _code(event, "EventTypeCode", ours, scheme=OURS)
    person = XML.SubElement(root, "ActiveParticipant", UserID=_legal(entry.actor), UserIsRequestor="true")
    if entry.origin and entry.origin != "cli":
        person.set("NetworkAccessPointID", _legal(entry.origin))
        person.set("NetworkAccessPointTypeCode", "2")  # an IP address
    source_of = XML.SubElement(root, "AuditSourceIdentification", AuditSourceID=source)
    XML.SubElement(source_of, "AuditSourceTypeCode", {"csd-code": "4"})  # application server process
    for study in _studies(entry):
        _object(root, study, ("110180", "Study Instance UID"), role="3")  # report
    what = ("subject", "What it was done to")
    subject = _object(root, entry.subject, what, role="13", scheme=OURS)  # security resource
    details = {"detail": msgspec.json.encode(entry.detail).decode(), "sequence": str(entry.sequence)}
    _details(subject, details | ({"damaged": entry.damaged} if entry.damaged else {}))
    written: bytes = XML.tostring(root, encoding="utf-8", xml_declaration=True)
    return written


def _studies(entry: AuditEntry) -> Iterable[str]:
    """The studies that an entry names: in its detail, or after the location in its subject."""
    named = entry.detail.get("studies")
    if isinstance(named, dict):
        return map(str, named)
    location, _, study = entry.subject.partition(" ")
    return [study] if study and location.partition(":")[0] in ("archive", "gate", "upload") else []


def _object(root: XML.Element, name: str, kind: Code, *, role: str, scheme: str = "DCM") -> XML.Element:
    made = XML.SubElement(
        root,
        "ParticipantObjectIdentification",
        ParticipantObjectID=_legal(name),
        ParticipantObjectTypeCode="2",  # a system object
        ParticipantObjectTypeCodeRole=role,
    )
    _code(made, "ParticipantObjectIDTypeCode", kind, scheme=scheme)
    return made


def _details(parent: XML.Element, details: Mapping[str, str]) -> None:
    """Pairs of type and value; values are base64 (A.5.1)."""
    for name, value in details.items():
        encoded = b64encode(value.encode()).decode()
        XML.SubElement(parent, "ParticipantObjectDetail", type=name, value=encoded)


def _code(parent: XML.Element, name: str, code: Code, *, scheme: str = "DCM") -> None:
    value, meaning = code
    XML.SubElement(parent, name, {"csd-code": value, "codeSystemName": scheme, "originalText": meaning})


def _legal(text: str) -> str:
    """Text without what XML 1.0 cannot have."""
    return "".join(_legal_characters(text))


def _legal_characters(text: str) -> Iterator[str]:
    for character in text:
        is_legal = character in "\t\n\r" or " " <= character <= "\ud7ff" or "\ue000" <= character <= "\ufffd"
        yield character if is_legal or character >= "\U00010000" else "\N{REPLACEMENT CHARACTER}"
