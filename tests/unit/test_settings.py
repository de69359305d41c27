"""Settings: where they come from, what is refused and how, and that each is documented."""

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heltig.errors import ConfigurationError
from heltig.setting_info import describe
from heltig.setting_sources import load_settings
from heltig.setting_types import Address, Peer, SecretUrl, Size, is_loopback
from heltig.settings import Settings

FIELDS = [field.name for field in msgspec.structs.fields(Settings)]


@pytest.fixture
def toml(tmp_path: Path) -> Path:
    return tmp_path / "heltig.toml"


def refusal(environ: dict[str, str]) -> str:
    with pytest.raises(ConfigurationError) as refused:
        load_settings(environ)
    return refused.value.detail


def test_defaults_listen_on_loopback_without_authentication() -> None:
    settings = load_settings({})
    assert (settings.host, settings.port, settings.auth_mode) == ("127.0.0.1", 8042, "off")
    assert settings.home.name == "heltig"
    assert settings.home.is_absolute()
    assert settings.database == f"sqlite+aiosqlite:///{settings.home.as_posix()}/heltig.db"
    assert 1 <= settings.workers <= 4


def test_the_environment_wins_over_the_file(toml: Path) -> None:
    toml.write_text(
        'port = 1\nupload_max_ratio = 9\nmetadata_max_size = "1 MiB"\nconsult_allow = ["10.0.0.1"]\n'
    )
    settings = load_settings({"HELTIG_CONFIG": str(toml), "HELTIG_PORT": "2"})
    assert (settings.port, settings.upload_max_ratio, settings.metadata_max_size) == (2, 9, 1024**2)
    assert settings.consult_allow == ("10.0.0.1",)
    sources = {info.key: info.source for info in describe({"HELTIG_CONFIG": str(toml), "HELTIG_PORT": "2"})}
    assert (sources["port"], sources["upload_max_ratio"], sources["host"]) == (
        "environment",
        "file",
        "default",
    )


def test_every_kind_of_value_is_read(tmp_path: Path) -> None:
    settings = load_settings(
        {
            "HELTIG_HOME": str(tmp_path),
            "HELTIG_CONSULT_BIND": "[::]:8043",
            "HELTIG_CONSULT_ALLOW": "10.0.0.1, 2001:db8::/32",
            "HELTIG_ARCHIVE_READ_SECONDS": "2.5",
            "HELTIG_AUTH_MODE": "api-key",
            "HELTIG_DATABASE_URL": "postgresql+asyncpg://user:word@host/name",
            "HELTIG_PUBLIC_URL": "https://heltig.example/qa",
            "HELTIG_WORKERS": "",
        }
    )
    assert settings.home == tmp_path
    assert settings.consult_bind == Address("::", 8043)
    assert settings.consult_allow == ("10.0.0.1", "2001:db8::/32")
    assert settings.archive_read_seconds == 2.5
    assert settings.auth_mode == "api-key"
    assert settings.database == "postgresql+asyncpg://user:word@host/name"
    assert settings.workers == load_settings({}).workers


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("HELTIG_PROT", "8042", "the nearest one is HELTIG_PORT"),
        ("HELTIG_XYZZY", "", "HELTIG_XYZZY is not a setting."),
        ("HELTIG_PORT", "70000", "HELTIG_PORT: Expected `int` <= 65535"),
        ("HELTIG_PORT", "http", "HELTIG_PORT: Expected `int`"),
        ("HELTIG_WORKERS", "0", "HELTIG_WORKERS: Expected `int` >= 1"),
        ("HELTIG_IDLE_SECONDS", "-1", "HELTIG_IDLE_SECONDS: Expected `float` > 0.0"),
        ("HELTIG_SESSION_IDLE_SECONDS", "1e15", "HELTIG_SESSION_IDLE_SECONDS: Expected `float` <= 604800.0"),
        ("HELTIG_AUDIT_KEY", "ab" * 32, "`env:HELTIG_SECRET_NAME` or `file:PATH`"),
        ("HELTIG_OIDC_CLIENT_SECRET", "abc", "`env:HELTIG_SECRET_NAME` or `file:PATH`"),
        ("HELTIG_ARCHIVE_READ_SECONDS", "0", "HELTIG_ARCHIVE_READ_SECONDS: Expected"),
        ("HELTIG_METADATA_MAX_SIZE", "big", "HELTIG_METADATA_MAX_SIZE: Expected a size such as `256 MiB`"),
        ("HELTIG_METADATA_MAX_SIZE", "0 MiB", "HELTIG_METADATA_MAX_SIZE: Expected a size such as `256 MiB`"),
        ("HELTIG_ANALYSIS_MEMORY", "300 MiB", "HELTIG_ANALYSIS_MEMORY: too little"),
        ("HELTIG_AUTH_MODE", "none", "(`api-key`)"),
        ("HELTIG_REDIS_URL", "http://127.0.0.1", "not a Redis"),
        ("HELTIG_DATABASE_URL", "mysql://host/name", "HELTIG_DATABASE_URL: mysql: is not supported"),
        ("HELTIG_DATABASE_URL", "heltig.db", "HELTIG_DATABASE_URL: Expected a URL"),
        ("HELTIG_ARCHIVE_PROXY", "socks5://proxy.example:1080", "Give http://HOST:PORT"),
        ("HELTIG_PUBLIC_URL", "heltig.example", "Give https://HOST"),
        ("HELTIG_PUBLIC_URL", "https://heltig.example/?a=b", "Give https://HOST"),
        ("HELTIG_PUBLIC_URL", "https://heltig.example\\@other.example", "Give https://HOST"),
        ("HELTIG_PUBLIC_URL", "https://heltig.example\\heltig", "Give https://HOST"),
        ("HELTIG_VIEWER_URL", "javascript:alert('{study}')", "Give http://… or https://…"),
        ("HELTIG_VIEWER_URL", "https://{study}.example/", "behind the host"),
        ("HELTIG_VIEWER_URL", "https://viewer.example/?study={uid}", "with {study}"),
        ("HELTIG_HOST", "0.0.0.0", "Set HELTIG_AUTH_MODE=api-key"),
        ("HELTIG_HOST", "pacs-qa.example", "Set HELTIG_AUTH_MODE=api-key"),
        ("HELTIG_CONSULT_BIND", "0.0.0.0:8043", "HELTIG_CONSULT_ALLOW"),
        ("HELTIG_CONSULT_BIND", "8043", "HELTIG_CONSULT_BIND: Expected `HOST:PORT`"),
        ("HELTIG_CONSULT_BIND", "127.0.0.1:70000", "HELTIG_CONSULT_BIND: Expected `HOST:PORT`"),
        ("HELTIG_CONSULT_ALLOW", "10.1.2.3/8", "HELTIG_CONSULT_ALLOW: 10.1.2.3/8 has host bits set"),
        ("HELTIG_IDENTIFIERS", "masked", "everybody is an admin"),
        ("HELTIG_IDENTIFIERS_SHOWN_TO", "reader", "HELTIG_IDENTIFIERS=masked"),
        ("HELTIG_IDENTIFIER_KEY", "file:/etc/heltig/key", "HELTIG_IDENTIFIERS=hashed"),
        ("HELTIG_ANALYSIS_ENABLED", "true", "HELTIG_ANALYSIS_USE=research-only"),
        ("HELTIG_ANALYSIS_USE", "clinical", "research-only"),
        ("HELTIG_MAX_PARALLEL_CASES", "0", "HELTIG_MAX_PARALLEL_CASES: Expected `int` >= 1"),
    ],
)
def test_a_refusal_names_the_setting_and_what_to_do(variable: str, value: str, expected: str) -> None:
    text = refusal({variable: value})
    assert variable in text
    assert expected in text


def test_who_could_try_out_what_is_masked_has_to_see_it() -> None:
    masked = {"HELTIG_AUTH_MODE": "api-key", "HELTIG_IDENTIFIERS": "masked"}
    for roles in ("reviewer,admin", "reader,qa_operator", "admin"):
        assert "can try out what is masked" in refusal({**masked, "HELTIG_IDENTIFIERS_SHOWN_TO": roles})


def test_identified_analyses_are_none_where_identifiers_are_kept_as_hashes() -> None:
    hashed = {"HELTIG_IDENTIFIERS": "hashed", "HELTIG_AUTH_MODE": "api-key"}
    said = refusal({**hashed, "HELTIG_ANALYSIS_ALLOW_IDENTIFIED": "true"})
    assert "HELTIG_ANALYSIS_ALLOW_IDENTIFIED" in said


OIDC = {
    "HELTIG_AUTH_MODE": "oidc",
    "HELTIG_OIDC_ISSUER": "https://login.example/realms/pacs",
    "HELTIG_OIDC_CLIENT_ID": "heltig",
    "HELTIG_OIDC_ROLES": "heltig-readers=reader",
    "HELTIG_PUBLIC_URL": "https://heltig.example/",
}


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("HELTIG_OIDC_ISSUER", "", "needs the provider's issuer"),
        ("HELTIG_OIDC_ISSUER", "http://login.example/realms/pacs", "needs the provider's issuer"),
        ("HELTIG_OIDC_ISSUER", "https://a:b@login.example", "needs the provider's issuer"),
        ("HELTIG_OIDC_CLIENT_ID", "", "HELTIG_OIDC_AUDIENCE"),
        ("HELTIG_OIDC_ROLES", "", "Nobody could do anything"),
        ("HELTIG_PUBLIC_URL", "", "the provider sends them back there"),
        ("HELTIG_PUBLIC_URL", "http://heltig.example", "the provider sends them back there"),
        ("HELTIG_OIDC_SCOPES", "profile", "without openid"),
        ("HELTIG_OIDC_ALGORITHMS", "RS256,none", "Choose among RS256"),
        ("HELTIG_OIDC_ALGORITHMS", "HS256", "Choose among RS256"),
        ("HELTIG_OIDC_PROXY", "socks5://proxy.example:1080", "Give http://HOST:PORT"),
        ("HELTIG_SESSION_HOURS", "1000", "Expected `float` <= 168"),
    ],
)
def test_what_an_openid_provider_needs_is_told(variable: str, value: str, expected: str) -> None:
    assert load_settings({**OIDC, "HELTIG_HOST": "0.0.0.0"}).auth_mode == "oidc"
    text = refusal({**OIDC, variable: value})
    assert variable in text
    assert expected in text


def test_all_problems_are_told_at_once(toml: Path) -> None:
    toml.write_text('hots = "::1"\nport = "x"\n')
    lines = refusal({"HELTIG_CONFIG": str(toml), "HELTIG_WORKERS": "x"}).splitlines()
    assert len(lines) == 3
    assert lines[0] == f"{toml}: hots is not a setting; the nearest one is host."
    assert lines[1].startswith(f"{toml}: port: Expected `int`")
    assert lines[2].startswith("HELTIG_WORKERS: ")


@pytest.mark.parametrize(
    ("content", "expected"),
    [(b"port: 8042", "is not TOML"), (b"a = '\xff'", "is not TOML"), (None, "cannot be read")],
)
def test_a_file_that_cannot_be_used_is_named(toml: Path, content: bytes | None, expected: str) -> None:
    if content is not None:
        toml.write_bytes(content)
    text = refusal({"HELTIG_CONFIG": str(toml)})
    assert str(toml) in text
    assert expected in text


def test_names_that_are_not_ours_to_judge_are_left_alone() -> None:
    load_settings({"HELTIG_SECRET_PACS": "x", "HELTIG_TEST_CORPUS": "x", "PORT": "x"})


def test_other_machines_may_connect_once_there_is_authentication() -> None:
    settings = load_settings({"HELTIG_HOST": "::", "HELTIG_AUTH_MODE": "api-key"})
    assert settings.host == "::"


def test_a_changed_copy_is_checked_too() -> None:
    with pytest.raises(ConfigurationError):
        msgspec.structs.replace(load_settings({}), host="192.0.2.1")


def test_every_setting_is_documented() -> None:
    infos = describe({})
    assert [info.key for info in infos] == FIELDS
    for info in infos:
        assert info.variable == "HELTIG_" + info.key.upper()
        assert info.doc.endswith("."), info.key
        assert info.type
    without_default = {info.key for info in infos if not info.default}
    assert without_default == {
        "analysis_plan",
        "analysis_publish_to",
        "analysis_use",
        "audit_syslog",
        "audit_syslog_certificate",
        "audit_syslog_key",
        "public_url",
        "viewer_url",
        "consult_bind",
        "consult_allow",
        "cors_origins",
        "redis_url",
        "trusted_proxies",
        "archive_proxy",
        "oidc_issuer",
        "oidc_client_id",
        "oidc_client_secret",
        "oidc_audience",
        "oidc_roles",
        "oidc_ca_bundle",
        "oidc_proxy",
        "dicom_peers",
        "dicom_certificate",
        "dicom_key",
        "dicom_client_ca",
        "upload_url",
        "upload_key",
    }


def test_documented_defaults_are_those_of_no_machine_in_particular() -> None:
    texts = " ".join(info.default for info in describe({}))
    assert str(Path.home()) not in texts


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+asyncpg://user:s3cr3t@host/name",
        "postgresql+asyncpg://user:s3cr3t@s3cr3t@host/name",
        "postgresql+asyncpg://user:s3/cr3t@host/s3cr3t@name",
        "postgresql+asyncpg://:s3cr3t@host/name",
        "postgresql+asyncpg://host/name?password=s3cr3t",
        "postgresql+asyncpg://user@srv:s3cr3t@host/name",
        "postgresql+asyncpg://user:s3cr3t?more@host/name",
        "postgresql+asyncpg://user:s3c\nr3t-s3cr3t@host/name",
        "postgresql+asyncpg://s3cr3t@host/name",
    ],
)
def test_passwords_are_never_shown(url: str) -> None:
    environ = {"HELTIG_DATABASE_URL": url}
    settings = load_settings(environ)
    assert settings.database == url
    assert "s3cr3t" not in repr(settings)
    assert "s3cr3t" not in str(settings.database_url)
    assert "s3cr3t" not in repr(describe(environ))
    assert "host" in str(settings.database_url) or "/s3" in url


def test_a_url_without_password_is_shown_whole() -> None:
    assert (
        str(SecretUrl("sqlite+aiosqlite:////var/lib/heltig.db")) == "sqlite+aiosqlite:////var/lib/heltig.db"
    )


@given(st.integers(1, 2**60))
def test_a_size_reads_back_as_written(size: int) -> None:
    assert Size.parse(str(Size(size))) == Size.parse(size) == size


@given(st.sampled_from(["127.0.0.1", "::", "::1", "pacs.example"]), st.integers(0, 65535))
def test_an_address_reads_back_as_written(host: str, port: int) -> None:
    assert Address.parse(str(Address(host, port))) == Address(host, port)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.8.9.1", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("10.0.0.1", False),
        ("localhost.example", False),
        ("", False),
    ],
)
def test_loopback_is_told_from_other_addresses(host: str, *, expected: bool) -> None:
    assert is_loopback(host) is expected


def test_the_home_folder_follows_the_users_data_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert Settings().home == tmp_path / "heltig"
    monkeypatch.delenv("XDG_DATA_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Settings().home == tmp_path / ".local/share/heltig"


@pytest.mark.parametrize(
    ("written", "ae_title", "address", "matches"),
    [
        ("CT1@10.1.2.3", "CT1", "10.1.2.3", True),
        ("CT1@10.1.2.3", "CT2", "10.1.2.3", False),
        ("CT1@10.1.2.3", "CT1", "10.1.2.4", False),
        ("*@10.4.0.0/16", "ANY ONE", "10.4.9.9", True),
        ("*@10.4.0.0/16", "ANY", "10.5.0.1", False),
        ("CT 1@10.1.2.3:104", "CT 1", "::ffff:10.1.2.3", True),
        ("CT1@[2001:db8::/32]", "CT1", "2001:db8::7", True),
    ],
)
def test_a_peer_is_an_ae_title_at_an_address(
    written: str, ae_title: str, address: str, matches: bool
) -> None:
    assert Peer.parse(written).matches(ae_title, address) is matches


@pytest.mark.parametrize(
    "written",
    [
        "CT1",
        "@10.1.2.3",
        "CT1@host",
        "CT1@10.1.2.3:0",
        "*@10.1.2.3:104",
        "CT1@10.0.0.0/8:104",
        "A\\B@10.1.2.3",
    ],
)
def test_what_is_no_peer_is_refused(written: str) -> None:
    assert "HELTIG_DICOM_PEERS" in refusal({"HELTIG_DICOM_PEERS": written})


def test_a_listener_for_other_machines_names_who_may_send() -> None:
    assert "HELTIG_DICOM_PEERS" in refusal({"HELTIG_DICOM_HOST": "0.0.0.0"})
    settings = load_settings({"HELTIG_DICOM_HOST": "0.0.0.0", "HELTIG_DICOM_PEERS": "CT1@10.1.2.3"})
    assert settings.dicom_peers == ("CT1@10.1.2.3",)


@pytest.mark.parametrize("title", ["SEVENTEEN_LETTERS", "BACK\\SLASH", "Ä"])
def test_what_is_no_ae_title_is_refused(title: str) -> None:
    assert "HELTIG_AE_TITLE" in refusal({"HELTIG_AE_TITLE": title})
