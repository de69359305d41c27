"""How long what is kept: the site's ages, and what is older now."""

from collections.abc import Mapping
from datetime import datetime

import msgspec

from heltig.setting_types import Days
from heltig.settings import Settings
from heltig.store.purging import KINDS, Ages, Kind


class Purged(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What of one kind was removed, or would be.

    Attributes:
        keep: Days that it is kept; 0 for ever.
        count: How many.
        size: About how many bytes.
    """

    keep: int
    count: int = 0
    size: int = 0


class PurgeReport(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What a purge removed, or would remove.

    Attributes:
        dry_run: Nothing was changed.
        at: Ages are counted from then.
        kinds: By kind.
    """

    dry_run: bool
    at: datetime
    kinds: dict[str, Purged]

    @property
    def count(self) -> int:
        """All of it."""
        return sum(kind.count for kind in self.kinds.values())


class Retention(msgspec.Struct, frozen=True):
    """How long each kind is kept, and the audit trail."""

    days: Mapping[Kind, Days]
    audit: Days

    @classmethod
    def of(cls, settings: Settings) -> "Retention":
        """That of a site."""
        return cls({kind: getattr(settings, f"keep_{kind}") for kind in KINDS}, settings.keep_audit)

    def ages(self, now: datetime) -> Ages:
        """From when on things are kept."""
        before = {kind: days.before(now) for kind, days in self.days.items()}
        return Ages(now, {kind: time for kind, time in before.items() if time is not None})

    def report(self, at: datetime, done: Mapping[str, tuple[int, int]], *, dry_run: bool) -> PurgeReport:
        """A report of numbers and sizes by kind."""
        kept = {**{str(kind): int(days) for kind, days in self.days.items()}, "audit": int(self.audit)}
        kinds = {
            kind: Purged(keep=keep, count=done.get(kind, (0, 0))[0], size=done.get(kind, (0, 0))[1])
            for kind, keep in kept.items()
        }
        return PurgeReport(dry_run=dry_run, at=at, kinds=kinds)
