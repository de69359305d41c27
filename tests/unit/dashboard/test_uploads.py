"""The page of uploads, asked of the real application."""

from unit.api.service import Service, study_zip
from unit.dashboard.reading import page
from unit.store import pulling

from heltig.store import uploads_listed

OURS = {"Sec-Fetch-Site": "same-origin"}


async def test_nothing_uploaded_is_said(service: Service) -> None:
    seen = page(await service.get("/uploads"))
    assert "Nothing was uploaded yet" in seen.text
    assert seen.all("form", method="post", enctype="multipart/form-data")


async def test_a_zip_by_the_plain_form(service: Service) -> None:
    content = study_zip("ct-chest")
    await pulling.add_archive(service.services.store, "main", title="Main PACS")
    assert "Main PACS" in page(await service.get("/uploads")).text
    target = {"target": "main"}
    sent = {"file": ("Doe^Jane.zip", content)}
    answer = await service.post("/uploads", headers=OURS, data=target, files=sent)
    assert (answer.status_code, answer.headers["location"]) == (303, "uploads?done=taken")
    page(await service.get("/uploads?done=taken"))  # however far it is
    [one] = await service.services.store.read(uploads_listed.newest)
    assert one.upload.target == "main"
    job = await service.services.uploads.ended(one.upload.job, within=60)
    assert job.state == "succeeded"
    seen = page(await service.get("/uploads?done=taken"))
    assert seen.rows() == [f"./?location=upload:{one.upload.name}"]
    assert "1 READY 1 study" in seen.text
    assert "Doe" not in seen.text
    assert len(page(await service.get("/" + seen.rows()[0][2:])).rows()) == 1
    again = await service.post("/uploads", headers=OURS, data=target, files={"file": ("other.zip", content)})
    assert again.headers["location"] == "uploads?done=repeat"
    assert len(page(await service.get("/uploads")).rows()) == 1


async def test_what_is_wrong_is_said_on_the_page(service: Service) -> None:
    wrong = page(await service.post("/uploads", headers=OURS, files={"file": ("a.zip", b"no zip")}), 422)
    assert wrong.all("input", **{"aria-invalid": "true"})
    assert page(await service.post("/uploads", headers=OURS, files={}, data={"a": "b"}), 415)
    sent = {"file": ("a.zip", study_zip("ct-chest"))}
    nowhere = await service.post("/uploads", headers=OURS, data={"target": "nowhere"}, files=sent)
    assert "There is no archive nowhere." in page(nowhere, 404).text
    assert service.spooled() == []


async def test_only_from_our_own_page_and_by_who_may(guarded: Service) -> None:
    operator, reader = await guarded.key("qa_operator"), await guarded.key("reader")
    file = {"file": ("a.zip", b"no zip")}
    page(
        await guarded.post("/uploads", headers={**operator, "Sec-Fetch-Site": "cross-site"}, files=file), 403
    )
    page(await guarded.post("/uploads", headers={**reader, **OURS}, files=file), 403)
    page(await guarded.get("/uploads", headers=operator))
