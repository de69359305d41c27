"""Judging stored studies again over REST: a job, and its result."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest
from unit.api.service import Service, running, study_zip, together
from unit.dashboard.reading import refused as refused_form
from unit.store.samples import STUDY, finding

RESCORE = "/api/v1/rescore"


async def test_a_job_whose_result_says_what_became_of_the_studies(service: Service) -> None:
    uploaded = await service.post("/api/v1/jobs/upload", content=study_zip("two-patient-ids"), timeout=120)
    [study] = uploaded.json()["studies"]
    for body in (
        {"dryRun": True},
        {"dryRun": False, "archive": study["study"]["location"], "study": study["study"]["key"]},
        {"rule": "PAT-ID-CONFLICT"},
    ):
        answer = await service.post(RESCORE, json=body)
        assert answer.status_code == 202
        job = answer.json()
        assert answer.headers["location"] == f"/api/v1/jobs/{job['id']}"
        await service.services.uploads.ended(job["id"], within=120)
        done = (await service.get(f"/api/v1/jobs/{job['id']}")).json()
        assert (done["kind"], done["state"]) == ("rescore", "succeeded")
        result = done["result"]
        assert result["dryRun"] == bool(body.get("dryRun"))
        assert (result["studies"], result["unchanged"], result["moved"], result["failed"]) == (1, 1, 0, [])
        assert {rule["rule"] for rule in result["rules"]} == {f["rule"] for f in study["findings"]}
        assert all(rule["before"] == rule["after"] for rule in result["rules"])
    started = await service.audit("rescore.start")
    assert [entry.detail["dryRun"] for entry in started] == [True, False, False]
    assert {entry.actor for entry in started} == {"local"}


async def test_a_study_whose_evidence_cannot_be_read_is_named(service: Service) -> None:
    await service.judged(
        STUDY, finding(), readiness="BLOCKED"
    )  # of another ruleset, and its evidence is none
    job = (await service.post(RESCORE, json={})).json()["id"]
    done = await service.services.uploads.ended(job, within=120)
    assert done.state == "succeeded"
    assert done.result
    [failure] = done.result["failed"]
    assert (failure["location"], failure["study"]) == ("archive:main", STUDY)
    assert "Error at " in failure["error"]
    assert (await service.get(f"/consult/studies/{STUDY}")).text.startswith("verdict=BLOCKED")


async def report(service: Service, **body: Any) -> Any:
    answer = await service.post(RESCORE, json=body)
    assert answer.status_code == 202, answer.text
    done = await service.services.uploads.ended(answer.json()["id"], within=120)
    assert done.state == "succeeded", done.error
    return done.result


async def test_a_dry_run_shows_what_another_profile_would_make_of_studies(service: Service) -> None:
    uploaded = await service.post("/api/v1/jobs/upload", content=study_zip("two-patient-ids"), timeout=120)
    [study] = uploaded.json()["studies"]
    under_strict = await report(service, dryRun=True, profile="strict")
    assert under_strict["profile"] == "strict"
    text = """
        name = "house"
        off = ["PAT-ID-CONFLICT"]
        [[rule]]
        id = "SITE-OURS"
        title = "It is not one of ours"
        attribute = "PatientID"
        matches = "NOBODY"
        severity = "block"
        mend = "Ask."
        """
    under_text = await report(service, dryRun=True, profileText=text)
    assert under_text["profile"] == "house"
    counts = {rule["rule"]: (rule["before"] > 0, rule["after"] > 0) for rule in under_text["rules"]}
    assert counts["PAT-ID-CONFLICT"] == (True, False)
    assert counts["SITE-OURS"] == (False, True)
    key = study["study"]["key"]
    assert [one["study"] for one in (*under_text["changes"], *under_text["moves"])] == [key]
    assert (await service.get(f"/consult/studies/{key}")).text.startswith("verdict=BLOCKED code=")
    assert " rev=1 " in (await service.get(f"/consult/studies/{key}")).text


@together
@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"profile": "strict"}, "dry run"),
        ({"dryRun": True, "profile": "strickt"}, "strict"),
        ({"dryRun": True, "profile": "/etc/passwd"}, "no shipped profile"),
        ({"dryRun": True, "profile": "strict", "profileText": ""}, "not both"),
        (
            {"dryRun": True, "profileText": '\noff = ["PAT-ID-EMTY"]\nbse = 1'},
            "profile.toml:2:8: there is no",
        ),
        ({"dryRun": True, "profileText": '\noff = ["PAT-ID-EMTY"]\nbse = 1'}, "profile.toml:3:1: bse is no"),
        ({"dryRun": True, "profileText": 'base = "house.toml"'}, "profile.toml:1:1: base"),
        (
            {"dryRun": True, "profileText": "a" + ".a" * 15_000 + "=1"},
            "1:1: not TOML: a key has more than 20",
        ),
        ({"dryRun": True, "profileText": "#" * 300_000}, "`errors` names them"),
    ],
)
async def test_a_wrong_profile_is_refused_as_at_the_start(
    shared: Service, body: dict[str, Any], told: str
) -> None:
    answer = await shared.post(RESCORE, json=body)
    assert (answer.status_code, told in answer.json()["detail"]) == (400, True), answer.text


async def test_others_are_answered_while_a_long_profile_is_read(service: Service) -> None:
    text = "\n".join(f"[[for]]\narchives=['a{number}']" for number in range(8_000))
    refused = asyncio.create_task(service.post(RESCORE, json={"dryRun": True, "profileText": text}))
    answered = 0
    while not refused.done():
        assert (await service.get("/health")).status_code == 200
        answered += 1
    assert (await refused).status_code == 400
    assert answered > 10  # before and after the reading there is time for two or three


@pytest.mark.parametrize("body", [{"archive": "nowhere"}, {"study": "9.9"}, {"rule": "PAT-ID-EMTY"}])
async def test_what_there_is_not_is_not_found(service: Service, body: dict[str, Any]) -> None:
    assert (await service.post(RESCORE, json=body)).status_code == 404
    assert (await service.get("/api/v1/jobs?kind=rescore")).json()["items"] == []


@together
@pytest.mark.parametrize(
    "body", [[], {"dryRun": "perhaps"}, {"all": True}, {"archive": "cellar:x"}, {"study": ""}]
)
async def test_what_makes_no_sense_is_refused(shared: Service, body: Any) -> None:
    answer = await shared.post(RESCORE, json=body)
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")
    assert (await shared.get("/api/v1/jobs?kind=rescore")).json()["items"] == []


OF_NAMES = """
    [[rule]]
    id = "SITE-PROBE"
    title = "It is as was guessed"
    attribute = "PatientName"
    matches = "[^D].*"
    mend = "None."
    """
OF_CODES = OF_NAMES.replace("PatientName", "Modality")


async def tried(service: Service, headers: dict[str, str], text: str) -> httpx.Response:
    return await service.post(RESCORE, json={"dryRun": True, "profileText": text}, headers=headers)


async def test_where_identifiers_are_hashed_nobody_asks_for_them_by_a_profile(tmp_path: Path) -> None:
    async with running(tmp_path / "home", identifiers="hashed") as service:
        for asks, attribute in (
            (OF_NAMES, "PatientName"),
            (OF_CODES + 'when = [{attribute = "PatientBirthDate", matches = "194.*"}]', "PatientBirthDate"),
            (OF_CODES.replace("Modality", "OtherPatientIDsSequence.TypeOfPatientID"), "TypeOfPatientID"),
            ("[parameters]\nplaceholder_patient_ids = ['4711']", "PatientID"),
            ("[[for]]\narchives = ['*']\nparameters = {oldest_patient_years = 78}", "PatientBirthDate"),
        ):
            refused = await tried(service, {}, asks)
            assert (refused.status_code, refused.json()["rule"]) == (403, "identifiers"), refused.text
            assert attribute in refused.json()["detail"]
        assert await service.audit("request.refuse")
        assert (await service.get("/api/v1/jobs?kind=rescore")).json()["items"] == []
        for asks in (OF_CODES, 'base = "deidentified-research"', "[parameters]\nissuer_required = true"):
            job = await tried(service, {}, asks)
            assert job.status_code == 202, job.text
            assert job.json()["arguments"]["profile"] != "[redacted]"


async def test_where_identifiers_are_masked_a_profile_about_them_is_for_those_who_see_them(
    tmp_path: Path,
) -> None:
    to = ("reviewer", "qa_operator")
    guarded = running(tmp_path / "home", auth_mode="api-key", identifiers="masked", identifiers_shown_to=to)
    async with guarded as service:
        operator, others = await service.key("qa_operator"), await service.key("reader")
        admin = await service.key("admin")
        refused = await tried(service, admin, OF_NAMES)
        assert (refused.status_code, "PatientName" in refused.json()["detail"]) == (403, True), refused.text
        job = (await tried(service, operator, OF_NAMES)).json()["id"]
        harmless = (await tried(service, operator, OF_CODES)).json()["id"]
        for one in (job, harmless):
            await service.services.uploads.ended(one, within=120)
        [entry, _] = await service.audit("rescore.start")
        assert entry.detail["identifiers"] == ["PatientName"]
        path = f"/api/v1/jobs/{job}"
        seen = (await service.get(path, headers=operator)).json()
        assert ("SITE-PROBE" in seen["arguments"]["profile"], seen["result"]["studies"]) == (True, 0)
        listed = (await service.get("/api/v1/jobs?kind=rescore", headers=others)).json()["items"]
        for hidden in ((await service.get(path, headers=others)).json(), listed[1]):
            assert (hidden["arguments"]["profile"], hidden["result"]) == ("[redacted]", None)
        assert "SITE-PROBE" in listed[0]["arguments"]["profile"]
        assert "SITE-PROBE" in (await service.get(f"/jobs/{job}", headers=operator)).text
        trial = f"/profiles/trials/{job}"
        assert (await service.get(trial, headers=operator)).status_code == 200
        assert (await service.get(trial, headers=admin)).status_code == 403
        assert trial.lstrip("/") not in (await service.get("/profiles", headers=admin)).text
        of_form = {**admin, "Sec-Fetch-Site": "same-origin"}
        form = await refused_form(service, "/profiles/trials", data={"text": OF_NAMES}, headers=of_form)
        assert "This profile asks for PatientName" in form.text
        shown = await service.get(f"/jobs/{job}", headers=others)
        assert (shown.status_code, "SITE-PROBE" in shown.text) == (200, False)
