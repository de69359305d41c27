"""The pages of jobs, asked of the real application."""

from unit.api.service import Service
from unit.dashboard.reading import page
from unit.store import pulling

from heltig.store import jobs, tables
from heltig.store.transaction import WriteTransaction

OURS = {"Sec-Fetch-Site": "same-origin"}


async def dead(service: Service, *, state: str = "dead", error: str = "It answers <500>.") -> int:
    await pulling.put_job(service.services.store, "made-up", "main", state=state)
    [job] = await service.services.store.read(jobs.newest, limit=1)

    def change(transaction: WriteTransaction) -> None:
        values = {"error": error, "attempts": 4}
        statement = tables.jobs.update().where(tables.jobs.c.id == job.id).values(values)
        transaction.connection.execute(statement)

    await service.services.store.write(change)
    return job.id


async def test_nothing_given_up_is_said(service: Service) -> None:
    assert "No job was given up" in page(await service.get("/jobs")).text
    assert "There is no such job" in page(await service.get("/jobs?show=running&kind=pull")).text
    assert "show: give one of bad, running" in page(await service.get("/jobs?show=nonsense"), 400).text


async def test_what_was_given_up_stands_there_with_why(service: Service) -> None:
    id = await dead(service)
    await pulling.put_job(service.services.store, "made-up", "other", state="cancelled")
    seen = page(await service.get("/jobs"))
    assert seen.rows() == [f"jobs/{id}"]
    for text in ("given up", "It answers <500>.", "archive:main", "Given up 1"):
        assert text in seen.text, text
    assert len(page(await service.get("/jobs?show=all")).rows()) >= 2
    assert page(await service.get("/jobs?group=archive:other")).rows() == []
    assert page(await service.get(f"/jobs?before={id}")).rows() == []


async def test_tried_again_after_one_question(service: Service) -> None:
    id = await dead(service)
    asked = page(await service.get(f"/jobs/{id}/retry"))
    assert asked.all("form", method="post")
    assert "It was tried 4 times and was given up" in asked.text
    answer = await service.post(f"/jobs/{id}/retry", headers=OURS)
    assert (answer.status_code, answer.headers["location"]) == (303, f"../{id}?done=retried")
    assert "Queued again" in page(await service.get(f"/jobs/{id}?done=retried")).text
    assert [entry.subject for entry in await service.audit("job.retry")] == [f"job {id}"]
    page(await service.post(f"/jobs/{id}/discard", headers=OURS), 409)
    for act in ("retry", "discard"):  # it waits: nothing is asked that would be refused
        page(await service.get(f"/jobs/{id}/{act}"), 409)


async def test_let_be_it_leaves_the_list(service: Service) -> None:
    id = await dead(service, state="failed")
    await service.post(f"/jobs/{id}/discard", headers=OURS)
    assert page(await service.get("/jobs")).rows() == []
    assert "let be" in page(await service.get(f"/jobs/{id}")).text
    assert len(await service.audit("job.discard")) == 1


async def test_forms_from_elsewhere_change_nothing(service: Service) -> None:
    id = await dead(service)
    for act in ("retry", "discard"):
        page(await service.post(f"/jobs/{id}/{act}", headers={"Sec-Fetch-Site": "cross-site"}), 403)
    assert page(await service.get("/jobs")).rows() == [f"jobs/{id}"]


async def test_no_such_job(service: Service) -> None:
    for path in ("/jobs/999", "/jobs/0", f"/jobs/{2**63}", "/jobs/999/retry"):
        page(await service.get(path), 404)


async def test_who_may_only_look_is_asked_nothing(guarded: Service) -> None:
    id = await dead(guarded)
    for role in ("reader", "auditor"):
        key = await guarded.key(role)  # type: ignore[arg-type]
        seen = page(await guarded.get("/jobs", headers=key))
        assert not [link for link in seen.all("a") if "retry" in str(link["href"])]
        page(await guarded.get(f"/jobs/{id}/retry", headers=key), 403)
        page(await guarded.post(f"/jobs/{id}/retry", headers={**key, **OURS}), 403)
