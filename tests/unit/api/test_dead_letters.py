"""Jobs that ended badly over REST: seen, tried again, or let be."""

from datetime import timedelta

from unit.api.service import LATER, Service

from heltig.store import claims, leases
from heltig.store.jobs import NewJob
from heltig.store.transaction import WriteTransaction


async def dead_job(service: Service, *errors: str, kind: str = "made-up") -> int:
    """A job that was tried as often as there are errors; no runner of the service has its kind."""
    store, queue = service.services.store, service.services.queue

    def die(transaction: WriteTransaction) -> int:
        number = queue.enqueue(transaction, NewJob(kind=kind, key="k", group="archive:main"))
        for n, error in enumerate(errors, start=1):
            until = LATER + timedelta(minutes=1)
            claims.claim(transaction, kinds=[kind], owner="me", now=LATER, until=until)
            if n == len(errors):
                leases.give_up(transaction, number, owner="me", state="dead", error=error, now=LATER)
            else:
                leases.put_back(transaction, number, owner="me", not_before=None, error=error)
        return number

    return await store.write(die)


async def test_dead_jobs_are_listed_with_their_first_and_last_error(service: Service) -> None:
    number = await dead_job(service, "Archive main does not answer.", "Archive main answers 500.")
    [job] = (await service.get("/api/v1/jobs?state=dead")).json()["items"]
    assert (job["id"], job["attempts"], job["group"]) == (number, 2, "archive:main")
    assert (job["firstError"], job["error"]) == ("Archive main does not answer.", "Archive main answers 500.")
    assert (await service.get("/api/v1/jobs?state=dead&group=archive:other")).json()["items"] == []


async def test_a_dead_job_is_tried_again(service: Service) -> None:
    number = await dead_job(service, "no")
    answer = await service.post(f"/api/v1/jobs/{number}/retry")
    assert (answer.status_code, answer.json()["state"], answer.json()["attempts"]) == (200, "queued", 0)
    [entry] = await service.audit("job.retry")
    assert (entry.actor, entry.subject, entry.detail) == (
        "local",
        f"job {number}",
        {"kind": "made-up", "attempts": 1, "error": "no"},
    )
    again = await service.post(f"/api/v1/jobs/{number}/retry")
    assert (again.status_code, "queued" in again.json()["detail"]) == (409, True)
    assert len(await service.audit("job.retry")) == 1


async def test_a_retried_job_is_rung_for(service: Service) -> None:
    rung: list[str] = []
    number = await dead_job(service, "no")
    service.services.queue.on_work(rung.append)
    await service.post(f"/api/v1/jobs/{number}/retry")
    assert rung == ["made-up"]


async def test_a_dead_job_is_let_be(service: Service) -> None:
    number = await dead_job(service, "no")
    answer = await service.post(f"/api/v1/jobs/{number}/discard")
    assert (answer.status_code, answer.json()["state"], answer.json()["error"]) == (200, "cancelled", "no")
    assert (await service.get("/api/v1/jobs?state=dead")).json()["items"] == []
    assert [entry.subject for entry in await service.audit("job.discard")] == [f"job {number}"]
    assert (await service.post(f"/api/v1/jobs/{number}/discard")).status_code == 409
    assert (await service.post(f"/api/v1/jobs/{number}/retry")).json()["state"] == "queued"


async def test_another_that_does_the_same_is_not_doubled(service: Service) -> None:
    number = await dead_job(service, "no")
    await service.services.store.write(service.services.queue.enqueue, NewJob(kind="made-up", key="k"))
    answer = await service.post(f"/api/v1/jobs/{number}/retry")
    assert (answer.status_code, "does already" in answer.json()["detail"]) == (409, True)


async def test_a_job_that_is_not_there_is_not_found(service: Service) -> None:
    for number in (0, 999, 2**62):
        for what in ("retry", "discard"):
            assert (await service.post(f"/api/v1/jobs/{number}/{what}")).status_code == 404


async def test_only_operators_decide(guarded: Service) -> None:
    number = await dead_job(guarded, "no")
    for role, status in (("reader", 403), ("auditor", 403), ("qa_operator", 200)):
        key = await guarded.key(role)  # type: ignore[arg-type]
        answer = await guarded.post(f"/api/v1/jobs/{number}/discard", headers=key)
        assert answer.status_code == status
