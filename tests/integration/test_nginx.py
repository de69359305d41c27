"""`deploy/nginx/heltig.conf` in a real nginx, before a real server."""

import re
import secrets
import ssl
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner
from integration.gated import STORED, body_of, content_type, files_of, uid_of, uids
from servers.certificates import Authority, Issued
from servers.heltig_server import heltig_server
from servers.nginx import NginxNotInstalledError, running_nginx
from servers.ports import free_port
from unit.api.service import study_zip

from heltig.cli import heltig

CONFIGURATION = Path(__file__).parents[2] / "deploy/nginx/heltig.conf"
GATE = "/gate/main/studies"
STREAM = "/dicom-web/changefeed/stream"


@dataclass
class Site:
    root: str
    plain: str
    folder: Path
    authority: Authority
    ours: Issued
    admin: str

    def client(
        self, shown: Issued | None = None, *, key: str = "", address: str | None = None
    ) -> httpx.Client:
        context = ssl.create_default_context(cafile=str(self.authority.certificate))
        if shown is not None:
            context.load_cert_chain(shown.certificate, shown.key)
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        transport = httpx.HTTPTransport(verify=context, local_address=address)
        return httpx.Client(
            base_url=self.root, transport=transport, headers=headers, trust_env=False, timeout=120
        )


def made_key(home: Path, name: str, *options: str) -> str:
    told = (
        CliRunner().invoke(heltig, ("keys", "create", name, *options), env={"HELTIG_HOME": str(home)}).stdout
    )
    found = re.search(r"hk_\S+", told)
    assert found, told
    return found[0]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("nginx")
    home = folder / "home"
    authority = Authority(folder, "ours")
    served, ours = authority.issue("heltig"), authority.issue("ct-1")
    admin = made_key(home, "admin", "--role", "admin")
    gate = made_key(home, "nginx", "--role", "archive", "--area", "gate")
    (folder / "gate-key.conf").write_text(f'proxy_set_header Authorization "Bearer {gate}";\n')
    port, plain, behind = free_port(), free_port(), str(free_port())
    settings = {"auth_mode": "api-key", "port": behind, "public_url": f"https://127.0.0.1:{port}"}
    with heltig_server(home, **settings, trusted_proxies="127.0.0.1"):
        replaced = {
            "127.0.0.1:8042": f"127.0.0.1:{behind}",
            "/var/log/nginx/heltig.log": str(folder / "heltig.log"),
            "listen 443": f"listen 127.0.0.1:{port}",
            "listen 80": f"listen 127.0.0.1:{plain}",
            "/etc/heltig/tls/server.pem": str(served.certificate),
            "/etc/heltig/tls/server.key": str(served.key),
            "/etc/heltig/tls/senders.pem": str(authority.certificate),
            "/etc/heltig/tls/gate-key.conf": str(folder / "gate-key.conf"),
        }
        try:
            with running_nginx(folder, CONFIGURATION.read_text(), replaced, port=port):
                made = Site(
                    f"https://127.0.0.1:{port}", f"http://127.0.0.1:{plain}", folder, authority, ours, admin
                )
                with made.client(key=admin) as client:
                    entry = {"name": "main", "qidoUrl": "http://127.0.0.1:9/dicom-web"}
                    options = {"gate": "hold", "gateIdleSeconds": 3600, "strategy": "none"}
                    added = client.post("/api/v1/archives", json={**entry, "options": options})
                    assert added.status_code == 201, added.text
                yield made
        except NginxNotInstalledError as missing:
            pytest.skip(f"needs {missing}")


def stored(client: httpx.Client, files: list[bytes]) -> httpx.Response:
    boundary = secrets.token_hex(12)
    return client.post(
        GATE, content=body_of(files, boundary=boundary), headers={"Content-Type": content_type(boundary)}
    )


def test_a_sender_with_a_certificate_of_ours_stores(site: Site) -> None:
    files = [file + b"\0" * 2**20 for file in files_of("ct-chest")[:8]]  # more than nginx holds in memory
    with site.client(site.ours) as client:
        answer = stored(client, files)
    assert answer.status_code == 200, answer.text
    assert len(uids(answer, STORED)) == 8
    assert answer.json()["00081190"]["Value"][0].startswith(f"{site.root}/gate/main/studies/")
    kept = {file.read_bytes() for file in (site.folder / "home/spool/gate/main").glob("*.dcm")}
    assert kept == set(files)
    assert not [file for folder in ("bodies", "answers") for file in (site.folder / folder).rglob("*.*")]
    log = (site.folder / "error.log").read_text()
    assert "buffered to a temporary file" not in log


def test_the_gate_is_shut_for_others(site: Site) -> None:
    files = files_of("mr-spine")[:1]
    with site.client() as client:
        assert stored(client, files).status_code == 403
    with site.client(key=site.admin) as client:  # whose key would open it
        assert stored(client, files).status_code == 403
    other = Authority(site.folder, "others").issue("ct-1-of-theirs")
    with site.client(other) as client:
        assert stored(client, files).status_code in (400, 403)
    assert httpx.post(site.plain + GATE, content=b"").status_code == 403


@pytest.mark.skipif(sys.platform != "linux", reason="comes from another address of this machine")
def test_the_audit_trail_has_the_client_and_neither_nginx_nor_what_it_claims(site: Site) -> None:
    with site.client(key=site.admin, address="127.0.0.9") as client:
        claimed = {"X-Forwarded-For": "10.1.2.3", "Forwarded": "for=10.1.2.3"}
        sent = client.post("/api/v1/jobs/upload", content=study_zip("dx-hand"), headers=claimed)
        assert sent.status_code == 201
        entries = client.get("/api/v1/audit", params={"action": "upload.accept"}).json()["items"]
    location = sent.json()["upload"]["location"]
    assert [one["origin"] for one in entries if one["subject"] == location] == ["127.0.0.9"]


def test_a_piece_of_an_upload_passes(site: Site) -> None:
    piece = bytes(17 * 1024**2)  # more than nginx takes elsewhere; `heltig upload` sends 64 MiB
    resumable = {"Tus-Resumable": "1.0.0"}
    with site.client(key=site.admin) as client:
        begun = client.post("/api/v1/uploads", headers={**resumable, "Upload-Length": str(2 * len(piece))})
        assert begun.status_code == 201, begun.text
        headers = {**resumable, "Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
        sent = client.patch(begun.headers["location"], content=piece, headers=headers)
        assert (sent.status_code, sent.headers["upload-offset"]) == (204, str(len(piece)))
        client.delete(begun.headers["location"], headers=resumable)
    assert not list((site.folder / "bodies").rglob("*.*"))


def test_look_ups_need_a_key(site: Site) -> None:
    uid = uid_of("mg-screening")
    with site.client(site.ours) as client:
        assert client.get("/dicom-web/studies").status_code == 401  # a certificate is for the gate only
    with site.client(key=site.admin) as client:
        assert client.post("/api/v1/jobs/upload", content=study_zip("mg-screening")).status_code == 201
        found = client.get(f"/dicom-web/studies/{uid}/readiness")
        assert found.headers["Heltig-Readiness"] == "READY"
        assert client.get("/metrics").status_code == 404
        encoded = client.get("/dicom-web/studies/a%2Fb/readiness")
        assert "Nothing is known of this study" in encoded.json()["detail"]  # a route, with one segment
    answer = httpx.get(f"{site.plain}/dicom-web/studies?PatientID=1", follow_redirects=False)
    assert answer.status_code == 308
    assert answer.headers["Location"] == "https://127.0.0.1/dicom-web/studies?PatientID=1"


def test_the_stream_comes_line_by_line(site: Site) -> None:
    with site.client(key=site.admin) as client, client.stream("GET", STREAM) as answer:
        assert next(answer.iter_lines()) == "retry: 3000"
