"""Whether the voxels of a volume may show a face, which identifies a person as a photograph does."""

from typing import Final

from heltig.imaging.analysis import Analysis
from heltig.imaging.selection.policy import shipped
from heltig.imaging.selection.words import matching, tokens

_HEAD: Final = "head"
_NECK: Final = "neck"
"""Images of a neck go up to the mouth as a rule, and often beyond."""


def shows_head(analysis: Analysis) -> bool:
    """Tell whether there may be a head.

    There is none where its structures could have been found and were not. Where they could not, something
    has to say that it is another part of the body, and not the neck: structures of one, or words of the
    headers.
    """
    presence = {one.name: one.presence for one in analysis.results.regions}
    seen = {name for name, found in presence.items() if found in ("present", "partial")}
    named = _named(analysis)
    if analysis.order.target == "brain" or _HEAD in seen | named:
        return True
    return presence.get(_HEAD) != "absent" and (_NECK in named or not (seen | named) - {_NECK})


def _named(analysis: Analysis) -> set[str]:
    """The regions of the body that the series names."""
    technique = analysis.volume.technique
    said = (technique.body_part, technique.series_description, technique.protocol)
    words = tokens(" ".join(filter(None, said)))
    return {region for region, parts in shipped().body_parts.items() if matching(parts, words)}
