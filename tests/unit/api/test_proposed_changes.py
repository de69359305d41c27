"""`/api/v1/studies/{study}/proposed-changes`."""

from unit.api.service import Service
from unit.store.samples import OTHER, STUDY, finding

from heltig.rules.proposal import ProposedChange

CHANGE = ProposedChange(
    operation="replace",
    tag="00100020",
    vr="LO",
    was=(" A1",),
    becomes=("A1",),
    why="Spaces around it mean nothing.",
    series=("1.2.3",),
    instances=("1.2.4.5",),
)
ROUTE = f"/api/v1/studies/{STUDY}/proposed-changes"


async def test_data_sets_have_the_new_values_and_keep_the_former_ones(service: Service) -> None:
    await service.judged(STUDY, finding(proposed=(CHANGE,)), readiness="BLOCKED")
    answer = await service.get(ROUTE)
    assert answer.headers["content-type"] == "application/dicom+json"
    (dataset,) = answer.json()
    assert dataset["0020000D"] == {"vr": "UI", "Value": [STUDY]}
    assert dataset["00100020"] == {"vr": "LO", "Value": ["A1"]}
    (original,) = dataset["04000561"]["Value"]
    assert original["04000550"]["Value"] == [{"00100020": {"vr": "LO", "Value": [" A1"]}}]
    assert original["04000565"]["Value"] == ["CORRECT"]
    assert dataset["00081115"]["Value"] == [{"0020000E": {"vr": "UI", "Value": ["1.2.3"]}}]
    assert dataset["0008114A"]["Value"] == [{"00081155": {"vr": "UI", "Value": ["1.2.4.5"]}}]


async def test_the_same_change_at_two_locations_is_told_once(service: Service) -> None:
    await service.judged(STUDY, finding(proposed=(CHANGE,)), readiness="BLOCKED")
    await service.judged(STUDY, finding(proposed=(CHANGE,)), location=OTHER, readiness="BLOCKED")
    assert len((await service.get(ROUTE)).json()) == 1


async def test_a_script_of_commands(service: Service) -> None:
    await service.judged(STUDY, finding(proposed=(CHANGE,)), readiness="BLOCKED")
    answer = await service.get(f"{ROUTE}?format=dcmodify")
    assert answer.headers["content-type"].startswith("text/plain")
    assert "-m '(0010,0020)=A1'" in answer.text


async def test_findings_carry_them(service: Service) -> None:
    await service.judged(STUDY, finding(proposed=(CHANGE,)), finding("B"), readiness="BLOCKED")
    with_change, without = (await service.get(f"/api/v1/studies/{STUDY}/findings")).json()["items"]
    if without["proposed"]:
        with_change, without = without, with_change
    assert with_change["proposed"][0]["becomes"] == ["A1"]
    assert without["proposed"] == []


async def test_nothing_proposed_nothing_known_and_no_such_format(service: Service) -> None:
    await service.judged(STUDY)
    assert (await service.get(ROUTE)).json() == []
    assert (await service.get("/api/v1/studies/9/proposed-changes")).status_code == 404
    assert (await service.get(f"{ROUTE}?format=exe")).status_code == 400
