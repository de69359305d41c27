"""The HTTP client against a real archive."""

import json
from pathlib import Path

import pytest
from pydicom.data import get_testdata_file
from servers.orthanc import Orthanc

from heltig import http
from heltig.auth.archives import auth_for
from heltig.credentials import BasicAuth
from heltig.errors import ArchiveAccessError, ArchiveNotFoundError

pytestmark = pytest.mark.orthanc

JSON = "application/dicom+json"
MIB = 1024 * 1024


@pytest.fixture
def auth(orthanc: Orthanc) -> http.Auth | None:
    environ = {"HELTIG_SECRET_ORTHANC": orthanc.password}
    return auth_for(BasicAuth(username=orthanc.username, secret="env:HELTIG_SECRET_ORTHANC"), environ=environ)


@pytest.fixture
def ct_small(orthanc: Orthanc) -> None:
    orthanc.store([Path(str(get_testdata_file("CT_small.dcm"))).read_bytes()])


@pytest.mark.usefixtures("ct_small")
async def test_a_study_is_found_by_a_wildcard_and_its_metadata_streamed(
    orthanc: Orthanc, auth: http.Auth | None
) -> None:
    async with http.client(orthanc.root, auth=auth) as client:
        head, body = await http.get(client, "studies?PatientName=Compressed*", accept=JSON, max_bytes=MIB)
        assert (head.status, head.media_type) == (200, JSON)
        (study,) = json.loads(body)
        uid = study["0020000D"]["Value"][0]
        async with http.stream(client, f"studies/{uid}/metadata", accept=JSON, max_bytes=MIB) as (
            head,
            chunks,
        ):
            assert head.headers["content-encoding"] == "gzip"
            (instance,) = json.loads(b"".join([chunk async for chunk in chunks]))
    assert instance["0020000D"]["Value"] == [uid]


async def test_what_it_does_not_have_is_not_found(orthanc: Orthanc, auth: http.Auth | None) -> None:
    async with http.client(orthanc.root, auth=auth) as client:
        with pytest.raises(ArchiveNotFoundError):
            await http.get(client, "studies/1.2.3/metadata", accept=JSON, max_bytes=MIB)


async def test_without_credentials_there_is_no_access(orthanc: Orthanc) -> None:
    async with http.client(orthanc.root) as client:
        with pytest.raises(ArchiveAccessError):
            await http.get(client, "studies", accept=JSON, max_bytes=MIB)
