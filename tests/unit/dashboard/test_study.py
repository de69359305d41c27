"""A study's page, asked of the real application."""

from datetime import timedelta

from unit.api.service import LATER, Service
from unit.dashboard.reading import page
from unit.store.samples import (
    MAIN,
    NOW,
    OTHER,
    STUDY,
    finding,
    judge,
    put_judged_with,
    series,
    snapshot,
    verdict,
)

from heltig.store import publication, snapshots, states
from heltig.store.records import Patient
from heltig.verdict import Waiver


async def test_the_verdict_and_why(service: Service) -> None:
    await service.judged(
        STUDY,
        finding(message="PatientID is empty", observed="nothing", expected="a PatientID", count=2),
        finding("VAL-CS", "review", tags=("00080060", "00400275/00080050")),
        finding("SER-SPARSE", "note"),
        readiness="BLOCKED",
        study_description="CT Thorax",
    )
    seen = page(await service.get(f"/studies/{STUDY}"))
    assert "CT Thorax BLOCKED" in seen.text
    assert "1 finding blocks this study. 1 finding needs a person's review." in seen.text
    assert "1 rule failed to run" in seen.text
    assert (
        "Attribute (0010,0020) PatientID Found nothing Expected a PatientID Affects 2 of 3 instances"
        in seen.text
    )
    assert "(0040,0275) RequestAttributesSequence > (0008,0050) AccessionNumber" in seen.text
    assert "Standard PS3.3 C.7.1.1" in seen.text
    assert "What to do: Fill it in." in seen.text
    assert "PIX-LENGTH" in seen.text
    assert "how many bytes of pixel data there really are" in seen.text
    assert "SITE-1 failed to run: ValueError at site.py:3" in seen.text


async def test_what_it_was_judged_with(service: Service) -> None:
    published = await service.judged(STUDY)
    seen = page(await service.get(f"/studies/{STUDY}"))
    assert published.verdict is not None
    for text in (
        f"Ruleset 0.1.0 {'a' * 12}",
        "DICOM standard 2024e",
        f"Profile default {'b' * 12}",
        "Reference date 2026-03-01",
        published.verdict.inputs.snapshot,
        published.verdict.verdict.id,
        "today 12:00",
    ):
        assert text in seen.text


async def test_its_series(service: Service) -> None:
    await judge(service.services.store, snapshot([series(2, instances=4), series(10, instances=1)]))
    seen = page(await service.get(f"/studies/{STUDY}"))
    assert "2 series, 5 instances" in seen.text
    assert seen.text.index(f"{STUDY}.2") < seen.text.index(f"{STUDY}.10")


async def test_every_location_is_shown_and_the_worst_first(service: Service) -> None:
    store = service.services.store
    await judge(store, snapshot(study_description="here"))
    await judge(store, snapshot(location=OTHER, study_description="there"), finding(), readiness="BLOCKED")
    worst = page(await service.get(f"/studies/{STUDY}"))
    assert "there BLOCKED" in worst.text
    assert "Seen at 2 locations" in worst.text
    assert "archive:main READY" in worst.text
    assert {"href": "?location=archive%3Amain"} in worst.all("a")
    other = page(await service.get(f"/studies/{STUDY}?location=archive%3Amain"))
    assert "here READY" in other.text
    page(await service.get(f"/studies/{STUDY}?location=archive%3Anowhere"), 404)


async def test_older_revisions_can_be_read(service: Service) -> None:
    store = service.services.store
    await service.judged(STUDY, finding(message="The first reason"), readiness="BLOCKED")
    await store.write(states.mark_pending, MAIN, STUDY, study_uid=STUDY, at=NOW)
    put = await store.write(snapshots.put, snapshot())
    await store.write_durably(publication.publish, verdict(put, at=NOW + timedelta(minutes=5)))
    current = page(await service.get(f"/studies/{STUDY}"))
    assert "The first reason" not in current.text
    assert "Revision 2" in current.text
    first = page(await service.get(f"/studies/{STUDY}?location=archive%3Amain&revision=1"))
    assert "The first reason" in first.text
    assert "This is revision 1 of 2." in first.text
    page(await service.get(f"/studies/{STUDY}?revision=3"), 404)
    page(await service.get(f"/studies/{STUDY}?revision=no"), 400)


async def test_a_waiver_and_what_would_be_without(service: Service) -> None:
    store = service.services.store
    await store.write(put_judged_with)
    put = await store.write(snapshots.put, snapshot())
    waiver = Waiver("1", "PAT-ID-EMPTY", "", LATER + timedelta(minutes=1))
    new = verdict(put, finding(waived=True), waivers=(waiver,), unwaived_readiness="BLOCKED")
    await store.write_durably(publication.publish, new)
    seen = page(await service.get(f"/studies/{STUDY}"))
    assert "1 finding is waived" in seen.text
    assert "Without waivers it would be BLOCKED. It is judged again when one of them ends: " in seen.text
    assert "when one of them ends: today 12:31" in seen.text


async def test_a_pending_study_says_that_its_verdict_is_not_told(service: Service) -> None:
    await service.judged(STUDY, finding(), readiness="BLOCKED")
    await service.services.store.write(states.mark_pending, MAIN, STUDY, study_uid=STUDY, at=NOW)
    seen = page(await service.get(f"/studies/{STUDY}"))
    assert "waits to be judged again. Its last verdict was BLOCKED" in seen.text
    assert "1 finding of the last verdict" in seen.text
    assert "blocks this study" not in seen.text
    assert "Study without a description PENDING" in seen.text


async def test_a_study_that_was_never_judged(service: Service) -> None:
    await service.services.store.write(states.mark_pending, MAIN, STUDY, study_uid=STUDY, at=NOW)
    seen = page(await service.get(f"/studies/{STUDY}"))
    assert "This study waits to be judged." in seen.text
    assert "It has not been judged yet." in seen.text


async def test_a_study_that_is_gone(service: Service) -> None:
    await service.judged(STUDY)
    await service.services.store.write_durably(states.withdraw, MAIN, STUDY, at=NOW)
    seen = page(await service.get(f"/studies/{STUDY}"))
    assert "gone from its location" in seen.text
    assert page(await service.get("/")).rows() == []


async def test_an_unknown_study_is_a_page_too(service: Service) -> None:
    seen = page(await service.get("/studies/1.2.3"), 404)
    assert "No location has shown Heltig a study with this UID." in seen.text


async def test_who_does_not_see_patients_sees_the_rest(guarded: Service) -> None:
    await judge(
        guarded.services.store,
        snapshot(
            accession_number="A-77",
            referring_physician_name="House^Gregory",
            study_description="Thorax",
            patients=(Patient(patient_id="P7", patient_name="Doe^Jane", patient_birth_date="19700102"),),
        ),
        finding(observed="P7, P8"),
        finding("UID-CHARS", tags=("0020000D",), observed="1.02.3"),
        finding("UID-CHARS", tags=("0020000E",), observed="1.2.Janedoe"),
        readiness="BLOCKED",
    )
    path = f"/studies/{STUDY}"
    whole = page(await guarded.get(path, headers=await guarded.key("reviewer")))
    masked = page(await guarded.get(path, headers=await guarded.key("reviewer", "pages", "look-up")))
    for text in ("Doe, Jane", "P7", "1970-01-02", "A-77", "House", "1.2.Janedoe"):
        assert text in whole.text
        assert text not in masked.text
    assert "Thorax" in masked.text
    assert "1.02.3" in masked.text
    assert "your role does not see patient data" in masked.text


KEYS = [
    "1.2.WITH.Letters",
    "1." * 35,
    "1.2/3/4",
    "/1.2/",
    "1.2%2F3",
    "100%",
    "1.2?x=1#y",
    "a b+c&d",
    "1.2;p=1",
    "Zürich 東京",
    "..%2f..",
    "quote\"'<b>",
    "no-uid-0123",
    "back\\slash",
    "X" * 128,
]


async def test_whatever_the_key_the_list_leads_to_its_page(service: Service) -> None:
    for key in KEYS:
        await service.judged(key, study_description=f"About {key}")
    links = page(await service.get("/")).rows()
    pages = [page(await service.get(f"/{link}")).text for link in links]
    assert len(pages) == len(KEYS)
    assert all(any(f" About {key} READY" in text for text in pages) for key in KEYS)
