"""The page of uploads, asked of the real application."""

from unit.api.service import Service, study_zip
from unit.dashboard.reading import page, refused
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
    await pulling.add_archive(service.services.store, "main", title="Main PACS")
    no_zip, target = {"file": ("a.zip", b"no zip")}, {"target": "main"}
    wrong = await refused(service, "/uploads", headers=OURS, data=target, files=no_zip)
    assert "What was sent is not a ZIP" in wrong.text
    assert wrong.all("input", **{"aria-invalid": "true"})
    assert [option["value"] for option in wrong.all("option") if "selected" in option] == ["main"]
    assert "Send the ZIP as" in (await refused(service, "/uploads", headers=OURS, data={"a": "b"})).text
    sent = {"file": ("a.zip", study_zip("ct-chest"))}
    nowhere = await refused(service, "/uploads", headers=OURS, data={"target": "nowhere"}, files=sent)
    assert "There is no archive nowhere." in nowhere.text
    assert service.spooled() == []


async def test_only_from_our_own_page_and_by_who_may(guarded: Service) -> None:
    operator, reader = await guarded.key("qa_operator"), await guarded.key("reader")
    file = {"file": ("a.zip", b"no zip")}
    page(
        await guarded.post("/uploads", headers={**operator, "Sec-Fetch-Site": "cross-site"}, files=file), 403
    )
    page(await guarded.post("/uploads", headers={**reader, **OURS}, files=file), 403)
    page(await guarded.get("/uploads", headers=operator))
