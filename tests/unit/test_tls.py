"""Whom connections trust."""

import os
from pathlib import Path

import pytest
from servers.certificates import Authority

from heltig.tls import Tls, ssl_context


def test_the_systems_authorities_are_read_again_when_they_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = tmp_path / "system.pem"
    bundle.write_bytes(Authority(tmp_path).certificate.read_bytes())
    elsewhere = ssl_context(Tls())
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    before = ssl_context(Tls())
    assert before is not elsewhere
    assert before is ssl_context(Tls())
    os.utime(bundle, ns=(0, 0))
    assert ssl_context(Tls()) is not before


def test_files_that_are_named_are_read_each_time(tmp_path: Path) -> None:
    tls = Tls(ca_bundle=Authority(tmp_path).certificate)
    assert ssl_context(tls) is not ssl_context(tls)
