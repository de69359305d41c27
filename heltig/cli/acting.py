"""Who acts when a command does."""

import os
import sys


def user() -> str:
    """The operating system's name of whoever runs this process; their number where it has none."""
    if sys.platform == "win32":
        return os.environ.get("USERNAME", "")
    import pwd  # Windows has none

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())
