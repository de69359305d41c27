"""The state of an archive, and why it is in it."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final

import msgspec

from heltig.pipeline.archives.patience import is_paced
from heltig.pipeline.archives.probe_waits import PROBE
from heltig.pipeline.archives.probing import is_tried, last_capabilities
from heltig.pipeline.archives.status import ArchiveState
from heltig.pipeline.discovery.rounds import goes_on
from heltig.pipeline.profiles import profile_file
from heltig.store import cursors
from heltig.store.archives import Archive, ArchiveOptions
from heltig.store.breakers import Breaker
from heltig.store.jobs import JobState
from heltig.work_hours import WorkHours

NEWEST: Final = ("feed", "hot")
"""Strategies that see what is new, the better one first."""

_BEHIND: Final = 6
"""An archive is behind when it was not read for so many times its `pollSeconds`."""

_WAITED: Final = timedelta(minutes=10)
"""An archive is behind when studies of it are to be pulled for so long, and none is."""

_SLIP: Final = 5.0
"""So many seconds the clocks of our hosts may differ."""


class Pulls(msgspec.Struct, frozen=True, kw_only=True):
    """How the pulls from an archive stand.

    Attributes:
        slow: How many of those that are waited for long are in which state.
        wait_since: Since when one could be started, where none is at work.
    """

    slow: Mapping[JobState, int]
    wait_since: datetime | None


def state_of(
    entry: Archive,
    read: list[cursors.Cursor],
    breakers: list[Breaker],
    pulls: Pulls,
    now: datetime,
) -> tuple[ArchiveState, str]:
    """The state of an archive and, in a sentence, why. All by our own clock: the archive's may be off."""
    options = entry.options
    if entry.broken:
        return "failing", entry.broken
    if options.profile and profile_file(options.profile).problem() is not None:
        return "failing", (
            f"Its profile {options.profile} cannot be read: `heltig check --profile` on the server's host "
            "says why. Processes that read it before judge as it was; others leave its studies PENDING."
        )
    if entry.paused:
        return "paused", "It is paused: nothing is asked of it until it is resumed."
    if opens := WorkHours(options.hours, options.timezone).opens(now):
        return "resting", f"It may be asked again from {opens:%Y-%m-%d %H:%M} UTC on."
    probes = next((breaker for breaker in breakers if breaker.operation == PROBE), None)
    if probes is not None and not _is_tried(entry):
        return "failing", f"How it behaves could not be found out: {probes.error}{_next_probe(probes, now)}"
    open_ones = [one for one in breakers if one.state == "open" and one.operation != PROBE]
    if open_ones:
        which = ", ".join(breaker.operation for breaker in open_ones)
        return "stopped", f"It failed too often ({which}), and is left alone for a while."
    if options.strategy == "none":
        return "unwatched", "Nobody looks for new studies in it: its strategy is none."
    looked = newest(read)
    failed = [cursor for cursor in (looked, *read) if cursor and cursor.error]
    if failed and (looked is None or looked.error):  # perhaps it never answered, and no strategy is known yet
        return "failing", f"The last look at it failed: {failed[0].error}"
    if looked is None:
        return "unwatched", "It was never looked at for new studies."
    if looked.finished is None:
        return "behind", "The first look at it is still under way."
    since = (now - looked.finished).total_seconds()
    if since > _BEHIND * options.poll_seconds:
        return "behind", "It was last looked at longer ago than it should be."
    if since < -_SLIP:
        return "behind", "Nobody knows when it was last read: our clock was ahead then, or is behind now."
    if lists := [c for c in read if c.name != "feed" and c.started and goes_on(c.position, c.finished)]:
        return "behind", f"A list of its studies ({lists[0].name}) is long and goes on: not all is known."
    if pulls.wait_since is not None and now - pulls.wait_since >= _WAITED:
        return "behind", (
            f"Studies of it wait to be pulled since {pulls.wait_since:%Y-%m-%d %H:%M} UTC, and none is "
            "pulled: others have the places, or there is no worker."
        )
    if pulls.slow:
        return "slow", _slowly(pulls, options)
    return "current", "All that changed in it is known."


def _slowly(pulls: Pulls, options: ArchiveOptions) -> str:
    running = pulls.slow.get("running", 0)
    if not running:
        goes_on = "as many such studies are read as may be, and it is tried again when there is room"
    elif running < options.concurrency:
        goes_on = "it is read beside others, and keeps none waiting"
    else:
        goes_on = (
            "no other archive waits for it, but all else of this one does, as its concurrency is used up"
        )
    advice = (
        "Limits of ours make it slow (requestsPerSecond, bytesPerSecond): see whether they may be higher."
        if is_paced(options)
        else "Have its administrator see why metadata takes so long."
    )
    return f"A study of it has been waited for for more than a minute: {goes_on}. {advice}"


def _next_probe(wait: Breaker, now: datetime) -> str:
    if wait.state != "open" or wait.until is None or wait.until <= now:
        return " It is probed again now, or as soon as others have been."
    return f" It is probed again at {wait.until:%Y-%m-%d %H:%M} UTC, or by `heltig archives test`."


def _is_tried(entry: Archive) -> bool:
    known = last_capabilities(entry)
    return known is not None and is_tried(known)


def newest(read: Iterable[cursors.Cursor]) -> cursors.Cursor | None:
    """The cursor of the strategy that sees what is new."""
    known = {cursor.name: cursor for cursor in read}
    return next((known[name] for name in NEWEST if name in known), None)
