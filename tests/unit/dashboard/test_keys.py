"""The page of users and keys, asked of the real application."""

import re

from unit.api.service import LATER, Service
from unit.dashboard.reading import page, refused
from unit.store.samples import sha

from heltig.store import keys, sessions
from heltig.store.keys import ApiKey
from heltig.store.sessions import Session
from heltig.store.transaction import WriteTransaction

OURS = {"Sec-Fetch-Site": "same-origin"}
FORM = {"name": "router", "role": "archive", "days": "30"}


async def test_a_key_is_shown_once(guarded: Service) -> None:
    admin = {**await guarded.key("admin"), **OURS}
    assert "It is good at once, and shown once" in page(await guarded.get("/keys", headers=admin)).text
    answer = await guarded.post("/keys", headers=admin, data=FORM)
    assert "Key router is made. Keep it now: it is not shown again." in page(answer).text
    [made] = re.findall(r"hk_[\w-]{43}", answer.text)
    assert made not in (await guarded.get("/keys", headers=admin)).text
    works = {"Authorization": f"Bearer {made}"}
    assert (await guarded.get("/dicom-web/changefeed", headers=works)).status_code == 200
    again = await refused(guarded, "/keys", headers=admin, data=FORM)
    assert "There is a key router already." in again.text
    [entry] = [one for one in await guarded.audit("key.create") if one.subject == "key:router"]
    assert entry.actor == "key:admin-"


async def test_what_is_wrong_stands_beside_its_field(service: Service) -> None:
    wrong = await refused(service, "/keys", headers=OURS, data={"role": "king", "days": "99999"})
    for text in ("name: give 1 to 128 characters", "Choose a role.", "Give a number of days"):
        assert text in wrong.text, text
    for name in ("router\u202egolnk", "router\x07"):
        seen = await refused(service, "/keys", headers=OURS, data={**FORM, "name": name})
        assert "cannot be seen" in seen.text, name
    assert await service.services.store.read(keys.every) == []


async def test_a_key_cannot_give_more_than_it_has(guarded: Service) -> None:
    limited = {**await guarded.key("admin", "keys"), **OURS}
    for areas in ({}, {"area-jobs": "on"}, {"area-keys": "on", "area-jobs": "on"}):
        data = {**FORM, "role": "admin", **areas}
        assert "You are limited to keys" in (await refused(guarded, "/keys", headers=limited, data=data)).text
    made = await guarded.post("/keys", headers=limited, data={**FORM, "area-keys": "on"})
    assert made.status_code == 200
    found = await guarded.services.store.read(keys.every)
    assert {key.scopes for key in found if key.name == "router"} == {("keys",)}


async def test_revoked_after_one_question(service: Service) -> None:
    await service.key("reader", name="an & old one")
    seen = page(await service.get("/keys"))
    [link] = [str(one["href"]) for one in seen.all("a") if "revoke" in str(one["href"])]
    asked = page(await service.get(f"/{link}"))
    assert "That cannot be undone" in asked.text
    answer = await service.post(f"/{link}", headers=OURS)
    assert (answer.status_code, answer.headers["location"]) == (303, "../keys?done=revoked")
    assert "revoked" in page(await service.get("/keys?done=revoked")).text
    page(await service.get(f"/{link}"), 404)
    page(await service.post("/keys/revoke?name=nobody", headers=OURS), 404)
    assert [entry.subject for entry in await service.audit("key.revoke")] == ["key:an & old one"]


async def test_sessions_end_after_one_question(service: Service) -> None:
    session = Session(
        hash=sha("a"),
        login_hash=sha("b"),
        issuer="https://login.example",
        subject="s",
        name="Müller",
        granted=("qa",),
        provider_session="",
        created=LATER,
        last_seen=LATER,
        expires=LATER.replace(hour=23),
    )
    await service.services.store.write(sessions.add, session)
    assert "Müller" in page(await service.get("/keys")).text
    assert "1 of them" in page(await service.get("/sessions/end?name=M%C3%BCller")).text
    await service.post("/sessions/end?name=M%C3%BCller", headers=OURS)
    assert "Müller" not in page(await service.get("/keys?done=ended")).text
    page(await service.get("/sessions/end?name=M%C3%BCller"), 404)


async def test_for_admins_and_from_our_own_page_alone(guarded: Service) -> None:
    admin, operator = await guarded.key("admin"), await guarded.key("qa_operator")
    page(await guarded.get("/keys", headers=operator), 403)
    page(await guarded.post("/keys", headers={**operator, **OURS}, data=FORM), 403)
    for path in ("/keys", "/keys/revoke?name=admin-", "/sessions/end?name=x"):
        page(await guarded.post(path, headers={**admin, "Sec-Fetch-Site": "cross-site"}, data=FORM), 403)
    assert len(await guarded.services.store.read(keys.every)) == 2


async def test_many_keys_stand_on_several_pages(service: Service) -> None:
    """Those in use first, however they are called."""

    def add(transaction: WriteTransaction) -> None:
        for number in range(150):
            gone = LATER if number < 60 else None
            name, key = f"scanner-{number:03}", sha(str(number))
            keys.add(
                transaction,
                ApiKey(name=name, prefix="hk_", hash=key, role="archive", created=LATER, revoked=gone),
            )

    await service.services.store.write(add)
    first, second = [page(await service.get(f"/keys?page={number}")).text for number in (1, 2)]
    assert "Page 1 of 2, 150 keys, those in use first" in first
    assert all(f"scanner-{number:03}" in first for number in [*range(60, 150), *range(10)])
    assert "scanner-010" not in first
    assert all(f"scanner-{number:03}" in second for number in range(10, 60))
    assert "scanner-060" not in second
    assert page(await service.get("/keys?page=99")).text == second
    page(await service.get("/keys?page=x"), 400)


async def test_a_key_that_is_made_is_shown_wherever_the_form_was(service: Service) -> None:
    """It is shown once: nothing about the address may come between."""
    answer = await service.post("/keys?page=x", headers=OURS, data=FORM)
    assert "Key router is made. Keep it now: it is not shown again." in page(answer).text
