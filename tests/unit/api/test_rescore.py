"""Judging stored studies again over REST: a job, and its result."""

from typing import Any

import pytest
from unit.api.service import Service, study_zip
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


@pytest.mark.parametrize(
    "body", [[], {"dryRun": "perhaps"}, {"all": True}, {"archive": "cellar:x"}, {"study": ""}]
)
async def test_what_makes_no_sense_is_refused(service: Service, body: Any) -> None:
    answer = await service.post(RESCORE, json=body)
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")
    assert (await service.get("/api/v1/jobs?kind=rescore")).json()["items"] == []
