"""What the pages ask of the store."""

from unit.store.samples import MAIN, NOW, OTHER, finding, judge, snapshot

from heltig.store import devices, search, states, studies, verdicts
from heltig.store.locations import known
from heltig.store.records import Device, Location
from heltig.store.study_query import AGES, StudyQuery

UPLOAD = Location("upload", "0123")


async def fill(store):
    await judge(
        store, snapshot(study="1.1", modalities_in_study=("CT", "PT"), study_description="PET/CT Thorax")
    )
    await judge(
        store,
        snapshot(study="1.2", modalities_in_study=("MR",), study_description="Knie 50%", location=OTHER),
        finding("A-RULE", "review", waived=True),
        finding("B-RULE", "review"),
        finding("C-RULE", "review"),
        readiness="NEEDS_REVIEW",
    )
    await judge(store, snapshot(study="1.3.WRONG", location=UPLOAD), finding("D-RULE"), readiness="BLOCKED")


async def keys(store, **query):
    found = await store.read(search.search, StudyQuery(**query), now=NOW, limit=10, order="worst")
    return [study.study_key for study in found]


async def test_worst_first(store):
    await fill(store)
    assert await keys(store) == ["1.3.WRONG", "1.2", "1.1"]


async def test_verdicts_are_counted_worst_first(store):
    await fill(store)
    counts = await store.read(search.count_by_readiness, StudyQuery(), now=NOW)
    assert list(counts.items()) == [("BLOCKED", 1), ("NEEDS_REVIEW", 1), ("READY", 1)]
    assert await store.read(search.count_by_readiness, StudyQuery(text="nothing has this"), now=NOW) == {
        "BLOCKED": 0,
        "NEEDS_REVIEW": 0,
        "READY": 0,
    }


async def test_text_is_found_in_keys_and_descriptions_whatever_its_case(store):
    await fill(store)
    assert await keys(store, text="thorax") == ["1.1"]
    assert await keys(store, text="3.wr") == ["1.3.WRONG"]
    assert await keys(store, text="50%") == ["1.2"]
    assert await keys(store, text="_") == []


async def test_kinds_of_locations(store):
    await fill(store)
    assert await keys(store, location_kinds=("upload",)) == ["1.3.WRONG"]
    assert await keys(store, location_kinds=("upload",), locations=(OTHER,)) == ["1.3.WRONG", "1.2"]
    assert await store.read(known, "archive") == [MAIN, OTHER]


async def test_a_rule_counts_where_its_finding_stands_in_the_last_verdict(store):
    await fill(store)
    assert await keys(store, rules=("B-RULE", "D-RULE")) == ["1.3.WRONG", "1.2"]
    assert await keys(store, rules=("A-RULE",)) == []
    await judge(store, snapshot(study="1.3.WRONG", location=UPLOAD, facts=b"other"))
    assert await keys(store, rules=("D-RULE",)) == []
    await store.write_durably(states.withdraw, OTHER, "1.2", at=NOW)
    assert await keys(store, rules=("B-RULE",)) == []
    assert await keys(store, rules=("B-RULE",), states=("WITHDRAWN",)) == ["1.2"]


async def test_devices_are_found_by_what_names_one_of_them(store):
    acme, other = Device("Acme Medical", "CT 9", "CT_1"), Device("Beta", "CT 9", "ct2")
    await judge(store, snapshot(study="1.1", devices=(acme, other)))
    await judge(store, snapshot(study="1.2", devices=(other,)))
    await judge(store, snapshot(study="1.3", devices=(Device("", "CT 9", ""),)))
    assert await keys(store, manufacturer="acme medical") == ["1.1"]
    assert await keys(store, manufacturer="Acme") == []
    assert await keys(store, model="ct ?") == ["1.3", "1.2", "1.1"]
    assert await keys(store, manufacturer="acme*", station="ct2") == []  # they are of two devices
    assert await keys(store, manufacturer="*a*", station="CT_1") == ["1.1"]
    assert await keys(store, manufacturer="") == ["1.3"]
    assert await keys(store, manufacturer="beta", age=AGES["1d"], text="1.2", states=("JUDGED",)) == ["1.2"]
    named = {"field": "station", "wanted": {"model": "CT 9"}, "limit": 9}
    assert await store.read(devices.named_in, **named) == ["CT_1", "ct2"]


async def test_modalities_are_those_of_judged_studies(store):
    await fill(store)
    assert await store.read(search.modalities) == ["CT", "MR", "PT"]


async def test_the_worst_finding_is_the_first_that_stands(store):
    await fill(store)
    found = await store.read(verdicts.worst_findings, ["1.1", "1.2", "1.3.WRONG", "9.9"])
    rules = {str(location): (key, worst.rule) for (location, key), worst in found.items()}
    assert rules == {"archive:other": ("1.2", "B-RULE"), "upload:0123": ("1.3.WRONG", "D-RULE")}


async def test_a_page_passes_over_the_studies_before_it(store):
    await fill(store)
    found = await store.read(search.search, StudyQuery(), now=NOW, limit=1, offset=1, order="worst")
    assert [study.study_key for study in found] == ["1.2"]


async def test_a_study_is_found_at_each_of_its_locations(store):
    await judge(store, snapshot(study="1.1"))
    await judge(store, snapshot(study="1.1", location=OTHER))
    found = await store.read(studies.find_everywhere, "1.1")
    assert [study.location for study in found] == [MAIN, OTHER]
