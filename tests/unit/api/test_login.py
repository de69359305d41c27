"""Logins of people: a browser, the service, and a real provider on loopback."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import httpx
import pytest
import pytest_asyncio
from unit.api.openid_site import LOGIN, SAME, SESSION, SITE, Site, openid_site, query_of
from unit.api.service import in_one_task

from heltig.api.cookies import cookie, cookie_name
from heltig.settings import Settings

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    async with in_one_task(openid_site(tmp_path_factory.mktemp("site") / "home")) as made:
        yield made


@pytest.fixture(autouse=True)
def honest(site: Site) -> None:
    """The provider behaves, and whoever is there is Anna, a reader; some time has passed."""
    site.provider.person = {"sub": "f3a1", "preferred_username": "anna"}
    site.provider.in_id_token = {}
    site.provider.refusal = ""
    site.provider.is_away = False
    site.clock.advance(timedelta(minutes=2))


async def refusals(site: Site) -> list[tuple[str, str]]:
    found = await site.service.audit("session.refuse")
    return [(entry.actor, entry.detail["rule"]) for entry in found]


async def test_the_whole_way_in_and_out(site: Site) -> None:
    async with site.browser() as browser:
        page = await browser.get("/studies/1.2?location=gate%3Amain")
        assert page.status_code == 401
        to = quote("/studies/1.2?location=gate%3Amain")
        assert f'href="../login/start?to={to}"' in page.text
        start = await browser.get(f"/login/start?to={to}")
        asked = query_of(start.headers["location"])
        assert start.headers["location"].startswith(f"{site.provider.issuer}/authorize?")
        assert (asked["response_type"], asked["code_challenge_method"]) == ("code", "S256")
        assert (asked["redirect_uri"], asked["scope"]) == (f"{SITE}/login/return", "openid profile")
        assert len({asked["state"], asked["nonce"], asked["code_challenge"]}) == 3
        back = await site.log_in(browser, "/studies/1.2?location=gate%3Amain")
        assert (back.status_code, back.headers["location"]) == (303, "../studies/1.2?location=gate%3Amain")
        session = next(line for line in back.headers.get_list("set-cookie") if line.startswith(SESSION))
        for part in ("Secure", "HttpOnly", "Path=/", "SameSite=lax"):
            assert part in session
        assert "Domain" not in session
        assert LOGIN not in browser.cookies
        front = await browser.get("/")
        assert front.status_code == 200
        assert '<a href="./login"><bdi>anna</bdi></a> <span class="muted">reader</span>' in front.text
        assert "You are <bdi>anna</bdi>" in (await browser.get("/login")).text
        shown = dict(browser.cookies)
        out = await browser.post("/logout", data={"here": "1"}, headers=SAME)
        assert (out.status_code, out.headers["location"]) == (303, "login?done=out")
        told = await browser.get("/login?done=out")
        assert f"{site.provider.issuer}/end?client_id=heltig&amp;post_logout_redirect_uri=" in told.text
        assert SESSION not in browser.cookies
        again = await browser.get("/", headers={"Cookie": f"{SESSION}={shown[SESSION]}"})
        assert (again.status_code, "hx-refresh" in again.headers) == (401, False)
        part = await browser.get("/", headers={"HX-Request": "true"})
        assert (part.status_code, part.headers["hx-refresh"]) == (401, "true")
        assert "This session is over" in again.text
        sent = await browser.post("/keys", headers={"Cookie": f"{SESSION}={shown[SESSION]}", **SAME})
        assert (sent.status_code, "What you sent was not taken." in sent.text) == (401, True)
        assert "What you sent" not in again.text
    begun, ended = await site.service.audit("session.begin"), await site.service.audit("session.end")
    assert (begun[0].actor, begun[0].origin, begun[0].detail["roles"]) == (
        "user:anna",
        "10.1.2.3",
        ["reader"],
    )
    assert (begun[0].detail["sub"], ended[0].detail["how"]) == ("f3a1", "here")
    assert shown[SESSION] not in repr(begun) + repr(ended)


async def test_nothing_of_a_login_is_logged(site: Site, capfd: pytest.CaptureFixture[str]) -> None:
    async with site.browser() as browser:
        address = await site.answer(browser)
        await browser.get(address)
        await browser.get(address.replace("code=", "code=x"))
        kept = [*query_of(address).values(), *browser.cookies.values()]
        session = browser.cookies[SESSION]
    written = "".join(capfd.readouterr())
    assert "route=/login/return" in written
    assert not [text for text in kept if text != site.provider.issuer and text in written]
    files = [file for file in site.service.home.rglob("*") if file.is_file()]
    assert not [file for file in files if session.encode() in await asyncio.to_thread(file.read_bytes)]


@pytest.mark.parametrize(
    ("claims", "rule"),
    [
        ({"nonce": None}, "token-nonce"),
        ({"nonce": "of another login"}, "token-nonce"),
        ({"aud": "another client"}, "token-audience"),
        ({"aud": ["heltig", "other"], "azp": "other"}, "token-claims"),
        ({"iss": "https://elsewhere.example"}, "token-issuer"),
        ({"exp": 1}, "token-expired"),
        ({"exp": float("nan")}, "token-expired"),
        ({"nbf": 4e9}, "token-not-yet"),
        ({"sub": None}, "token-claims"),
        ({"at_hash": "of another token"}, "token-claims"),
    ],
)
async def test_an_id_token_that_is_not_the_answer(site: Site, claims: dict[str, Any], rule: str) -> None:
    site.provider.in_id_token = claims
    async with site.browser() as browser:
        refused = await site.log_in(browser)
        assert refused.status_code == 401
        assert f'<span class="mono">{rule}</span>' in refused.text
        assert SESSION not in browser.cookies
    assert (await refusals(site))[-1] == ("anonymous", rule)


async def test_an_answer_to_nobody_s_login(site: Site) -> None:
    async with site.browser() as browser, site.browser() as other:
        answer = await site.answer(browser)
        await site.answer(other)
        for taken in (answer, answer.replace("state=", "state=x")):
            assert "login-state" in (await other.get(taken)).text
        assert "login-state" in (await browser.get(f"/login/return?code=x&iss={site.provider.issuer}")).text
        foreign = await browser.get(answer.replace("iss=", "iss=x"))
        assert "login-issuer" in foreign.text
        cookie = browser.cookies[LOGIN]
        assert (await browser.get(answer)).status_code == 303
        # The same answer again: the browser has dropped the cookie; somebody kept it.
        assert "login-state" in (await browser.get(answer)).text
        kept = await other.get(answer, headers={"Cookie": f"{LOGIN}={cookie}"})
        assert "login-code" in kept.text  # a code is good once


async def test_a_login_begins_one_session_even_with_another_code(site: Site) -> None:
    async with site.browser() as browser:
        start = await browser.get("/login/start")
        cookie = {"Cookie": f"{LOGIN}={browser.cookies[LOGIN]}"}
        async with httpx.AsyncClient(trust_env=False) as network:
            answers = [(await network.get(start.headers["location"])).headers["location"] for _ in range(2)]
        first, second = [await browser.get(answer, headers=cookie) for answer in answers]
        assert first.status_code == 303
        assert (second.status_code, "login-state" in second.text) == (401, True)


async def test_what_the_provider_says_is_not_shown(site: Site) -> None:
    site.provider.refusal = "access_denied"
    async with site.browser() as browser:
        refused = await site.log_in(browser)
        assert "did not let you log in (access_denied)" in refused.text
        assert "never shown" not in refused.text


async def test_a_planted_session_cookie_is_not_adopted(site: Site) -> None:
    async with site.browser() as browser, site.browser() as attacker:
        await site.log_in(attacker)
        for planted in ("chosen-by-somebody-else", attacker.cookies[SESSION]):
            browser.cookies.set(SESSION, planted, domain="heltig.example", path="/")
            await site.log_in(browser)
            own = [c.value for c in browser.cookies.jar if c.name == SESSION and c.value != planted]
            assert own
            there = await attacker.get("/", headers={"Cookie": f"{SESSION}={planted}"})
            assert there.status_code == 401
            browser.cookies.clear()


async def test_a_client_whose_secret_goes_along_in_the_form(site: Site) -> None:
    site.provider.metadata = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}
    site.clock.advance(timedelta(hours=2))
    async with site.browser() as browser:
        assert (await site.log_in(browser)).status_code == 303
    site.provider.metadata = {}
    site.clock.advance(timedelta(hours=2))


async def test_two_cookies_of_one_name_are_none(site: Site) -> None:
    async with site.browser() as browser:
        await site.log_in(browser)
        both = f"{SESSION}={browser.cookies[SESSION]}; {SESSION}=planted"
        assert (await site.service.get("/", headers={"Cookie": both})).status_code == 401


async def test_a_page_from_elsewhere_changes_nothing(site: Site) -> None:
    site.provider.person |= {"roles": ["heltig-admins"]}
    async with site.browser() as browser:
        await site.log_in(browser)
        path = "/api/v1/archives/none/pause"
        asked: list[dict[str, str]] = [
            {},
            {"Origin": "https://evil.example"},
            {"Origin": "null"},
            {"Sec-Fetch-Site": "same-site", "Origin": SITE},
            {"Sec-Fetch-Site": "cross-site"},
        ]
        for headers in asked:
            refused = await browser.post(path, headers=headers)
            assert (refused.status_code, refused.json()["rule"]) == (403, "origin")
            assert (await browser.post("/logout", headers=headers, data={"here": "1"})).status_code == 403
        for headers in ({"Origin": SITE}, SAME):
            assert (await browser.post(path, headers=headers)).status_code == 404
        refused = await browser.get("/dicom-web/studies/1.2/readiness?wait=1&pull=none")
        assert (refused.status_code, refused.json()["rule"]) == (403, "origin")
        # Whoever sends a key is not asked where they come from, cookie or not.
        key = await site.service.key("qa_operator")
        assert (await browser.post(path, headers=key)).status_code == 404
        crossing = await browser.get("/login/start", headers={"Sec-Fetch-Site": "cross-site"})
        assert crossing.headers["location"] == "../login?to=%2F"


async def test_a_role_that_was_taken_away_is_gone_at_the_next_login(site: Site) -> None:
    site.provider.person |= {"roles": ["heltig-admins", "of something else"]}
    async with site.browser() as browser:
        await site.log_in(browser)
        assert (await browser.get("/add-archive")).status_code == 200
        site.provider.person |= {"roles": ["heltig-readers"]}
        assert (await browser.get("/add-archive")).status_code == 200
        await site.log_in(browser)
        assert (await browser.get("/add-archive")).status_code == 403
        site.provider.person |= {"roles": ["of something else"]}
        refused = await site.log_in(browser)
        assert refused.status_code == 403
        assert "anna at the provider, and have no role here" in refused.text
        assert '<span class="mono">role</span>' in refused.text
        assert 'href="../login/start?to=/"' in refused.text  # as somebody else, once logged out there
        assert f'href="{site.provider.issuer}/end?client_id=' in refused.text
        assert "Log out at the provider</a> first" in refused.text
    assert (await refusals(site))[-1] == ("user:anna", "role")


async def test_sessions_end_by_idleness_and_by_age(site: Site) -> None:
    async with site.browser() as idle, site.browser() as busy, site.browser() as polling:
        for browser in (idle, busy, polling):
            await site.log_in(browser)
        seen = []
        for _ in range(21):
            site.clock.advance(timedelta(minutes=29))
            polled = await polling.get("/", headers={"Heltig-Poll": "true"})
            seen.append(((await busy.get("/")).status_code, polled.status_code))
        # Ten hours and nine minutes; a page that asks by itself does not show that somebody is there.
        assert seen == [(200, 200), *[(200, 401)] * 19, (401, 401)]
        assert (await idle.get("/")).status_code == 401


async def test_log_out_everywhere_and_at_the_provider(site: Site) -> None:
    async with site.browser() as one, site.browser() as two, site.browser() as other:
        await site.log_in(one)
        await site.log_in(two)
        site.provider.person = {"sub": "b2", "preferred_username": "ben", "sid": "other"}
        await site.log_in(other)
        await one.post("/logout", data={"everywhere": "1"}, headers=SAME)
        assert [(await b.get("/")).status_code for b in (one, two, other)] == [401, 401, 200]
        site.provider.person = {"sub": "f3a1", "preferred_username": "anna"}
        await site.log_in(two)
        for claims, status in (
            ({"sid": "other", "aud": "another client"}, 400),
            ({"sid": "other", "events": None}, 400),
            ({"sid": "other", "nonce": "x"}, 400),
            ({"sid": "other", "jti": None}, 400),
            ({"sid": "other"}, 200),
        ):
            token = site.provider.logout_token(**claims)
            told = await site.service.post("/logout/back-channel", data={"logout_token": token})
            assert told.status_code == status, claims
            assert (await other.get("/")).status_code == (401 if status == 200 else 200)
        assert (await two.get("/")).status_code == 200


async def test_a_logout_token_is_good_once_and_for_whom_it_names(site: Site) -> None:
    async def told(token: str) -> int:
        answer = await site.service.post("/logout/back-channel", data={"logout_token": token})
        return answer.status_code

    async with site.browser() as first, site.browser() as later, site.browser() as ben:
        await site.log_in(first)
        token = site.provider.logout_token(sub="f3a1", exp=int(site.clock().timestamp()) + 3600)
        assert await told(token) == 200
        assert (await first.get("/")).status_code == 401
        await site.log_in(later)
        assert await told(token) == 400
        assert (await later.get("/")).status_code == 200
        assert (await site.service.audit("request.refuse"))[-1].detail["rule"] == "token-used"
        site.clock.advance(timedelta(minutes=20))
        assert await told(site.provider.logout_token(sid="x", sub="b2")) == 200  # counts anew: old ones go
        assert await told(token) == 400
        site.provider.person = {"sub": "b2", "preferred_username": "ben", "sid": "shared"}
        await site.log_in(ben)
        assert await told(site.provider.logout_token(sid="shared", sub="f3a1")) == 200
        assert (await ben.get("/")).status_code == 200
        assert await told(site.provider.logout_token(sid="shared", sub="b2")) == 200
        assert (await ben.get("/")).status_code == 401


@pytest.mark.parametrize(
    "to", ["https://evil.example", "//evil.example", "/\\evil.example", "/%0d%0aX: y\r\nX: y", "javascript:1"]
)
async def test_a_login_leads_to_our_own_pages_only(site: Site, to: str) -> None:
    async with site.browser() as browser:
        back = await site.log_in(browser, to)
        assert back.headers["location"] == "../"
        assert "evil" not in (await browser.get("/login", params={"to": to})).text


async def test_the_provider_is_away(site: Site) -> None:
    async with site.browser() as browser, site.browser() as late:
        await site.log_in(browser)
        answer = await site.answer(late)
        site.provider.is_away = True
        site.clock.advance(timedelta(minutes=2))
        away = await late.get("/login/start")
        assert away.status_code == 503
        assert "OpenID provider" in away.text
        assert (await late.get(answer)).status_code == 503
        assert (await browser.get("/")).status_code == 200  # who is here stays
        assert (await browser.get("/login")).status_code == 200
        site.provider.is_away = False
        site.clock.advance(timedelta(seconds=6))
        assert (await site.log_in(late)).status_code == 303


async def test_roles_without_studies_begin_at_what_they_may_see(site: Site) -> None:
    site.provider.person |= {"roles": ["heltig-archive"]}
    async with site.browser() as browser:
        assert (await site.log_in(browser)).headers["location"] == "../rules"
        assert "archive" in (await browser.get("/login")).text


async def test_cookies_on_plain_http_have_names_that_browsers_take() -> None:
    local = Settings(public_url="http://127.0.0.1:8042")
    assert cookie_name("session", local) == "heltig-session"
    assert "Secure" not in cookie("session", "x", local).to_header()


async def test_after_a_session_that_ended_one_is_back_where_one_wrote(site: Site) -> None:
    async with site.browser() as browser:
        here = f"{SITE}/studies/1.2?location=archive%3Amain"
        refused = await browser.post(
            "/studies/1.2/comments",
            data={"comment": "x"},
            headers={"Accept": "text/html", "Referer": here, "Sec-Fetch-Site": "same-origin"},
        )
        assert refused.status_code == 401
        assert "to=/studies/1.2%3Flocation%3Darchive%253Amain" in refused.text
        elsewhere = await browser.post("/studies/1.2/comments", headers={"Referer": "https://evil.example/x"})
        assert "evil" not in elsewhere.text
