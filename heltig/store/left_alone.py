"""Which studies nothing purges of itself."""

from typing import Final

from sqlalchemy import and_, bindparam, exists, not_, or_

from heltig.store.studies import RANKS
from heltig.store.tables import gate_studies, locations, objects, studies, waivers

IN_CUSTODY: Final = or_(
    exists()
    .where(
        gate_studies.c.study_row == studies.c.id,
        or_(gate_studies.c.quarantined.is_not(None), gate_studies.c.due.is_not(None)),
    )
    .correlate(studies),
    exists().where(objects.c.study_row == studies.c.id, objects.c.file.is_not(None)).correlate(studies),
)
"""A gate has something of the study that nobody else may have, or is still to judge it."""

_HAS_WAIVER = or_(
    studies.c.valid_until.is_not(None),
    exists()
    .where(
        locations.c.id == studies.c.location_row,
        waivers.c.study_key == studies.c.study_key,
        or_(waivers.c.location.is_(None), waivers.c.location == locations.c.kind + ":" + locations.c.name),
        waivers.c.revoked.is_(None),
        waivers.c.expires > bindparam("now", type_=waivers.c.expires.type),
    )
    .correlate(studies),
)
_IS_LONG_GONE = and_(
    studies.c.state == "WITHDRAWN",
    studies.c.changed < bindparam("withdrawn_before", type_=studies.c.changed.type),
)
IS_LEFT_ALONE: Final = or_(
    studies.c.state == "PENDING",
    _HAS_WAIVER,
    and_(
        studies.c.rank > RANKS["READY"],
        not_(_IS_LONG_GONE),
    ),
    IN_CUSTODY,
)
"""Whether a study is not touched, whatever its age. Parameters: `now`, `withdrawn_before`.

It is under review while its last verdict is NEEDS_REVIEW or BLOCKED, unless it is gone from its archive for
longer than such studies are kept."""
