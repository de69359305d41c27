"""Clients of every role: how many there are, what each of them does, and how often."""

import asyncio
import base64
import hashlib
import random
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Final, TypeAlias

from mixed_reading import JSON_BODY, Reader, WrongAnswerError, encoded, insist
from mixed_wire import CutError
from mixed_world import Upload, World

Action: TypeAlias = Callable[[], Awaitable[None]]

ROLES: Final = {
    "reader": 70,
    "archive": 45,
    "qa_operator": 30,
    "reviewer": 25,
    "admin": 10,
    "auditor": 10,
    "nobody": 10,
}
"""Of 200 clients."""


class Client(Reader):
    """Somebody who asks again and again, as their role does."""

    def __init__(self, world: World, port: int, *, role: str, number: int, key: str) -> None:
        super().__init__(world, port, role=role, number=number, key=key)
        self._waivers: list[int] = []
        self._doing = self._of_role()

    async def run(self) -> None:
        """Asks until it is over."""
        actions, weights = zip(*self._doing, strict=True)
        await asyncio.sleep(random.random() * (self.world.pause + 0.1))
        while not self.world.is_over:
            [action] = random.choices(actions, weights)
            try:
                await action()
            except CutError:
                await asyncio.sleep(0.2)
            except (WrongAnswerError, TimeoutError, ValueError, KeyError, LookupError) as error:
                self.world.wrong.append(f"{self.role} {action.__name__}: {type(error).__name__} {error}")
            if self.world.pause:
                await asyncio.sleep(random.expovariate(1 / self.world.pause))
        self.wire.close()

    async def give_waiver(self) -> None:
        study = self.world.study()
        found = (await self.ask("findings", "GET", f"/api/v1/studies/{study}/findings", 200)).json()
        chosen = [one for one in found["items"] if one.get("tags")]
        if not chosen:
            return
        one = random.choice(chosen)
        body = {
            "rule": one["rule"],
            "tags": one["tags"],
            "observed": one["observed"],
            "digest": one["digest"],
            "reason": "load",
            "expires": (datetime.now(UTC) + timedelta(days=1)).isoformat(),
            "study": study,
        }
        given = await self.ask("waiver", "POST", "/api/v1/waivers", 201, body=encoded(body), **JSON_BODY)
        if given.status == 201:
            self._waivers.append(given.json()["waiver"]["id"])

    async def revoke_waiver(self) -> None:
        if self._waivers:
            await self.ask("waiver", "DELETE", f"/api/v1/waivers/{self._waivers.pop()}", 200, 204)

    async def pull(self) -> None:
        body = encoded({"study": self.world.study()})
        await self.ask("pull", "POST", "/api/v1/archives/bench/pulls", 202, body=body, **JSON_BODY)

    async def look_up_and_pull(self) -> None:
        path = f"/dicom-web/studies/{self.world.study()}/readiness?pull=bench&wait=20"
        await self.ask("look-up with pull", "GET", path, 200, is_work=True)

    async def upload(self) -> None:
        await self._send(self.world.new_upload(), "/api/v1/jobs/upload", is_work=True)

    async def upload_async(self) -> None:
        await self._send(self.world.new_upload(), "/api/v1/jobs/upload/async")

    async def _send(self, new: Upload, path: str, *, is_work: bool = False) -> None:
        while not new.accepted:
            try:
                found = await self.ask(
                    "upload", "POST", path, 200, 201, 202,
                    body=new.package, is_work=is_work, Content_Type="application/zip",
                )  # fmt: skip
            except CutError:
                if self.world.is_over:
                    return
                await asyncio.sleep(0.3)  # as any client would it sends the same again
                continue
            if found.status == 429:
                return
            new.accepted = True

    async def upload_in_pieces(self) -> None:
        new = self.world.new_upload()
        digest = base64.b64encode(hashlib.sha256(new.package).hexdigest().encode()).decode()
        length = len(new.package)
        while not new.accepted and not self.world.is_over:
            try:
                if not new.place:
                    begun = await self.ask(
                        "upload in pieces", "POST", "/api/v1/uploads", 201,
                        Upload_Length=str(length), Upload_Metadata=f"sha256 {digest}",
                    )  # fmt: skip
                    if begun.status == 429:
                        return
                    new.place = begun.headers["location"]
                at = int((await self.ask("upload in pieces", "GET", new.place, 200)).headers["upload-offset"])
                insist(at >= new.offset, f"offset {at} after {new.offset} was acknowledged")
                while at < length and not self.world.is_over:
                    piece = new.package[at : at + random.randrange(1, length // 2)]
                    found = await self.ask(
                        "upload in pieces", "PATCH", new.place, 204,
                        body=piece, Upload_Offset=str(at), Content_Type="application/offset+octet-stream",
                    )  # fmt: skip
                    at = new.offset = int(found.headers["upload-offset"])
                new.accepted = at == length
            except CutError:
                await asyncio.sleep(0.3)

    async def what_is_not_allowed(self) -> None:
        routes = [("POST", "/api/v1/ops/purge"), ("GET", "/api/v1/webhooks"), ("GET", "/api/v1/audit")]
        method, path = random.choice(routes[:2] if self.role == "auditor" else routes)
        due = 401 if self.role == "nobody" else 403
        await self.ask("refusal", method, path, due, body=b"{}" if method == "POST" else None, **JSON_BODY)

    async def without_a_key(self) -> None:
        path = random.choice([f"/dicom-web/studies/{self.world.study()}/readiness", "/api/v1/studies"])
        await self.ask("no key", "GET", path, 401)

    async def with_a_wrong_key(self) -> None:
        wrong = f"Bearer hk_{random.getrandbits(200):x}"
        for _ in range(5):  # so often that there is a 429 in each minute
            await self.ask("wrong key", "GET", "/api/v1/studies", 401, Authorization=wrong)

    async def health(self) -> None:
        await self.ask("health", "GET", random.choice(["/health", "/health/ready"]), 200)

    def _of_role(self) -> list[tuple[Action, int]]:
        """What a role does, and how often."""
        reads: list[tuple[Action, int]] = [
            (self.look_up, 30), (self.bulk, 5), (self.search, 8), (self.metadata, 6), (self.changes, 6),
            (self.worklist, 8), (self.study_page, 10), (self.findings, 6), (self.archives_page, 2),
            (self.rules, 1), (self.status, 3), (self.look_up_unknown, 3),
        ]  # fmt: skip
        match self.role:
            case "reader":
                return [*reads, (self.what_is_not_allowed, 3)]
            case "reviewer":
                return [*reads, (self.give_waiver, 6), (self.revoke_waiver, 6), (self.what_is_not_allowed, 2)]
            case "qa_operator":
                return [
                    *reads, (self.upload, 6), (self.upload_async, 4), (self.upload_in_pieces, 6),
                    (self.pull, 6), (self.look_up_and_pull, 3), (self.what_is_not_allowed, 2),
                ]  # fmt: skip
            case "admin":
                return [*reads, (self.metrics, 5), (self.audit, 3), (self.upload_async, 2)]
            case "auditor":
                return [
                    (self.audit, 20), (self.rules, 3), (self.metrics, 3), (self.status, 5),
                    (self.what_is_not_allowed, 3),
                ]  # fmt: skip
            case "archive":
                return [(self.look_up, 60), (self.consult, 20), (self.bulk, 10), (self.changes, 5),
                        (self.search, 5), (self.what_is_not_allowed, 2)]  # fmt: skip
        return [(self.without_a_key, 5), (self.with_a_wrong_key, 5), (self.health, 3)]
