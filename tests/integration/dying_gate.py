"""`heltig`, killed (SIGKILL, by itself) at a stage of a gate's work.

`HELTIG_TEST_DIES` names a file that has the stage; as long as it is empty, nothing is killed. A stage is
`before NAME` or `after NAME`: of a transaction, by the name of its function, or of a function of the gate
that changes what is outside the database.
"""

import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from heltig.cli import main
from heltig.pipeline.gate import upstream as gate_upstream
from heltig.pipeline.gate.intake import Intake
from heltig.pipeline.gate.intake_files import IntakeFolder
from heltig.pipeline.gate.spool import GateSpool
from heltig.store.engine import Store

STAGE = Path(os.environ["HELTIG_TEST_DIES"])


def die(stage: str) -> None:
    if stage == STAGE.read_text():
        os.kill(os.getpid(), signal.SIGKILL)


def dying(name: str, work: Callable[..., Any]) -> Callable[..., Any]:
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        die(f"before {name}")
        result = work(*args, **kwargs)
        die(f"after {name}")
        return result

    return wrapped


def dying_later(name: str, work: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    async def wrapped(*args: Any, **kwargs: Any) -> Any:
        die(f"before {name}")
        result = await work(*args, **kwargs)
        die(f"after {name}")
        return result

    return wrapped


def install() -> None:
    write: Any = Store._write

    async def writing(store: Store, work: Any, durable: bool, *args: Any, **kwargs: Any) -> Any:
        name = getattr(work, "func", work).__name__
        return await dying_later(name, write)(store, work, durable, *args, **kwargs)

    changed: Any = Store
    changed._write = writing
    spool: Any = GateSpool
    spool.sync = dying("sync", GateSpool.sync)
    spool.remove = dying("remove", GateSpool.remove)
    intake: Any = Intake
    folder: Any = IntakeFolder
    folder.keep = dying("keep", IntakeFolder.keep)
    intake.enter = dying("enter", Intake.enter)
    upstream: Any = gate_upstream
    upstream.store = dying_later("store", gate_upstream.store)


if __name__ == "__main__":
    install()
    main()
