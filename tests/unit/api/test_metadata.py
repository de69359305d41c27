import pytest
import pytest_asyncio
from unit.api.service import DICOM_JSON, Service, study_zip, synthetic, together, zip_of

from heltig.demo.samples import part10_files
from heltig.demo.studies import SyntheticStudy

CT, PET_CT = synthetic("ct-chest"), synthetic("pet-ct")


def uid_of(study: SyntheticStudy, keyword: str = "0020000D", instance: int = 0) -> str:
    return str(study.datasets[instance][keyword]["Value"][0])


async def uploaded(service: Service, *names: str) -> None:
    answer = await service.post("/api/v1/jobs/upload", content=study_zip(*names), timeout=120)
    assert answer.status_code == 201


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(shared: Service) -> Service:
    await uploaded(shared, "ct-chest", "pet-ct")
    return shared


@together
async def test_a_study_as_it_was_judged(shared: Service) -> None:
    answer = await shared.get(f"/dicom-web/studies/{uid_of(CT)}/metadata")
    assert (answer.status_code, answer.headers["content-type"]) == (200, DICOM_JSON)
    instances = {one["00080018"]["Value"][0]: one for one in answer.json()}
    sent = {uid_of(CT, "00080018", n): dataset for n, dataset in enumerate(CT.datasets)}
    assert set(instances) == set(sent)
    for uid, dataset in sent.items():
        for tag in ("00080060", "00100010", "00100020", "00200032", "00280030"):
            assert instances[uid][tag].get("Value") == dataset[tag].get("Value")


@together
async def test_a_series_and_an_instance_of_it(shared: Service) -> None:
    series, instance = uid_of(PET_CT, "0020000E"), uid_of(PET_CT, "00080018")
    path = f"/dicom-web/studies/{uid_of(PET_CT)}/series/{series}"
    of_series = (await shared.get(f"{path}/metadata")).json()
    assert {one["0020000E"]["Value"][0] for one in of_series} == {series}
    (one,) = (await shared.get(f"{path}/instances/{instance}/metadata")).json()
    assert one["00080018"]["Value"] == [instance]
    assert one in of_series


@together
@pytest.mark.parametrize(
    "path",
    [
        "9.9.9/metadata",
        "{study}/series/9.9.9/metadata",
        "{study}/series/{series}/instances/9.9.9/metadata",
        "{study}/metadata?archive=main",
    ],
)
async def test_what_is_not_there(shared: Service, path: str) -> None:
    path = path.format(study=uid_of(CT), series=uid_of(CT, "0020000E"))
    answer = await shared.get(f"/dicom-web/studies/{path}")
    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/not-found")


async def test_of_several_locations_the_one_behind_the_worst_verdict(service: Service) -> None:
    await uploaded(service, "ct-chest")
    files = list(part10_files(CT))
    other = [(name, content.replace(b"CT CHEST", b"CT_CHEST")) for name, content in files[:-1]]
    answer = await service.post("/api/v1/jobs/upload", content=zip_of(other), timeout=120)
    assert answer.status_code == 201
    places = (await service.get(f"/api/v1/studies/{uid_of(CT)}")).json()["locations"]
    rows = [place["study"] for place in places]
    counts = {row["location"]: row["instances"] for row in rows}
    for location, instances in counts.items():
        path = f"/dicom-web/studies/{uid_of(CT)}/metadata?archive={location}"
        assert len((await service.get(path)).json()) == instances
    readiness = (await service.get(f"/dicom-web/studies/{uid_of(CT)}/readiness")).json()
    (behind,) = readiness["00991011"]["Value"]
    whole = await service.get(f"/dicom-web/studies/{uid_of(CT)}/metadata")
    assert len(whole.json()) == counts[behind]


@together
async def test_whoever_has_it_is_not_sent_it_again(shared: Service) -> None:
    path = f"/dicom-web/studies/{uid_of(CT)}/metadata"
    first = await shared.get(path)
    again = await shared.get(path, headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    head = await shared.client.head(path)
    assert (head.status_code, head.content, head.headers["etag"]) == (200, b"", first.headers["etag"])
    assert head.headers["content-type"] == first.headers["content-type"]


@together
async def test_plain_json_for_those_who_know_no_other(shared: Service) -> None:
    path = f"/dicom-web/studies/{uid_of(CT)}/metadata"
    assert (await shared.get(path, headers={"Accept": "application/json"})).headers[
        "content-type"
    ] == "application/json"
    assert (await shared.get(path, headers={"Accept": "application/dicom+xml"})).status_code == 406


async def test_it_is_patient_data(guarded: Service) -> None:
    path = f"/dicom-web/studies/{uid_of(CT)}/metadata"
    assert (await guarded.get(path)).status_code == 401
    assert (await guarded.get(path, headers=await guarded.key("researcher"))).status_code == 403
    assert (await guarded.get(path, headers=await guarded.key("archive"))).status_code == 404
