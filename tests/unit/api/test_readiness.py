from datetime import timedelta

import pytest
from unit.api.service import DICOM_JSON, LATER, Service, values
from unit.store.samples import OTHER, finding, judge, put_judged_with, series, snapshot, verdict

from heltig.store import publication, snapshots, states
from heltig.verdict import Waiver

STUDY = "1.2.840.99.1"
PATH = f"/dicom-web/studies/{STUDY}/readiness"


async def test_a_judged_study(service: Service) -> None:
    await service.judged(
        STUDY, finding(), finding(observed="X"), finding("SER-1", "review", waived=True), readiness="BLOCKED"
    )
    answer = await service.get(PATH)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == DICOM_JSON
    assert answer.headers["heltig-readiness"] == "BLOCKED"
    assert answer.headers["vary"] == "Accept, Authorization"
    assert "private" in answer.headers["cache-control"]
    dataset = answer.json()
    assert list(dataset) == sorted(dataset)
    assert values(dataset, "0020000D") == [STUDY]
    assert values(dataset, "00990010") == ["HELTIG READINESS 1"]
    assert values(dataset, "00991001") == ["BLOCKED"]
    assert values(dataset, "00991002") == ["20260301120000.000000+0000"]
    assert values(dataset, "00991003") == [f"heltig 0.1.0 {'a' * 12}"]
    assert values(dataset, "00991005") == [f"default {'b' * 12}"]
    assert (values(dataset, "00991006"), values(dataset, "00991007")) == ([2], [0])
    assert values(dataset, "00991008") == [1]
    assert values(dataset, "00991009") == ["JUDGED"]
    assert values(dataset, "00991011") == ["archive:main"]
    assert values(dataset, "00991012") == [1]
    assert len(values(dataset, "00991004")[0]) == 64


async def test_findings_are_an_item_a_rule_without_what_was_observed(service: Service) -> None:
    await service.judged(
        STUDY,
        finding(observed="Doe^Jane"),
        finding(observed="Roe^Jane"),
        finding("SER-1", "review", waived=True),
    )
    answer = await service.get(PATH)
    first, second = values(answer.json(), "00991010")
    assert [values(item, "00991020") for item in (first, second)] == [["PAT-ID-EMPTY"], ["SER-1"]]
    assert values(first, "00990010") == ["HELTIG READINESS 1"]
    assert (values(first, "00991021"), values(first, "00991024")) == (["BLOCK"], [2])
    assert (values(first, "00991025"), values(second, "00991025")) == (["NO"], ["YES"])
    assert "Jane" not in answer.text


async def test_an_unknown_study_is_not_found(service: Service) -> None:
    answer = await service.get(PATH)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == "/problems/not-found"


async def test_a_pending_study_does_not_show_its_last_verdict_as_current(service: Service) -> None:
    await service.judged(STUDY)
    await service.services.store.write(snapshots.put, snapshot([series(instances=9)]))
    answer = await service.get(PATH)
    assert answer.headers["heltig-readiness"] == "PENDING"
    assert values(answer.json(), "00991001") == []
    assert values(answer.json(), "00991009") == ["PENDING"]
    assert values(answer.json(), "00991008") == [1]  # the last verdict is beside it


async def test_a_withdrawn_study(service: Service) -> None:
    published = await service.judged(STUDY)
    await service.services.store.write_durably(
        states.withdraw, published.study.location, STUDY, at=published.study.changed
    )
    answer = await service.get(PATH)
    assert answer.headers["heltig-readiness"] == "WITHDRAWN"
    assert values(answer.json(), "00991001") == []


async def test_the_worst_of_several_locations(service: Service) -> None:
    await service.judged(STUDY)
    await service.judged(STUDY, finding(), readiness="BLOCKED", location=OTHER)
    everywhere = await service.get(PATH)
    assert everywhere.headers["heltig-readiness"] == "BLOCKED"
    assert values(everywhere.json(), "00991011") == ["archive:other"]
    assert values(everywhere.json(), "00991012") == [2]
    main = await service.get(PATH, params={"archive": "main"})
    assert main.headers["heltig-readiness"] == "READY"
    assert values(main.json(), "00991012") == [1]
    assert (await service.get(PATH, params={"archive": "archive:other"})).text != main.text
    assert (await service.get(PATH, params={"archive": "third"})).status_code == 404
    assert (await service.get(PATH, params={"archive": "moon:main"})).status_code == 400


async def test_a_pending_location_keeps_a_study_from_being_ready(service: Service) -> None:
    await service.judged(STUDY)
    await service.services.store.write(snapshots.put, snapshot(location=OTHER))
    assert (await service.get(PATH)).headers["heltig-readiness"] == "PENDING"


@pytest.mark.parametrize(("minutes", "status"), [(1, "READY"), (0, "PENDING"), (-1, "PENDING")])
async def test_a_verdict_ends_with_the_waiver_it_relied_on(
    service: Service, minutes: int, status: str
) -> None:
    assert service.services.minute() == "2026-03-01T12:30"
    store = service.services.store
    await store.write(put_judged_with)
    put = await store.write(snapshots.put, snapshot())
    waiver = Waiver("1", "PAT-ID-EMPTY", "", LATER + timedelta(minutes=minutes))
    made = verdict(put, waivers=(waiver,))
    await store.write_durably(publication.publish, made)
    answer = await service.get(PATH)
    assert answer.headers["heltig-readiness"] == status
    assert values(answer.json(), "00991009") == ["JUDGED" if status == "READY" else "PENDING"]
    assert values(answer.json(), "00991001") == (["READY"] if status == "READY" else [])


async def test_whoever_has_the_answer_is_not_sent_it_again(service: Service) -> None:
    await service.judged(STUDY)
    tag = (await service.get(PATH)).headers["etag"]
    assert tag.startswith('"')
    same = await service.get(PATH, headers={"If-None-Match": f'"other", {tag}'})
    assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", tag)
    await service.judged(STUDY, finding(), blobs=[series(instances=9)])
    changed = await service.get(PATH, headers={"If-None-Match": tag})
    assert changed.status_code == 200
    assert changed.headers["etag"] != tag


async def test_the_short_way_and_the_usual_one_answer_the_same(service: Service) -> None:
    await service.judged(STUDY, finding(), readiness="BLOCKED")
    for path in (PATH, f"/consult/studies/{STUDY}"):
        short, usual = await service.get(path), await service.get(f"{path}?unknown=1")
        assert (short.status_code, short.content) == (usual.status_code, usual.content)
        assert short.headers == usual.headers
        cached = {"If-None-Match": short.headers["etag"]}
        assert (await service.get(path, headers=cached)).status_code == 304
    assert (await service.get(f"{PATH}/")).status_code == 200
    assert (await service.get(f"{PATH}/more")).status_code == 404


async def test_head_is_get_without_the_body(service: Service) -> None:
    await service.judged(STUDY)
    got = await service.get(PATH)
    head = await service.client.head(PATH)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers == got.headers


ACCEPT = {
    "*/*": 200,
    "application/json": 200,
    "application/dicom+json": 200,
    "application/*;q=0.5": 200,
    "APPLICATION/JSON; charset=utf-8": 200,
    "application/dicom+json;q=0": 406,
    "application/dicom+json;q=0.0, text/html": 406,
    "*/*, application/*;q=0": 406,
    "image/png": 406,
    'multipart/related; type="application/dicom+xml"': 406,
}


async def test_media_types(service: Service) -> None:
    await service.judged(STUDY)
    asked = {accept: await service.get(PATH, headers={"Accept": accept}) for accept in ACCEPT}
    assert {accept: answer.status_code for accept, answer in asked.items()} == ACCEPT
    assert {answer.headers["content-type"] for answer in asked.values() if answer.status_code == 406} == {
        "application/problem+json"
    }


JSON = "application/json"
CHOSEN = {
    DICOM_JSON: DICOM_JSON,
    JSON: JSON,
    "": DICOM_JSON,
    "application/*": DICOM_JSON,
    f"{JSON}, */*;q=0.1": JSON,
    f"{JSON};q=0.5, {DICOM_JSON};q=0.4": JSON,
    f"{JSON}, {DICOM_JSON}": DICOM_JSON,
    f"*/*, {DICOM_JSON};q=0": JSON,
    f"{JSON};q=high": JSON,
}


@pytest.mark.parametrize("query", ["", "?other=1"], ids=["short way", "usual way"])
async def test_each_representation_has_its_own_type_and_tag(service: Service, query: str) -> None:
    await service.judged(STUDY)
    asked = {accept: await service.get(PATH + query, headers={"Accept": accept}) for accept in CHOSEN}
    assert {accept: answer.headers["content-type"] for accept, answer in asked.items()} == CHOSEN
    tags = {(answer.headers["content-type"], answer.headers["etag"]) for answer in asked.values()}
    assert len(tags) == len({tag for _, tag in tags}) == 2
    assert {answer.headers["vary"] for answer in asked.values()} == {"Accept, Authorization"}
    for accept, other in ((JSON, DICOM_JSON), (DICOM_JSON, JSON)):
        has = {"Accept": accept, "If-None-Match": asked[accept].headers["etag"]}
        assert (await service.get(PATH + query, headers=has)).status_code == 304
        assert (await service.get(PATH + query, headers={**has, "Accept": other})).status_code == 200


async def test_lists_come_as_the_type_that_was_asked_for(service: Service) -> None:
    await service.judged(STUDY)
    for kind in (DICOM_JSON, JSON):
        found = await service.get("/dicom-web/studies", headers={"Accept": kind})
        many = await service.post("/dicom-web/studies/readiness", json=[STUDY], headers={"Accept": kind})
        for answer in (found, many):
            assert answer.headers["content-type"] == kind
            assert answer.headers["vary"] == "Accept, Authorization"


BROKEN_UIDS = {
    "letters-and_more": "letters-and_more",
    "1.2/3": "1.2%2F3",
    "1.2%2F3": "1.2%252F3",
    "1.2 3": "1.2%203",
    "1.2?3#4": "1.2%3F3%234",
    "ÄÖ": "%C3%84%C3%96",
    "1." * 64: "1." * 64,
    "no-uid-study-0123456789abcdef": "no-uid-study-0123456789abcdef",
    "readiness": "readiness",
}


async def test_a_study_with_a_broken_uid_is_found(service: Service) -> None:
    for uid, segment in BROKEN_UIDS.items():
        await service.judged(uid)
        answer = await service.get(f"/dicom-web/studies/{segment}/readiness")
        assert (uid, answer.status_code) == (uid, 200)
        assert values(answer.json(), "0020000D") == [uid]
        assert (await service.get(f"/consult/studies/{segment}")).text.startswith("verdict=READY")
        assert (await service.get(f"/api/v1/studies/{segment}")).json()["key"] == uid


async def test_many_studies_at_once(service: Service) -> None:
    await service.judged("1.2.3")
    await service.judged("1.2.4", finding(), readiness="BLOCKED")
    asked = ["1.2.4", "9.9", "1.2.3", "1.2.4"]
    answer = await service.post("/dicom-web/studies/readiness", json=asked)
    assert answer.status_code == 200
    rows = answer.json()
    assert [values(row, "0020000D")[0] for row in rows] == asked
    assert [values(row, "00991009")[0] for row in rows] == ["JUDGED", "UNKNOWN", "JUDGED", "JUDGED"]
    assert [values(row, "00991001") for row in rows] == [["BLOCKED"], [], ["READY"], ["BLOCKED"]]
    one = await service.get("/dicom-web/studies/1.2.4/readiness")
    assert rows[0] == one.json()


async def test_a_list_that_is_nested_without_end_is_refused(service: Service) -> None:
    answer = await service.post("/dicom-web/studies/readiness", content=b"[" * 100_000)
    assert answer.status_code == 400


async def test_ten_thousand_at_most(service: Service) -> None:
    path = "/dicom-web/studies/readiness"
    full = await service.post(path, json=[f"1.2.{n}" for n in range(10_000)])
    assert (full.status_code, len(full.json())) == (200, 10_000)
    for body in ([], ["1"] * 10_001, {"studies": []}, [1]):
        answer = await service.post(path, json=body)
        assert answer.status_code == 400
        assert answer.headers["content-type"] == "application/problem+json"
    assert (await service.post(path, content=b"[")).status_code == 400


async def test_a_verdict_is_seen_as_soon_as_it_is_stored(service: Service) -> None:
    for readiness in ("READY", "BLOCKED", "READY"):
        new = snapshot([series(content=readiness)], facts=readiness.encode())
        await judge(service.services.store, new, readiness=readiness)
        assert (await service.get(PATH)).headers["heltig-readiness"] == readiness


async def test_only_who_may_have_studies_pulled_may_ask_with_pull(guarded: Service) -> None:
    for role, status in (("archive", 403), ("researcher", 403), ("reader", 403), ("qa_operator", 404)):
        answer = await guarded.get(f"{PATH}?pull=main", headers=await guarded.key(role))
        assert answer.status_code == status, role
    assert await guarded.audit("study.pull") == []
