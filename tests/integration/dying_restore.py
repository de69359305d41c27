"""`heltig`, killed or interrupted by itself at a step of a restoration that `HELTIG_TEST_DIES` names."""

import os
import shutil
import signal
from collections.abc import Callable
from typing import IO, Any, NoReturn

from heltig.cli import main
from heltig.pipeline.backup import restoring
from heltig.store import backup

STEP = os.environ["HELTIG_TEST_DIES"]


def die() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def half_a_file(source: IO[bytes], target: IO[bytes], size: int) -> None:
    target.write(source.read(100))
    target.flush()
    die()


def before(work: Callable[..., Any]) -> Callable[..., Any]:
    def dying(*args: Any, **kwargs: Any) -> Any:
        die()

    return dying


def interrupting(work: Callable[..., Any]) -> Callable[..., Any]:
    """Ctrl-C, which a thread knows nothing of: it goes on."""

    def going_on(*args: Any, **kwargs: Any) -> Any:
        os.kill(os.getpid(), signal.SIGINT)
        work(*args, **kwargs)

    return going_on


changed: Any = {"restoring": restoring, "backup": backup, "shutil": shutil}
match STEP:
    case "in the middle of a file":
        changed["shutil"].copyfileobj = half_a_file
    case "when some rows are there":
        changed["backup"]._set_counters = before(backup._set_counters)
    case "interrupted when some rows are there":
        changed["backup"]._set_counters = interrupting(backup._set_counters)
    case "before it is recorded":
        changed["restoring"].open_trail = before(restoring.open_trail)

if __name__ == "__main__":
    main()
