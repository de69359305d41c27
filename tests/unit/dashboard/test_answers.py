"""Headers, static files, and what is answered to those who ask for something else."""

import gzip
import hashlib
from importlib.resources import files
from urllib.parse import urljoin

import pytest_asyncio
from unit.api.service import Service, together
from unit.dashboard.reading import page

from heltig.dashboard.assets import assets

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(shared: Service) -> Service:
    await shared.judged("1.2")
    return shared


@together
async def test_every_page_is_sealed_and_kept_nowhere(shared: Service) -> None:
    for path in ("/", "/studies/1.2", "/studies/unknown"):
        headers = (await shared.get(path)).headers
        assert headers["content-security-policy"] == CONTENT_SECURITY_POLICY
        assert headers["cache-control"] == "no-store"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["referrer-policy"] == "same-origin"
        assert headers["cross-origin-opener-policy"] == "same-origin"


@together
async def test_a_page_loads_only_files_of_ours_that_are_there(shared: Service) -> None:
    for path in ("/", "/studies/1.2", "/studies/unknown"):
        seen = page(await shared.get(path), 404 if path.endswith("unknown") else 200)
        loaded = [str(tag["href"]) for tag in seen.all("link")] + [
            str(tag["src"]) for tag in seen.all("script")
        ]
        assert loaded
        for address in loaded:
            answer = await shared.get(urljoin(path, address))
            assert answer.status_code == 200
            assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"


@together
async def test_static_files_have_their_digest_in_their_name(shared: Service) -> None:
    for asset in assets().values():
        answer = await shared.get(f"/static/{asset.file_name}", headers={"Accept-Encoding": "identity"})
        assert hashlib.sha256(answer.content).hexdigest()[:12] in asset.file_name
        assert answer.headers["content-type"].partition(";")[0] == asset.media_type
        assert "content-encoding" not in answer.headers
        assert gzip.decompress(asset.packed) == asset.body == answer.content


@together
async def test_static_files_travel_packed(shared: Service) -> None:
    asset = assets()["htmx.js"]
    answer = await shared.get(f"/static/{asset.file_name}", headers={"Accept-Encoding": "gzip"})
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.headers["vary"] == "Accept-Encoding"
    assert answer.content == asset.body


@together
async def test_nothing_else_is_static(shared: Service) -> None:
    for name in ("none.css", "..%2Fpages.py", "htmx.LICENSE", "%2e%2e%2frouting.py"):
        assert (await shared.get(f"/static/{name}")).status_code == 404


def test_htmx_is_what_its_authors_published() -> None:
    folder = files("heltig.dashboard") / "static"
    digest = hashlib.sha256((folder / "htmx.min.js").read_bytes()).hexdigest()
    assert digest == "a0abb04f2f45a1f89d1d4844023245537e5e6014c87b144553e0607b4cc32130"
    assert "Zero-Clause BSD" in (folder / "htmx.LICENSE").read_text("utf-8")


async def test_first_content_is_small(service: Service) -> None:
    for number in range(50):
        await service.judged(f"2.25.{10**37 + number}", study_description="An examination of something")
    answer = await service.get("/")
    weight = len(answer.content)
    weight += sum(len(asset.body) for asset in assets().values() if asset.file_name in answer.text)
    assert weight < 150_000


@together
async def test_pages_can_be_asked_for_by_head(shared: Service) -> None:
    answer = await shared.client.head("/")
    assert answer.status_code == 200


@together
async def test_where_nothing_is_a_browser_gets_a_page_and_a_program_a_problem(shared: Service) -> None:
    seen = page(await shared.get("/nothing/is/here", headers={"Accept": "text/html,*/*;q=0.8"}), 404)
    assert "There is no page at this address." in seen.text
    assert {"class": "button", "href": "../../"} in seen.all("a")
    answer = await shared.get("/nothing/is/here", headers={"Accept": "*/*"})
    assert answer.headers["content-type"] == "application/problem+json"


async def test_each_role_is_offered_the_pages_that_it_may_see(guarded: Service) -> None:
    offered = {"reader": "/overview", "auditor": "/audit", "admin": "/keys"}
    hidden = {
        "reader": ("uploads", "audit", "keys"),
        "auditor": ("overview", "archives", "keys"),
        "admin": (),
    }
    for role, path in offered.items():
        key = await guarded.key(role)
        seen = {
            str(link["href"]).removeprefix("./")
            for link in page(await guarded.get(path, headers=key)).all("a")
        }
        assert path[1:] in seen
        for place in hidden[role]:
            assert place not in seen
            page(await guarded.get(f"/{place}", headers={**key, "Accept": "text/html"}), 403)
