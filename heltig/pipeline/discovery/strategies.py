"""Which strategies an archive is watched by."""

from datetime import date

from heltig.pipeline.discovery.batch import Strategy
from heltig.pipeline.opened import Opened


def strategies_for(opened: Opened, *, today: date) -> list[Strategy]:
    """The strategies by which an archive is watched, as it is configured and as it was probed.

    Args:
        opened: The archive.
        today: By our clock; a strategy goes by the archive's, where that says what time it is.
    """
    return []
