"""Every benchmark, one after the other, each in a process of its own: `python tests/bench/all.py`.

Prints Markdown. A benchmark whose peer or input is not on this machine says so, and the others go on.
"""

import subprocess
import sys
import time
from pathlib import Path

SCRIPTS = ("json_reading", "part10_reading", "checking", "memory", "pulling")


def main() -> None:
    failed = []
    for name in SCRIPTS:
        start = time.monotonic()
        print(f"\n## {name}\n", flush=True)
        ran = subprocess.run([sys.executable, Path(__file__).with_name(f"{name}.py")])
        print(f"\n{time.monotonic() - start:.0f} s", flush=True)
        if ran.returncode:
            failed.append(name)
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
