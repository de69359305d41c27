"""Values that want to be markup stay text, wherever they are shown."""

from unit.api.service import Service
from unit.dashboard.reading import Page, page
from unit.store.samples import Location, finding, judge, series, snapshot

from heltig.store.packing import pack_series
from heltig.store.records import Patient

MARKS = [
    "<script>alert(1)</script>",
    "\"'><img src=x onerror=alert(1)>",
    "{{ 7 * 7 }}{% raw %}",
    "</title></style><svg onload=alert(1)>",
    "javascript:alert(1)",
    "\u202egnp.exe\u0007\u009b31m",
]


async def hostile(service: Service, mark: str) -> str:
    """A study that has the text everywhere that text can stand; returns its key."""
    key = f"1.2{mark}"
    blob = series(study=key)
    packed = pack_series(
        b"{}",
        series_key=f"{key}.1",
        series_uid=f"{key}.1",
        digest=blob.digest,
        sop_instance_uids=[mark],
        instances=1,
        modality=mark,
        series_number=mark,
        series_description=mark,
    )
    new = snapshot(
        [packed],
        study=key,
        location=Location("archive", f"main{mark}"),
        study_date=mark,
        study_time=mark,
        accession_number=mark,
        study_description=mark,
        study_id=mark,
        referring_physician_name=mark,
        modalities_in_study=(mark,),
        patients=(
            Patient(
                patient_id=mark,
                issuer_of_patient_id=mark,
                patient_name=mark,
                patient_birth_date=mark,
                patient_sex=mark,
                instances=1,
            ),
            Patient(patient_id="other", patient_name=mark),
        ),
    )
    found = finding(
        message=mark,
        observed=mark,
        expected=mark,
        instances=(mark,),
        remedy=mark,
        reference=mark,
        tags=(mark,),
    )
    await judge(service.services.store, new, found, readiness="BLOCKED")
    return key


def assert_harmless(seen: Page) -> None:
    assert [tag for tag, attributes in seen.tags if any(name.startswith("on") for name in attributes)] == []
    assert all(str(script["src"]).endswith(".js") for script in seen.all("script"))
    assert seen.all("img") == []
    assert not [link for link in seen.all("a") if str(link.get("href")).startswith("javascript")]


async def test_markup_in_every_attribute_stays_text(service: Service) -> None:
    for mark in MARKS:
        await hostile(service, mark)
    listed = page(await service.get("/"))
    assert_harmless(listed)
    texts = []
    for link in listed.rows():
        shown = page(await service.get(f"/{link}"))
        assert_harmless(shown)
        texts.append(shown.text)
    assert len(texts) == len(MARKS)
    assert all(any(mark in text for text in texts) for mark in MARKS)


async def test_markup_in_an_address_stays_text(service: Service) -> None:
    await service.judged("1.2")
    for mark in MARKS:
        for name in ("text", "rule", "modality"):
            assert_harmless(page(await service.get("/", params={name: mark})))
        for name in ("location", "readiness", "page"):
            assert_harmless(page(await service.get("/", params={name: mark}), 400))
        assert_harmless(page(await service.get("/studies/1.2", params={"revision": mark}), 400))
        assert_harmless(page(await service.get("/studies/1.2", params={"location": mark}), 404))


async def test_no_page_has_style_or_script_in_it(service: Service) -> None:
    await service.judged("1.2", finding(), readiness="BLOCKED")
    for path in ("/", "/?text=none", "/studies/1.2", "/studies/none"):
        answer = await service.get(path)
        seen = Page(answer.text)
        assert not seen.all("style")
        assert not [tag for tag, attributes in seen.tags if "style" in attributes]
        assert all("src" in script for script in seen.all("script"))
