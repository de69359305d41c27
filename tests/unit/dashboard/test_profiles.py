"""The pages of profiles, asked of the real application."""

from unit.api.service import Service, study_zip
from unit.dashboard.reading import page, refused

from heltig.rules.profile_shipped import SHIPPED

OURS = {"Sec-Fetch-Site": "same-origin"}
TRIALS = "/profiles/trials"
BLOCKS = 'name = "louder"\n[severity]\n"STU-*" = "block"\n"PAT-*" = "block"'


async def test_what_is_in_force_and_what_is_shipped(service: Service) -> None:
    seen = page(await service.get("/profiles"))
    assert {f"profiles/{name}" for name in SHIPPED} <= {link["href"] for link in seen.all("a")}
    strict = page(await service.get("/profiles/strict"))
    assert "rules otherwise than default" in strict.text
    assert 'base = "default"' in strict.text or "[severity]" in strict.text
    assert "Every rule is as its page has it." in page(await service.get("/profiles/default")).text
    page(await service.get("/profiles/no-such"), 404)


async def test_a_profile_is_tried_and_nothing_is_written(service: Service) -> None:
    sent = await service.post("/api/v1/jobs/upload", content=study_zip("ct-chest", "mr-brain"), timeout=120)
    assert sent.status_code == 201
    before = (await service.get("/dicom-web/changefeed/latest")).content
    sent = await service.post(TRIALS, data={"text": BLOCKS, "shipped": "", "archive": ""}, headers=OURS)
    assert sent.status_code == 303
    address = f"/profiles/{sent.headers['location']}"
    await service.services.uploads.ended(int(address.rpartition("/")[2]), within=120)
    seen = page(await service.get(address))
    assert "What louder would make of all studies" in seen.text
    assert "2 studies were judged under it, and nothing was written" in seen.text
    assert (await service.get("/dicom-web/changefeed/latest")).content == before
    assert f"profiles/trials/{address.rpartition('/')[2]}" in [
        link["href"] for link in page(await service.get("/profiles")).all("a")
    ]


async def test_what_is_wrong_is_said_beside_what_was_typed(service: Service) -> None:
    for form, said in (
        ({"text": 'off = ["PAT-ID-EMTY"]'}, "PAT-ID-EMPTY"),
        ({"text": "off = [", "shipped": ""}, "profile.toml:1"),
        ({"text": BLOCKS, "shipped": "strict"}, "not both"),
        ({"shipped": ""}, "Choose a shipped profile"),
        ({"shipped": "stict"}, "strict"),
        ({"shipped": "strict", "archive": "nowhere"}, "There is no archive nowhere"),
    ):
        seen = await refused(service, TRIALS, data=form, headers=OURS)
        assert said in seen.text
        assert " ".join(form.get("text", "").split()) in seen.text
    assert (await service.post(TRIALS, data={"shipped": "strict"})).status_code == 403
    for id in (0, 7, 2**63):
        page(await service.get(f"{TRIALS}/{id}"), 404)


async def test_a_reader_sees_profiles_and_tries_none(guarded: Service) -> None:
    reader = await guarded.key("reader")
    seen = page(await guarded.get("/profiles", headers=reader))
    assert "Try a profile" not in seen.text
    sent = await guarded.post(TRIALS, data={"shipped": "strict"}, headers={**OURS, **reader})
    assert sent.status_code == 403
