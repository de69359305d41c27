"""The trail as DICOM audit messages, at a receiver that speaks syslog over TLS."""

import asyncio
import base64
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as XML

import pydicom.sr._concepts_dict as dcm
import pytest
from servers.certificates import Authority, Issued
from unit.audit.trails import NOW, Trail

from heltig.app import create_app
from heltig.audit.dicom_message import message
from heltig.audit.syslog import SyslogSender
from heltig.errors import ConfigurationError
from heltig.setting_types import Address
from heltig.settings import Settings
from heltig.store import audit_sent
from heltig.store.audit_actions import ACTIONS
from heltig.store.audit_trail import AuditEntry


class Repository:
    """A receiver that takes messages of RFC 5425, from those whose certificate its authority issued."""

    def __init__(self) -> None:
        self.messages: list[str] = []
        self.came = asyncio.Condition()
        self.port = 0
        self.writers: list[asyncio.StreamWriter] = []

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        try:
            while length := await reader.readuntil(b" "):
                content = await reader.readexactly(int(length))
                async with self.came:
                    self.messages.append(content.decode())
                    self.came.notify_all()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def wait_for(self, count: int) -> None:
        async with asyncio.timeout(60), self.came:
            await self.came.wait_for(lambda: len(self.messages) >= count)

    @property
    def documents(self) -> list[XML.Element]:
        return [parsed(one.partition("\ufeff")[2]) for one in self.messages]


@asynccontextmanager
async def running(server: Issued, authority: Authority, port: int = 0) -> AsyncIterator[Repository]:
    repository = Repository()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=authority.certificate)
    context.load_cert_chain(server.certificate, server.key)
    context.verify_mode = ssl.CERT_REQUIRED
    listener = await asyncio.start_server(repository.take, "127.0.0.1", port, ssl=context)
    repository.port = listener.sockets[0].getsockname()[1]
    try:
        yield repository
    finally:
        listener.close()
        for writer in repository.writers:
            writer.transport.abort()
        await listener.wait_closed()


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def parsed(text: str | bytes) -> XML.Element:
    return XML.fromstring(text)  # noqa: S314  # our own


def settings_for(port: int, authority: Authority, own: Issued | None, **others: Any) -> Settings:
    return Settings(
        **others,
        audit_syslog=Address("127.0.0.1", port),
        audit_syslog_ca=authority.certificate,
        audit_syslog_certificate=own.certificate if own else None,
        audit_syslog_key=own.key if own else None,
    )


def attributes(document: XML.Element, path: str) -> list[dict[str, str]]:
    return [dict(element.attrib) for element in document.findall(path)]


async def test_entries_arrive_once_in_their_order_also_after_a_break(
    trail: Trail, authority: Authority
) -> None:
    server, own = authority.issue("server"), authority.issue("client")
    async with running(server, authority) as repository:
        port = repository.port
        sender = SyslogSender(trail.store, settings_for(port, authority, own))
        await sender.send()
        await repository.wait_for(10)
        await trail.write("j")
        await sender.send()
        await repository.wait_for(11)
        sent = [f'[meta sequenceId="{n}"]' in one for n, one in enumerate(repository.messages, start=1)]
        assert sent == [True] * 11
        assert all(one.startswith("<85>1 20") and " DICOM+RFC3881 " in one for one in repository.messages)
        subjects = [attributes(one, "ParticipantObjectIdentification")[-1] for one in repository.documents]
        assert [one["ParticipantObjectID"] for one in subjects[1:]] == list("abcdefghij")
    await trail.write("k")
    await sender.send()  # nobody is there
    assert await trail.store.read(audit_sent.last) <= 12
    before = await trail.store.read(audit_sent.last)
    await trail.write("l")
    await sender.send()
    async with running(server, authority, port) as repository:
        await sender.close()
        await repository.wait_for(13 - before)
        assert '[meta sequenceId="13"]' in repository.messages[-1]
    assert await trail.store.read(audit_sent.last) == 13


async def test_nothing_is_sent_to_whom_we_do_not_trust_or_who_does_not_trust_us(
    trail: Trail, authority: Authority, tmp_path: Path
) -> None:
    (tmp_path / "others").mkdir()
    stranger = Authority(tmp_path / "others", "stranger")
    async with running(stranger.issue("server"), authority) as repository:
        sender = SyslogSender(
            trail.store, settings_for(repository.port, authority, authority.issue("client"))
        )
        await sender.send()
        assert repository.messages == []
    async with running(authority.issue("server"), authority) as repository:
        await SyslogSender(trail.store, settings_for(repository.port, authority, None)).send()
        assert repository.messages == []
    assert await trail.store.read(audit_sent.last) == 0
    with pytest.raises(ConfigurationError, match="not readable"):
        SyslogSender(trail.store, settings_for(1, authority, Issued(tmp_path / "none", tmp_path / "none")))


def entry(**changes: Any) -> AuditEntry:
    fields: dict[str, Any] = {
        "sequence": 7, "at": NOW, "actor": "key:ops", "action": "patient.look", "outcome": "success",
        "subject": "GET /api/v1/studies/{study}", "origin": "10.0.0.7",
        "detail": {"count": 3, "studies": {"1.2.3": 2, "1.2.4": 1}},
    }  # fmt: skip
    return AuditEntry(**{**fields, **changes})


def test_a_look_says_who_looked_at_which_studies() -> None:
    document = parsed(message(entry(), source="heltig@here"))
    assert [child.tag for child in document] == [
        "EventIdentification",
        "ActiveParticipant",
        "AuditSourceIdentification",
        *["ParticipantObjectIdentification"] * 3,
    ]
    (event,) = attributes(document, "EventIdentification")
    assert event == {
        "EventActionCode": "R",
        "EventDateTime": "2026-03-01T12:00:00.000000+00:00",
        "EventOutcomeIndicator": "0",
    }
    (id_,) = attributes(document, "EventIdentification/EventID")
    assert id_ == {"csd-code": "110103", "codeSystemName": "DCM", "originalText": "DICOM Instances Accessed"}
    (who,) = attributes(document, "ActiveParticipant")
    assert (who["UserID"], who["NetworkAccessPointID"]) == ("key:ops", "10.0.0.7")
    objects = attributes(document, "ParticipantObjectIdentification")
    assert [one["ParticipantObjectID"] for one in objects[:2]] == ["1.2.3", "1.2.4"]
    detail = attributes(document, "ParticipantObjectIdentification/ParticipantObjectDetail")[0]
    assert json.loads(base64.b64decode(detail["value"])) == entry().detail


def test_a_study_is_found_in_a_subject_and_odd_text_is_legal() -> None:
    given = entry(
        action="verdict.publish",
        subject="archive:main 1.2\x00.3\ud800",
        detail={},
        origin="",
        outcome="refused",
    )
    document = parsed(message(given, source="heltig@here"))
    assert (
        attributes(document, "ParticipantObjectIdentification")[0]["ParticipantObjectID"]
        == "1.2\ufffd.3\ufffd"
    )
    (id_,) = attributes(document, "EventIdentification/EventID")
    assert (id_["csd-code"], id_["codeSystemName"]) == ("verdict.publish", "99HELTIG")
    assert attributes(document, "EventIdentification")[0]["EventOutcomeIndicator"] == "4"
    assert "NetworkAccessPointID" not in attributes(document, "ActiveParticipant")[0]


def test_every_action_becomes_a_message_and_codes_are_those_of_the_standard() -> None:
    meanings = {code: text for known in dcm.concepts["DCM"].values() for code, (text, *_) in known.items()}
    for action in ACTIONS:
        document = parsed(message(entry(action=action), source="heltig@here"))
        for code in (*attributes(document, ".//EventID"), *attributes(document, ".//EventTypeCode")):
            if code["codeSystemName"] == "DCM":
                assert meanings[code["csd-code"]] == code["originalText"]
        assert attributes(document, ".//EventTypeCode")[-1]["csd-code"] == action


async def test_a_service_sends_what_happens_from_its_start_to_its_end(
    tmp_path: Path, authority: Authority
) -> None:
    server, own = authority.issue("server"), authority.issue("client")
    async with running(server, authority) as repository:
        settings = settings_for(repository.port, authority, own, home=tmp_path / "home", workers=1)
        async with create_app(settings).lifespan():
            await repository.wait_for(2)
        async with asyncio.timeout(60), repository.came:
            await repository.came.wait_for(lambda: "Application Stop" in repository.messages[-1])
    # What was under way when it stopped comes twice.
    types = [attributes(one, "EventIdentification/EventTypeCode")[0] for one in repository.documents]
    assert list(dict.fromkeys(one["originalText"] for one in types)) == [
        "Security Configuration",
        "Application Start",
        "Application Stop",
    ]
