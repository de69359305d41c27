"""Results of analyses sent to a real Orthanc: in order, once, and only where they still belong."""

import asyncio
import hashlib
import io
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from imaging.phantom import Box, Phantom, encode, series
from integration.test_research import SWITCHED_ON, password_of
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid
from servers.orthanc import Orthanc, running_orthanc
from servers.store_front import StoreFront, store_front
from unit.api.service import Service, in_one_task, running
from unit.store.databases import SERVER

from heltig.cli import heltig
from heltig.jobs.queue import utc_now
from heltig.pipeline.research.publishing.agreement import MODULES
from heltig.standard.modules import attributes_of
from heltig.store import analyses, jobs, studies
from heltig.store.analyses import Analysis, NewAnalysis, Output
from heltig.store.records import Location
from heltig.store.transaction import WriteTransaction

pytestmark = pytest.mark.orthanc

SEG, SR, SC = ("1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.88.34", "1.2.840.10008.5.1.4.1.1.7")
NAMES = ["dicom/seg.dcm", "dicom/sr.dcm", "dicom/sc-1.dcm"]
TAGS = {int(one.tag, 16) for module in MODULES for one in attributes_of(module)}


def images_of(name: str, **attributes: Any) -> list[Dataset]:
    phantom = Phantom.of((8, 8, 3), (3.0, 3.0, 5.0), [Box("body", (2, 2, 0), (6, 6, 3), 40)])
    given = {"PatientIdentityRemoved": "YES", "PatientWeight": "70.50", **attributes}
    return series(phantom, name=name, **given)


def uid_of(images: Sequence[Dataset], number: int) -> str:
    """The UID of an object that was made of some images."""
    return str(generate_uid(entropy_srcs=[str(images[0].SOPInstanceUID), str(number)]))


def results_of(images: Sequence[Dataset]) -> dict[str, Dataset]:
    """Objects as an analysis writes them, by their names, with nothing in them."""
    made: dict[str, Dataset] = {}
    for number, (name, sop_class) in enumerate(zip(NAMES, (SEG, SR, SC), strict=True), 1):
        one = Dataset()
        for element in images[0]:
            if element.tag in TAGS:
                one.add(deepcopy(element))
        one.StudyInstanceUID = images[0].StudyInstanceUID
        one.SOPClassUID, one.SOPInstanceUID = sop_class, uid_of(images, number)
        one.SeriesInstanceUID = uid_of(images, -number)
        one.PatientName = str(images[0].PatientName)  # not as the images encode it
        one.Modality, one.Manufacturer = "OT", "Heltig"
        one.SpecificCharacterSet = "ISO_IR 192"
        referenced = Dataset()
        referenced.SeriesInstanceUID = images[0].SeriesInstanceUID
        referenced.ReferencedSOPSequence = [_reference(image) for image in images]
        evidence = Dataset()
        evidence.ReferencedSeriesSequence = [referenced]
        if sop_class == SR:
            one.CurrentRequestedProcedureEvidenceSequence = [evidence]
        elif sop_class == SEG:
            one.ReferencedSeriesSequence = [referenced]
        one.file_meta = FileMetaDataset()
        one.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        made[name] = one
    return made


def _reference(image: Dataset) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = image.SOPClassUID, image.SOPInstanceUID
    return item


class Site:
    """A service, an Orthanc, and what stands before its STOW-RS."""

    def __init__(self, service: Service, orthanc: Orthanc, front: StoreFront) -> None:
        self.service = service
        self.orthanc = orthanc
        self.front = front

    async def analysed(self, images: Sequence[Dataset], *, location: str = "archive:main") -> Analysis:
        """An analysis that is done, and wrote objects; the archive has its images."""
        await asyncio.to_thread(self.orthanc.store, [encode(one) for one in images])
        study = str(images[0].StudyInstanceUID)
        await self.service.judged(study, location=Location.parse(location))
        found = await self.service.services.store.write(self._put, study, images, Location.parse(location))
        return found

    def _put(
        self, transaction: WriteTransaction, study: str, images: Sequence[Dataset], location: Location
    ) -> Analysis:
        id, now = f"analysis-{study[-20:]}", utc_now()
        row = studies.row_of(transaction, location, study)
        analyses.add(
            transaction,
            NewAnalysis(
                analysis_id=id,
                study_row=row,
                snapshot="0" * 64,
                verdict_id=None,
                readiness="READY",
                asked={},
                identified=False,
                requested_by="test",
                override_reason="",
                ordered=now,
            ),
        )
        folder = self.service.home / "research" / id
        (folder / "dicom").mkdir(parents=True)
        outputs = []
        for name, made in results_of(images).items():
            file = io.BytesIO()
            made.save_as(file, enforce_file_format=True)
            (folder / name).write_bytes(file.getvalue())
            outputs.append(
                Output(
                    name=name,
                    media_type="application/dicom",
                    sha256=hashlib.sha256(file.getvalue()).hexdigest(),
                    size=len(file.getvalue()),
                )
            )
        new = analyses.find(transaction, id)
        assert new is not None
        place = self.service.app.state["research"].folder.place
        series_uid = str(images[0].SeriesInstanceUID)
        done = analyses.move(transaction, new, "done", at=now, series_uid=series_uid, place=place, ends=True)
        assert done is not None
        analyses.put_outputs(transaction, done.row, outputs)
        return done

    async def publish(self, analysis: Analysis, archive: str = "main") -> dict[str, Any]:
        """Has it published, and waits for the end."""
        ordered = await self.service.post(address(analysis) + "/publish", json={"archive": archive})
        assert ordered.status_code == 202, ordered.text
        return await self.settled(analysis)

    async def settled(self, analysis: Analysis) -> dict[str, Any]:
        """Waits until nothing is under way any more; gives state and code of each object by its name."""
        async with asyncio.timeout(60):
            while True:
                found = (await self.service.get(address(analysis))).json()
                if found["state"] != "publishing":
                    break
                await asyncio.sleep(0.02)
        return {one["name"]: (one["state"], one["code"]) for one in found["publications"]}

    async def moved(self, orthanc: Orthanc) -> None:
        """Has another Orthanc be the archive."""
        self.orthanc = self.front.orthanc = orthanc
        known = await self.service.get("/api/v1/archives/main")
        changed = await self.service.client.patch(
            "/api/v1/archives/main",
            json={"qidoUrl": orthanc.root},
            headers={"If-Match": known.headers["etag"]},
        )
        assert changed.status_code == 200, changed.text

    async def failed_once(self) -> int:
        """Waits until a job that publishes has to be tried again; gives its id."""
        async with asyncio.timeout(60):
            while True:
                [job, *_] = await self.service.services.store.read(jobs.newest, kind="publish")
                if job.error:
                    return job.id
                await asyncio.sleep(0.02)

    async def has(self, analysis: Analysis) -> list[bool]:
        """Which of its objects the Orthanc has."""
        plan = (await self.service.get(address(analysis) + "/publish", params={"archive": "main"})).json()
        with self.front.orthanc.rest() as rest:
            return [
                bool(rest.post("/tools/lookup", content=one["sopInstanceUid"]).json())
                for one in plan["objects"]
            ]


def address(analysis: Analysis) -> str:
    return f"/api/v1/research/analyses/{analysis.analysis_id}"


def entry(orthanc: Orthanc, front: StoreFront, name: str = "main") -> dict[str, Any]:
    return {
        "name": name,
        "qidoUrl": orthanc.root,
        "stowUrl": front.root,
        "options": {"strategy": "none"},
        "auth": {"kind": "basic", "username": orthanc.username, "secret": "env:HELTIG_SECRET_PACS"},
    }


@pytest.fixture
async def site(orthanc: Orthanc, tmp_path: Path) -> AsyncIterator[Site]:
    settings = {**SWITCHED_ON, "analysis_publish_to": ("main", "absent")}
    with password_of(orthanc), store_front(orthanc) as front:
        async with in_one_task(running(tmp_path / "home", clock=utc_now, **settings)) as service:
            for name in ("main", "other"):
                added = await service.post("/api/v1/archives", json=entry(orthanc, front, name))
                assert added.status_code == 201, added.text
            yield Site(service, orthanc, front)


async def test_results_are_sent_in_order_verified_and_not_sent_twice(site: Site) -> None:
    images = images_of("published", PatientName="Müller^Zoë", SpecificCharacterSet="ISO_IR 100")
    analysis = await site.analysed(images)
    uids = [uid_of(images, number) for number in (1, 2, 3)]
    planned = (await site.service.get(address(analysis) + "/publish", params={"archive": "main"})).json()
    assert [(one["name"], one["sopInstanceUid"]) for one in planned["objects"]] == list(
        zip(NAMES, uids, strict=True)
    )
    assert [(one["sent"], one["state"]) for one in planned["objects"]] == [(True, None)] * 3
    assert (site.front.came, await site.has(analysis)) == ([], [False] * 3)

    assert await site.publish(analysis) == dict.fromkeys(NAMES, ("verified", ""))
    assert site.front.came == uids
    assert await site.has(analysis) == [True] * 3
    assert await site.publish(analysis) == dict.fromkeys(NAMES, ("verified", ""))
    assert site.front.came == uids
    planned = (await site.service.get(address(analysis) + "/publish", params={"archive": "main"})).json()
    assert [(one["sent"], one["state"]) for one in planned["objects"]] == [(False, "verified")] * 3
    [ordered] = await site.service.audit("analysis.publish")
    assert (ordered.detail["archive"], ordered.detail["files"]) == ("main", NAMES)
    [told] = await site.service.audit("analysis.published")
    assert (told.actor, told.outcome, told.detail["files"]) == ("publish", "success", sorted(NAMES))


async def test_of_what_is_refused_only_that_is_sent_again(site: Site) -> None:
    images = images_of("refused")
    analysis = await site.analysed(images)
    seg, sr, sc = (uid_of(images, number) for number in (1, 2, 3))
    site.front.refuses = {seg: 0xA900}
    assert await site.publish(analysis) == {
        "dicom/seg.dcm": ("failed", "A900H"),
        "dicom/sr.dcm": ("failed", "SEGMENTATION_ABSENT"),
        "dicom/sc-1.dcm": ("verified", ""),
    }
    assert site.front.came == [seg, sc]
    site.front.refuses = {}
    assert await site.publish(analysis) == dict.fromkeys(NAMES, ("verified", ""))
    assert site.front.came == [seg, sc, seg, sr]


async def test_a_study_that_is_another_by_now_gets_nothing(site: Site) -> None:
    images = images_of("differs")
    analysis = await site.analysed(images)
    for named, value in (("PatientID", "another"), ("StudyDescription", "other"), ("PatientWeight", "71.5")):
        changed = deepcopy(images)
        for image in changed:
            setattr(image, named, value)
        site.orthanc.clear()
        site.orthanc.store([encode(one) for one in changed])
        assert await site.publish(analysis) == dict.fromkeys(NAMES, ("failed", "STUDY_DIFFERS"))
        found = (await site.service.get(address(analysis))).json()
        assert {one["observed"] for one in found["publications"]} == {named}
    site.orthanc.clear()
    assert await site.publish(analysis) == dict.fromkeys(NAMES, ("failed", "STUDY_ABSENT"))
    site.orthanc.store([encode(one) for one in images[:2]])
    assert await site.publish(analysis) == dict.fromkeys(NAMES, ("failed", "IMAGES_ABSENT"))
    assert site.front.came == []
    site.orthanc.store([encode(images[2])])
    assert await site.publish(analysis) == dict.fromkeys(NAMES, ("verified", ""))


async def test_files_that_are_not_what_was_written_stay(site: Site) -> None:
    analysis = await site.analysed(images_of("damaged"))
    path = site.service.home / "research" / analysis.analysis_id / "dicom/sc-1.dcm"
    path.write_bytes(path.read_bytes() + b"\0")
    asked = await site.service.get(address(analysis) + "/publish", params={"archive": "main"})
    assert asked.status_code == 404


async def test_an_answer_that_is_lost(site: Site) -> None:
    images = images_of("lost")
    analysis = await site.analysed(images)
    site.front.losing = "answer"
    assert await site.publish(analysis) == dict.fromkeys(NAMES, ("verified", ""))
    assert len(site.front.came) == len(set(site.front.came)) == 3


async def test_an_archive_that_dies_in_the_midst(site: Site, tmp_path: Path) -> None:
    """Killed after it took the segmentation: that is not sent again, the others come once it is back."""
    folder = tmp_path / "dying"
    folder.mkdir()
    images = images_of("dying")
    with ExitStack() as life:
        dying = life.enter_context(running_orthanc(folder))
        await site.moved(dying)
        analysis = await site.analysed(images)
        site.front.on_store = life.close
        ordered = await site.service.post(address(analysis) + "/publish", json={"archive": "main"})
        assert ordered.status_code == 202, ordered.text
        job = await site.failed_once()
    found = (await site.service.get(address(analysis))).json()
    assert [one["state"] for one in found["publications"]] == ["stored", "waiting", "waiting"]
    assert found["state"] == "publishing"
    with running_orthanc(folder) as alive:
        site.front.on_store = lambda: None
        await site.moved(alive)
        await site.service.services.store.write(jobs.hasten, job)
        site.service.services.queue.ring("publish")
        assert await site.settled(analysis) == dict.fromkeys(NAMES, ("verified", ""))
        assert await site.has(analysis) == [True] * 3
    assert site.front.came.count(uid_of(images, 1)) == 1


async def test_a_job_that_is_given_up_can_be_ordered_again(site: Site) -> None:
    analysis = await site.analysed(images_of("given up"))
    site.front.losing = "all"
    await site.service.post(address(analysis) + "/publish", json={"archive": "main"})
    job = await site.failed_once()
    await site.service.services.store.write(jobs.cancel, job, now=utc_now())
    await site.service.app.state["research"].sweep()
    assert await site.settled(analysis) == dict.fromkeys(NAMES, ("failed", "GIVEN_UP"))
    site.front.losing = ""
    assert await site.publish(analysis) == dict.fromkeys(NAMES, ("verified", ""))


async def test_where_results_may_go(site: Site) -> None:
    analysis = await site.analysed(images_of("allowed"))
    for archive, status in (("other", 403), ("absent", 404), ("", 400)):
        asked = await site.service.get(address(analysis) + "/publish", params={"archive": archive})
        ordered = await site.service.post(address(analysis) + "/publish", json={"archive": archive})
        assert (asked.status_code, ordered.status_code) == (status, status)
    none = await site.service.post("/api/v1/research/analyses/none/publish", json={"archive": "main"})
    assert none.status_code == 404
    status = (await site.service.get("/api/v1/research")).json()
    assert status["publishTo"] == ["main", "absent"]
    listed = (await site.service.get("/api/v1/research/analyses", params={"state": "publishing"})).json()
    assert listed["items"] == []
    assert (site.front.came, await site.service.audit("analysis.publish")) == ([], [])


async def test_who_may_publish_and_where_it_is_off(tmp_path: Path) -> None:
    path = "/api/v1/research/analyses/none/publish"
    async with in_one_task(
        running(tmp_path / "home", clock=utc_now, auth_mode="api-key", **SWITCHED_ON)
    ) as service:
        for role in ("reader", "reviewer", "qa_operator", "auditor", "archive"):
            key = await service.key(role)
            refused = await service.post(path, json={"archive": "main"}, headers=key)
            asked = await service.get(path, params={"archive": "main"}, headers=key)
            assert (refused.status_code, asked.status_code) == (403, 403)
        narrow = await service.key("researcher", "research")
        assert (await service.post(path, json={"archive": "main"}, headers=narrow)).status_code == 403
        for role in ("researcher", "admin"):
            found = await service.post(path, json={"archive": "main"}, headers=await service.key(role))
            assert found.status_code == 404


@pytest.mark.skipif(bool(SERVER), reason="one database in one folder, opened twice")
def test_the_command_says_first_and_sends_then(orthanc: Orthanc, tmp_path: Path) -> None:
    images = images_of("command")
    home = tmp_path / "home"
    environ = {
        "HELTIG_HOME": str(home),
        "HELTIG_ANALYSIS_ENABLED": "true",
        "HELTIG_ANALYSIS_USE": "research-only",
        "HELTIG_ANALYSIS_PUBLISH_TO": "main",
        "HELTIG_WORKERS": "1",
    }

    async def analysed(front: StoreFront) -> Analysis:
        settings = {**SWITCHED_ON, "analysis_publish_to": ("main",)}
        async with running(home, clock=utc_now, **settings) as service:
            await service.post("/api/v1/archives", json=entry(orthanc, front))
            return await Site(service, orthanc, front).analysed(images)

    with password_of(orthanc), store_front(orthanc) as front:
        analysis = asyncio.run(analysed(front))
        arguments = ["analyze", analysis.analysis_id, "--publish-to", "main"]
        said = CliRunner().invoke(heltig, arguments, env=environ)
        assert (said.exit_code, front.came) == (0, []), said.output
        assert said.stdout.count("would be sent") == 3
        sent = CliRunner().invoke(heltig, [*arguments, "--send", "--format", "json"], env=environ)
        assert sent.exit_code == 0, sent.output
        assert [one["state"] for one in json.loads(sent.stdout)["objects"]] == ["verified"] * 3
        assert front.came == [uid_of(images, number) for number in (1, 2, 3)]
