"""Access tokens of programs, checked against the keys of a real provider on loopback."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from joserfc.jwk import RSAKey
from servers.openid import CLIENT
from unit.api.openid_site import Site, openid_site
from unit.api.service import in_one_task

from heltig.errors import ConfigurationError

pytestmark = pytest.mark.asyncio(loop_scope="module")

JWKS = "/jwks"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    async with in_one_task(openid_site(tmp_path_factory.mktemp("site") / "home")) as made:
        yield made


async def test_a_token_opens_what_its_roles_may(site: Site) -> None:
    assert (await site.ask(site.provider.token())).status_code == 200
    refused = await site.ask(site.provider.token(), "/api/v1/studies")
    assert (refused.status_code, refused.json()["rule"]) == (403, "role")
    assert "You are token:router-1: archive" in refused.json()["detail"]
    several = site.provider.token(roles=["heltig-readers", "heltig-archive", "other"])
    assert (await site.ask(several, "/api/v1/studies")).status_code == 200
    for none in ([], ["other"], "other", None, {"heltig-admins": 1}, [["heltig-admins"]]):
        refused = await site.ask(site.provider.token(roles=none))
        assert (refused.status_code, refused.json()["rule"]) == (403, "role")
        assert "no role" in refused.json()["detail"]


async def test_a_hybrid_service_takes_keys_too(site: Site) -> None:
    key = await site.service.key("archive")
    assert (await site.service.get("/consult/studies/1.2", headers=key)).status_code == 200


@pytest.mark.parametrize(
    ("claims", "rule"),
    [
        ({"iss": "https://elsewhere.example"}, "token-issuer"),
        ({"iss": None}, "token-issuer"),
        ({"aud": "https://other.example/api"}, "token-audience"),
        ({"aud": ["https://other.example/api", 7]}, "token-audience"),
        ({"aud": None}, "token-audience"),
        ({"exp": 1}, "token-expired"),
        ({"exp": None}, "token-expired"),
        ({"exp": True}, "token-expired"),
        ({"exp": float("inf")}, "token-expired"),
        ({"exp": 10**400}, "token-expired"),
        ({"nbf": 4e9}, "token-not-yet"),
        ({"iat": "now"}, "token-not-yet"),
        ({"sub": None}, "token-subject"),
        ({"sub": "a\nb"}, "token-subject"),
        ({"typ": "JWT", "client_id": None}, "token-type"),
        ({"typ": "JWT", "nonce": "x", "at_hash": "y"}, "token-type"),
        ({"typ": "JWT", "events": {}}, "token-type"),
        ({"typ": "logout+jwt"}, "token-type"),
        ({"cnf": {"jkt": "x"}}, "token-type"),
        ({"alg": "RS512"}, "token-algorithm"),
        ({"key": RSAKey.generate_key(2048)}, "token-signature"),
    ],
)
async def test_a_token_that_is_not_for_us(site: Site, claims: dict[str, Any], rule: str) -> None:
    token = site.provider.token(**claims)
    refused = await site.ask(token)
    assert (refused.status_code, refused.json()["rule"]) == (401, rule)
    assert refused.headers["www-authenticate"] == 'Bearer realm="heltig", error="invalid_token"'
    assert token.split(".")[1] not in refused.text


async def test_the_clocks_may_differ_by_half_a_minute(site: Site) -> None:
    now = site.clock().timestamp()
    for claims in ({"exp": now - 29}, {"nbf": now + 29}):
        assert (await site.ask(site.provider.token(**claims))).status_code == 200


async def test_tokens_of_providers_that_call_them_all_jwt(site: Site) -> None:
    for claims in ({"scp": "access"}, {"scope": "openid"}, {"azpacr": "1"}):
        token = site.provider.token(typ="JWT", client_id=None, **claims)
        assert (await site.ask(token)).status_code == 200


async def test_a_token_that_chooses_how_it_is_checked(site: Site) -> None:
    for token in (site.provider.unsigned(), site.provider.signed_with_the_public_key()):
        refused = await site.ask(token)
        assert (refused.status_code, refused.json()["rule"]) == (401, "token-algorithm")
    head, body, _ = site.provider.token().split(".")
    changed = site.provider.token(roles=["heltig-admins"]).split(".")[1]
    for token in (
        f"{head}.{changed}.{site.provider.token().split('.')[2]}",
        f"{head}.{body}.",
        f"{head}.{body}",
    ):
        assert (await site.ask(token)).json()["rule"] == "token-signature"
    for token in ("x", "x.y.z", "e30.e30.", "ey" * 20_000, "bnVsbA.e30."):
        assert (await site.ask(token)).json()["rule"] == "token-form"


async def test_keys_rotate_and_unknown_ones_are_no_flood(site: Site) -> None:
    old = site.provider.token()
    assert (await site.ask(old)).status_code == 200
    site.clock.advance(timedelta(seconds=31))
    site.provider.rotate()
    asked = site.provider.asked[JWKS]
    assert (await site.ask(site.provider.token())).status_code == 200
    assert site.provider.asked[JWKS] == asked + 1
    for number in range(20):
        refused = await site.ask(site.provider.token(kid=f"made-up-{number}"))
        assert (refused.status_code, refused.json()["rule"]) == (401, "token-key")
    assert site.provider.asked[JWKS] == asked + 1
    assert (await site.ask(old)).json()["rule"] == "token-key"  # it is published no more


async def test_while_the_provider_is_away_known_keys_are_good_for_a_day(site: Site) -> None:
    assert (await site.ask(site.provider.token())).status_code == 200
    site.provider.is_away = True
    try:
        site.clock.advance(timedelta(hours=23))
        assert (await site.ask(site.provider.token())).status_code == 200
        site.clock.advance(timedelta(hours=2))
        refused = await site.ask(site.provider.token())
        assert (refused.status_code, refused.json()["type"]) == (503, "/problems/provider")
        assert refused.headers["retry-after"]
    finally:
        site.provider.is_away = False
    site.clock.advance(timedelta(seconds=6))
    assert (await site.ask(site.provider.token())).status_code == 200


async def test_a_provider_of_another_issuer_is_not_believed(site: Site) -> None:
    site.clock.advance(timedelta(hours=25))
    for told in ({"issuer": "https://elsewhere.example"}, {"jwks_uri": "http://elsewhere.example/jwks"}):
        site.provider.metadata = told
        assert (await site.ask(site.provider.token())).status_code == 503
        site.clock.advance(timedelta(seconds=31))
    site.provider.metadata = {}


async def test_machines_only_and_roles_that_there_are_not(tmp_path: Path) -> None:
    only: dict[str, Any] = {"auth_mode": "oidc", "oidc_client_id": None, "oidc_client_secret": None}
    nested = {"oidc_role_claim": "realm_access.roles", "oidc_name_claim": "azp"}
    async with in_one_task(openid_site(tmp_path / "home", **only, **nested)) as site:
        token = site.provider.token(roles=None, realm_access={"roles": ["heltig-admins"]}, azp="router")
        assert (await site.ask(token, "/api/v1/webhooks")).status_code == 200
        refused = await site.ask((await site.service.key("archive"))["Authorization"].removeprefix("Bearer "))
        assert (refused.status_code, refused.json()["rule"]) == (401, "identity")
        assert "HELTIG_AUTH_MODE=oidc" in refused.json()["detail"]
        assert (await site.service.get("/login")).status_code == 404
    with pytest.raises((ConfigurationError, BaseExceptionGroup)) as caught:
        async with openid_site(tmp_path / "other", oidc_roles=("x=boss",)):
            pass
    assert "HELTIG_OIDC_ROLES: x=boss" in repr(caught.value)


async def test_an_id_token_of_our_own_client_opens_nothing(site: Site) -> None:
    """Somebody's ID token, which their browser never sees, is no key to the API."""
    token = site.provider.token(typ="JWT", aud=CLIENT, nonce="n", client_id=None)
    assert (await site.ask(token)).json()["rule"] == "token-audience"
