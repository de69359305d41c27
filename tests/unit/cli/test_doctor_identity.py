"""`heltig doctor`: the OpenID provider, and the proxies before the service."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from joserfc.jwk import OctKey, RSAKey
from servers.openid import OpenIDProvider, openid_provider

from heltig.cli import heltig

PUBLIC = "https://heltig.example"


@pytest.fixture
async def provider() -> AsyncIterator[OpenIDProvider]:
    async with openid_provider(lambda: datetime.now(UTC)) as (running, _):
        yield running


async def doctor(home: Path, *options: str, **environ: str) -> tuple[dict[str, dict[str, Any]], int]:
    """What is said, by what it is about, and the exit code."""
    given = {f"HELTIG_{name.upper()}": value for name, value in environ.items()} | {"HELTIG_HOME": str(home)}
    command = ("doctor", "--format", "json", *options)
    ran = await asyncio.to_thread(CliRunner().invoke, heltig, command, env=given)
    found = json.loads(ran.stdout)
    assert all(one["remedy"] for one in found if one["state"] in ("failed", "warning")), found
    return {one["about"]: one for one in found}, ran.exit_code


def login_at(issuer: str, **more: str) -> dict[str, str]:
    """The settings of a site where people log in."""
    return {
        "auth_mode": "hybrid",
        "public_url": PUBLIC,
        "trusted_proxies": "127.0.0.1",
        "oidc_issuer": issuer,
        "oidc_client_id": "heltig",
        "oidc_roles": "heltig-readers=reader",
        **more,
    }


async def test_a_provider_that_is_well(tmp_path: Path, provider: OpenIDProvider) -> None:
    found, code = await doctor(tmp_path, **login_at(provider.issuer))
    abouts = ("provider", "provider's keys", "provider's clock", "redirect address", "proxies")
    assert ([found[about]["state"] for about in abouts], code) == (["ok"] * 5, 0)
    assert f"{PUBLIC}/login/return" in found["redirect address"]["found"]
    assert "RS256" in found["provider's keys"]["found"]


async def test_none_is_needed_for_keys(tmp_path: Path) -> None:
    found, code = await doctor(tmp_path, auth_mode="api-key")
    assert (found["provider"]["state"], code) == ("skipped", 0)


async def test_offline_it_is_not_asked(tmp_path: Path, provider: OpenIDProvider) -> None:
    found, code = await doctor(tmp_path, "--offline", **login_at(provider.issuer))
    assert (found["provider"]["state"], code, provider.asked) == ("skipped", 0, {})


async def test_a_provider_that_is_away(tmp_path: Path, provider: OpenIDProvider) -> None:
    provider.is_away = True
    found, code = await doctor(tmp_path, **login_at(provider.issuer))
    assert (found["provider"]["state"], code) == ("failed", 1)
    assert "openid-configuration" in found["provider"]["found"]


async def test_another_issuer(tmp_path: Path, provider: OpenIDProvider) -> None:
    found, code = await doctor(tmp_path, **login_at(f"{provider.issuer}/"))
    assert (found["provider"]["state"], code) == ("failed", 1)
    assert "HELTIG_OIDC_ISSUER" in found["provider"]["found"]


async def test_keys_that_are_of_no_use(tmp_path: Path, provider: OpenIDProvider) -> None:
    encrypting = RSAKey.generate_key(2048, {"use": "enc"}).as_dict(private=False)
    provider.published = [encrypting, OctKey.generate_key(256).as_dict()]
    found, code = await doctor(tmp_path, **login_at(provider.issuer))
    assert (found["provider"]["state"], found["provider's keys"]["state"], code) == ("ok", "failed", 1)
    assert "has 2 keys" in found["provider's keys"]["found"]


async def test_keys_for_another_algorithm(tmp_path: Path, provider: OpenIDProvider) -> None:
    found, _ = await doctor(tmp_path, **login_at(provider.issuer, oidc_algorithms="ES256"))
    assert found["provider's keys"]["state"] == "failed"
    assert "ES256" in found["provider's keys"]["found"]


async def test_nobody_can_log_in_without_the_code_flow(tmp_path: Path, provider: OpenIDProvider) -> None:
    provider.metadata = {"authorization_endpoint": ""}
    found, code = await doctor(tmp_path, **login_at(provider.issuer))
    assert (found["provider"]["state"], code) == ("failed", 1)
    assert "authorization_endpoint" in found["provider"]["found"]
    tokens = login_at(provider.issuer, oidc_client_id="", oidc_audience="us")
    found, code = await doctor(tmp_path, **tokens)
    assert (found["provider"]["state"], code) == ("ok", 0)
    assert "redirect address" not in found


@pytest.mark.parametrize(("hours", "sign"), [(1, "+"), (-1, "-")])
async def test_its_clock(tmp_path: Path, provider: OpenIDProvider, hours: int, sign: str) -> None:
    provider.ahead = timedelta(hours=hours)
    found, code = await doctor(tmp_path, **login_at(provider.issuer))
    assert (found["provider's clock"]["state"], code) == ("failed", 1)
    assert f"Its clock is {sign}" in found["provider's clock"]["found"]


async def test_a_way_back_without_tls(tmp_path: Path, provider: OpenIDProvider) -> None:
    here = login_at(provider.issuer, public_url="http://127.0.0.1:8042", trusted_proxies="")
    found, code = await doctor(tmp_path, **here)
    assert (found["redirect address"]["state"], found["proxies"]["state"], code) == ("warning", "skipped", 0)


async def test_a_secret_that_cannot_be_read(tmp_path: Path, provider: OpenIDProvider) -> None:
    lost = login_at(provider.issuer, oidc_client_secret="env:HELTIG_SECRET_NOWHERE")
    found, code = await doctor(tmp_path, **lost)
    assert (found["provider"]["state"], code) == ("failed", 1)
    assert "HELTIG_SECRET_NOWHERE" in found["provider"]["found"]


@pytest.mark.parametrize(
    ("public", "trusted", "state"),
    [
        (PUBLIC, "", "warning"),
        (PUBLIC, "127.0.0.1,10.4.0.0/16", "ok"),
        (PUBLIC, "0.0.0.0/0", "warning"),
        ("", "::/0", "warning"),
        ("", "", "skipped"),
    ],
)
async def test_proxies(tmp_path: Path, public: str, trusted: str, state: str) -> None:
    found, code = await doctor(tmp_path, auth_mode="api-key", public_url=public, trusted_proxies=trusted)
    assert (found["proxies"]["state"], code) == (state, 0)
