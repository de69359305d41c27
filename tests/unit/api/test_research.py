"""Who sees what of analyses: overrides, files that may show whose they are."""

import asyncio
import hashlib
from pathlib import Path
from typing import Any

from unit.api.service import Service, in_one_task, running, study_zip

from heltig.setting_types import Size
from heltig.store import analyses
from heltig.store.analyses import Output
from heltig.store.transaction import WriteTransaction

ANALYSES = "/api/v1/research/analyses"
SITE: dict[str, Any] = {
    "auth_mode": "api-key",
    "identifiers": "masked",
    "analysis_enabled": True,
    "analysis_use": "research-only",
    "analysis_allow_identified": True,
    "alert_disk": Size(1),
}


async def ended(service: Service, address: str, key: dict[str, str]) -> dict[str, Any]:
    async with asyncio.timeout(60):
        while True:
            found: dict[str, Any] = (await service.get(address, headers=key)).json()
            if found["finished"]:
                return found
            await asyncio.sleep(0.05)


async def test_files_of_identified_data_are_for_those_who_see_identifiers(tmp_path: Path) -> None:
    async with in_one_task(running(tmp_path / "home", **SITE)) as service:
        admin, researcher = await service.key("admin"), await service.key("researcher")
        upload = {"content": study_zip("ct-chest"), "headers": {**admin, "Content-Type": "application/zip"}}
        [study] = (await service.post("/api/v1/jobs/upload", **upload)).json()["studies"]
        asked = {"study": study["study"]["key"], "segmenters": ["classical"], "allowIdentified": True}
        ordered = await service.post(ANALYSES, json=asked, headers=researcher)
        assert ordered.status_code == 202, ordered.text
        address = ordered.headers["location"]
        analysis = await ended(service, address, researcher)
        assert (analysis["identified"], analysis["state"]) == (True, "refused")
        assert [one["name"] for one in analysis["outputs"]] == ["selection.json"]
        for place in ("selection", "outputs/selection.json", "zip"):
            hidden = await service.get(f"{address}/{place}", headers=researcher)
            assert (hidden.status_code, hidden.headers["x-heltig-use"]) == (403, "research-only")
            shown = await service.get(f"{address}/{place}", headers=admin)
            assert shown.status_code == 200, shown.text
        downloads = await service.audit("analysis.download")
        assert [(one.actor, one.detail["file"]) for one in downloads] == [
            ("key:admin-", "selection.json"),
            ("key:admin-", "selection.json"),
            ("key:admin-", "zip"),
        ]


async def test_files_of_a_blocked_study_are_for_those_who_see_identifiers(tmp_path: Path) -> None:
    async with in_one_task(running(tmp_path / "home", **SITE)) as service:
        await service.judged("1.2.3", readiness="BLOCKED", modalities_in_study=("CT",))
        admin, researcher = await service.key("admin"), await service.key("researcher")
        asked = {"study": "1.2.3", "segmenters": ["classical"], "reason": "a phantom"}
        ordered = await service.post("/api/v1/research/overrides", json=asked, headers=admin)
        address = ordered.headers["location"]
        await ended(service, address, admin)

        def put(transaction: WriteTransaction) -> None:
            found = analyses.find(transaction, ordered.json()["id"])
            assert found is not None
            digest = hashlib.sha256(b"{}").hexdigest()
            file = Output(name="id.json", media_type="application/json", sha256=digest, size=2)
            analyses.put_outputs(transaction, found.row, [file])

        await service.services.store.write(put)
        folder = service.home / "research" / ordered.json()["id"]
        folder.mkdir()
        (folder / "id.json").write_text("{}")
        for key, status in ((researcher, 403), (admin, 200)):
            got = await service.get(f"{address}/outputs/id.json", headers=key)
            assert got.status_code == status, got.text
        (folder / "id.json").write_text("[]")
        got = await service.get(f"{address}/outputs/id.json", headers=admin)
        assert got.status_code == 404, "it is not what was written, though as long"


async def test_orders_that_make_no_sense(tmp_path: Path) -> None:
    async with in_one_task(running(tmp_path / "home", **SITE)) as service:
        await service.judged("1.2.3", modalities_in_study=("CT",))
        key = await service.key("researcher")
        for wrong in (
            {},
            {"study": ""},
            {"study": "1.2.3", "colour": "red"},
            {"study": "1.2.3", "segmenters": ["../x"]},
            {"study": "1.2.3", "segmenters": ["command"]},
            {"study": "1.2.3", "heightM": 180},
            {"study": "1.2.3", "location": "nowhere"},
            {"study": "1.2.3", "reason": "because"},
            {"study": "1.2.3", "optional": ["everything"]},
            {"study": "1.2.3", "modalities": ["ct"]},
            {"study": "1.2.3", "segmenters": ["classical", "classical"]},
        ):
            refused = await service.post(ANALYSES, json=wrong, headers=key)
            assert refused.status_code in (400, 404), (wrong, refused.text)
        assert (await service.get(ANALYSES, headers=key)).json()["items"] == []
        for absent in ("x", "00000000-0000-0000-0000-000000000000"):
            assert (await service.get(f"{ANALYSES}/{absent}", headers=key)).status_code == 404
            assert (await service.get(f"{ANALYSES}/{absent}/zip", headers=key)).status_code == 404
            assert (await service.post(f"{ANALYSES}/{absent}/cancel", headers=key)).status_code == 404
