"""A change of how a study stands, as it is told: in the change feed, by the stream, to webhooks."""

from datetime import datetime

import msgspec

from heltig.store.changes import Change
from heltig.store.records import StudyState
from heltig.verdict import Readiness


class ChangeView(
    msgspec.Struct, frozen=True, kw_only=True, rename={"study_instance_uid": "studyInstanceUID"}
):
    """A verdict that was given, or another change of how a study stands.

    Attributes:
        sequence: Its place in the feed: 1, 2, 3 and so on.
        at: When it was made, by the clock of the process that made it.
        study_instance_uid: As its instances have it; null where they have none.
        key: What the study is asked for by.
        location: Where the study is: `archive:NAME`, `gate:NAME`, `upload:NAME`.
        state: PENDING, JUDGED or WITHDRAWN, then.
        readiness: The verdict; null where none stood.
        revision: Of the verdict.
        verdict: The id of the verdict.
    """

    sequence: int
    at: datetime
    study_instance_uid: str | None
    key: str
    location: str
    state: StudyState
    readiness: Readiness | None
    revision: int
    verdict: str | None


def view_of(change: Change) -> ChangeView:
    """A change as it is told."""
    return ChangeView(
        sequence=change.sequence,
        at=change.at,
        study_instance_uid=change.study_uid,
        key=change.study_key,
        location=str(change.location),
        state=change.state,
        readiness=change.readiness if change.state == "JUDGED" else None,
        revision=change.revision,
        verdict=change.verdict_id,
    )
