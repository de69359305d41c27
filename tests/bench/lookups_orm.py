"""The same look-up in a usual service: FastAPI, SQLAlchemy's ORM, aiosqlite, over the same rows.

`HELTIG_TEST_BENCH_HOME` names the home. It is as quick as such a service can be: whoever holds a key is asked
once a second, as in ours, and the prepared bytes are sent as they stand, without a model of the answer.
"""

import hashlib
import os
import time
from pathlib import Path
from typing import Annotated

from fastapi import Depends, FastAPI, Header, HTTPException, Response
from sqlalchemy import event, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from heltig.pipeline.publish import MEDIA_TYPE, prepared

HOME = Path(os.environ["HELTIG_TEST_BENCH_HOME"])

engine = create_async_engine(f"sqlite+aiosqlite:///{HOME / 'heltig.db'}")
session_of = async_sessionmaker(engine, expire_on_commit=False)
known: dict[str, float] = {}
app = FastAPI()


@event.listens_for(engine.sync_engine, "connect")
def _as_ours(connection: object, _: object) -> None:
    connection.cursor().execute("PRAGMA query_only=ON")  # type: ignore[attr-defined]


class Base(DeclarativeBase):
    pass


class ApiKey(Base):
    __tablename__ = "api_keys"

    hash: Mapped[str] = mapped_column(primary_key=True)
    role: Mapped[str]


class Lookup(Base):
    __tablename__ = "lookups"

    study_row: Mapped[int] = mapped_column(primary_key=True)
    study_key: Mapped[str]
    location: Mapped[str]
    state: Mapped[str]
    readiness: Mapped[str | None]
    revision: Mapped[int]
    body: Mapped[bytes]


async def session() -> AsyncSession:  # type: ignore[misc]
    async with session_of() as opened:
        yield opened


Session = Annotated[AsyncSession, Depends(session)]


async def principal(opened: Session, authorization: Annotated[str, Header()]) -> str:
    hash = hashlib.sha256(authorization.removeprefix("Bearer ").encode()).hexdigest()
    if time.monotonic() - known.get(hash, -10.0) > 1:
        if (await opened.scalars(select(ApiKey).where(ApiKey.hash == hash))).first() is None:
            raise HTTPException(401)
        known[hash] = time.monotonic()
    return hash


@app.get("/dicom-web/studies/{study}/readiness")
async def readiness(study: str, opened: Session, _: Annotated[str, Depends(principal)]) -> Response:
    found = (await opened.scalars(select(Lookup).where(Lookup.study_key == study))).all()
    if not found:
        raise HTTPException(404)
    answer = prepared(found[0].body)
    headers = {"etag": f'"{answer.tag[:32]}"', "heltig-readiness": found[0].readiness or found[0].state}
    return Response(answer.dataset, media_type=MEDIA_TYPE, headers=headers)
