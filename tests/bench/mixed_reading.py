"""A client that asks for what there is to see, and looks at each answer."""

import json
import random
import time
from typing import Any, Final

from mixed_wire import Answer, CutError, Wire
from mixed_world import World

JSON_BODY: Final = {"Content_Type": "application/json"}


class WrongAnswerError(Exception):
    """An answer that is none of those that may come."""


class Reader:
    """Somebody who asks.

    Attributes:
        role: What they are.
        world: What they share with others.
        wire: Their connection.
    """

    def __init__(self, world: World, port: int, *, role: str, number: int, key: str) -> None:
        self.role = role
        self.world = world
        # Each has an address, and limits, of its own.
        source = f"127.0.{1 + number // 250}.{2 + number % 250}"
        self.wire = Wire(port, source=source, headers={"Authorization": f"Bearer {key}"} if key else {})
        self._change = self._audit = 0
        self._tags: dict[str, str] = {}

    async def ask(
        self,
        what: str,
        method: str,
        path: str,
        *due: int,
        body: bytes | None = None,
        is_work: bool = False,
        **headers: str,
    ) -> Answer:
        """Sends a request; the answer has one of these statuses, or is 429.

        Args:
            what: What it counts as.
            method: The method.
            path: The path.
            *due: Statuses.
            body: What is sent.
            is_work: The answer waits for a job: its time is not that of the service.
            **headers: More headers.
        """
        world, epoch, began = self.world, self.world.epoch, time.perf_counter()
        was_down = world.is_down  # the socket of a server that starts takes connections before it answers
        try:
            answer = await self.wire.ask(method, path, body, **headers)
        except CutError as error:
            if world.is_down or world.epoch != epoch:
                world.cuts += 1
                raise
            raise WrongAnswerError(f"{method} {path.partition('?')[0]} was cut: {error}") from error
        if not (was_down or world.is_down or world.epoch != epoch):
            world.times[f"{what}, judged" if is_work else what].append(time.perf_counter() - began)
        world.statuses[what, answer.status] += 1
        if answer.status == 503 and (world.is_down or world.epoch != epoch):
            world.cuts += 1
            raise CutError("503")
        if answer.status not in (*due, 429):
            raise WrongAnswerError(f"{method} {path}: {answer.status} {answer.body[:300]!r}")
        return answer

    async def look_up(self) -> None:
        study = self.world.study()
        headers = {"If_None_Match": self._tags[study]} if study in self._tags else {}
        found = await self.ask("look-up", "GET", f"/dicom-web/studies/{study}/readiness", 200, 304, **headers)
        if found.status == 200:
            insist(found.json()["0020000D"]["Value"] == [study], "another study")
            if len(self._tags) < 50:
                self._tags[study] = found.headers["etag"]

    async def look_up_unknown(self) -> None:
        await self.ask("look-up", "GET", f"/dicom-web/studies/1.2.3.{random.getrandbits(60)}/readiness", 404)

    async def consult(self) -> None:
        found = await self.ask("consult", "GET", f"/consult/studies/{self.world.study()}", 200)
        insist(found.body.startswith(b"verdict="), "no verdict")

    async def bulk(self) -> None:
        wanted = [self.world.study() for _ in range(100)]
        body = str(wanted).replace("'", '"').encode()
        found = await self.ask(
            "bulk of 100", "POST", "/dicom-web/studies/readiness", 200, body=body, **JSON_BODY
        )
        insist([one["0020000D"]["Value"][0] for one in found.json()] == wanted, "other studies")

    async def search(self) -> None:
        queries = ["limit=25", f"PatientID=P{random.randrange(300):07}", "PatientName=Person1*&limit=20"]
        queries += [f"StudyDate=2015{random.randrange(1, 13):02}01-20160101&limit=50&offset=10"]
        found = await self.ask(
            "search", "GET", f"/dicom-web/studies?{random.choice(queries)}", 200, Accept="application/json"
        )
        insist(isinstance(found.json(), list), "no list")

    async def metadata(self) -> None:
        found = await self.ask(
            "metadata", "GET", f"/dicom-web/studies/{self.world.study()}/metadata", 200, 304
        )
        insist(len(found.json()) >= 1, "no instance")

    async def changes(self) -> None:
        found = await self.ask(
            "change feed", "GET", f"/dicom-web/changefeed?since={self._change}&limit=100", 200
        )
        following = found.json()["next"]
        insist(following >= self._change, "the feed went back")
        self._change = following

    async def findings(self) -> None:
        await self.ask("findings", "GET", f"/api/v1/studies/{self.world.study()}/findings", 200)

    async def worklist(self) -> None:
        query = random.choice(["", "?readiness=BLOCKED", "?readiness=READY", "?patient=Person1"])
        found = await self.ask("worklist page", "GET", f"/{query}", 200)
        insist(b"</html>" in found.body, "half a page")

    async def study_page(self) -> None:
        found = await self.ask("study page", "GET", f"/studies/{self.world.study()}", 200)
        insist(b"</html>" in found.body, "half a page")

    async def archives_page(self) -> None:
        found = await self.ask("archives page", "GET", "/archives", 200)
        insist(b"</html>" in found.body, "half a page")

    async def rules(self) -> None:
        await self.ask("rules", "GET", "/api/v1/rules", 200, 304)

    async def status(self) -> None:
        path = random.choice(
            ["/api/v1/status", "/api/v1/alerts", "/api/v1/archives", "/api/v1/jobs?limit=20"]
        )
        await self.ask("status", "GET", path, 200)

    async def metrics(self) -> None:
        found = await self.ask("metrics", "GET", "/metrics", 200)
        insist(b"heltig_" in found.body, "no metrics")

    async def audit(self) -> None:
        found = await self.ask("audit", "GET", f"/api/v1/audit?after={self._audit}&limit=200", 200)
        items = found.json()["items"]
        numbers = [one["sequence"] for one in items]
        insist(numbers == sorted(set(numbers)), "entries out of order")
        self._audit = numbers[-1] if numbers else 0


def insist(is_so: bool, otherwise: str) -> None:
    """Says what is wrong with an answer, unless it is so."""
    if not is_so:
        raise WrongAnswerError(otherwise)


def encoded(value: Any) -> bytes:
    """A value as a JSON body."""
    return json.dumps(value).encode()
