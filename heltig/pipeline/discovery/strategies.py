"""Which strategies an archive is watched by."""

from datetime import date, timedelta

from connectors.base import FeedKind
from connectors.dicomweb.feeds import feed_of
from heltig.pipeline.archives.opened import Opened
from heltig.pipeline.discovery.batch import Strategy
from heltig.pipeline.discovery.fed import Fed
from heltig.pipeline.discovery.listed import ColdSweep, Window
from heltig.pipeline.discovery.lister import Lister


def strategies_for(opened: Opened, *, today: date) -> list[Strategy]:
    """The strategies by which an archive is watched, as it is configured and as it was probed.

    Every archive that is watched has a cold sweep, since no feed tells of everything.

    Args:
        opened: The archive.
        today: By our clock; a strategy goes by the archive's too, where that says what time it is.
    """
    options, archive = opened.options, opened.archive
    kind = _feed_kind(opened)
    if options.strategy == "none":
        return []
    poll = timedelta(seconds=options.poll_seconds)
    found: list[Strategy] = []
    if kind:
        feed = feed_of(kind, opened.dicomweb, root=opened.capabilities.feed_root)
        found.append(Fed(opened.guarded(feed), every=poll))
    if kind in (None, "dcm4chee"):  # whose feed does not tell of late instances
        hot_days = max(1, options.hot_days)  # its yesterday may be our today
        may_not_count = opened.capabilities.counts is not True  # only rows without counts are marked
        found += [
            Window(
                archive,
                Lister(archive),
                name="hot",
                every=poll,
                today=today,
                days=(hot_days, -1),
                marks=may_not_count,
            ),
            Window(
                archive,
                Lister(archive),
                name="warm",
                every=timedelta(minutes=options.warm_minutes),
                today=today,
                days=(max(options.warm_days, hot_days), hot_days),
            ),
        ]
    return [*found, ColdSweep(archive, Lister(archive), every=timedelta(hours=options.cold_hours))]


def _feed_kind(opened: Opened) -> FeedKind | None:
    chosen = opened.capabilities.feed if opened.options.strategy == "auto" else opened.options.strategy
    return chosen if chosen in ("orthanc", "azure", "dcm4chee") else None
