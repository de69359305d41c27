"""An alert as it is told: by REST, on the command line, to webhooks. It holds no patient data."""

from datetime import datetime
from typing import Literal

import msgspec

from heltig.store.alert_kinds import AlertKind
from heltig.store.alerts import Alert


class AlertView(msgspec.Struct, frozen=True, kw_only=True):
    """Something that those who run the service have to know.

    Attributes:
        id: Its number; later ones have higher numbers.
        kind: What kind of thing.
        subject: Of what.
        location: The archive or gate that it is of, as `archive:NAME`, `gate:NAME`; null where it is of none.
        detail: In a sentence.
        raised: Since when.
        ended: Until when; null while it stands.
    """

    id: int
    kind: AlertKind
    subject: str
    location: str | None
    detail: str
    raised: datetime
    ended: datetime | None


def alert_view(alert: Alert, *, edge: Literal["alert.raised", "alert.ended"] | None = None) -> AlertView:
    """An alert as it is told.

    Args:
        alert: The alert.
        edge: As it stood when it was raised, or ended; as it stands now by default.
    """
    return AlertView(
        id=alert.id,
        kind=alert.kind,
        subject=alert.subject,
        location=alert.location,
        detail=alert.detail,
        raised=alert.raised,
        ended=None if edge == "alert.raised" else alert.ended,
    )
