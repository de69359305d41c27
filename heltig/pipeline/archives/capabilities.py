"""What a probe found out about an archive, told to the person who looks after it."""

from collections.abc import Iterator
from typing import Final

from connectors.base import Capabilities

SKEW_SECONDS: Final = 60
"""A clock that is less off is right."""

_LEVELS: Final = {
    "study": "a study at a time",
    "series": "a series at a time; studies as a whole are refused",
    "instance": "an instance at a time; more is refused",
    "none": "at no level: nothing can be judged",
}
_FEEDS: Final = {
    "orthanc": "Tells what changed, as Orthanc does (/changes).",
    "azure": "Tells what changed, as Azure's DICOM service does (/changefeed).",
    "dcm4chee": "Searches by when studies were received, as dcm4chee does.",
    "none": "Does not tell what changed: its studies are listed again and again.",
}

_UNKNOWN: Final = (
    "Whether its metadata has every attribute is not known yet: it is found out when there is a study to try."
)


def described(found: Capabilities) -> Iterator[str]:
    """What a probe found, in a sentence each."""
    yield from _searching(found)
    yield from _reading(found)
    if found.feed is not None:
        yield _FEEDS[found.feed]
    if found.gzip is False:
        yield "It does not compress its answers: gzip would make metadata many times smaller."
    if found.clock_skew is not None and abs(found.clock_skew) >= SKEW_SECONDS:
        side = "ahead of" if found.clock_skew > 0 else "behind"
        yield f"Its clock is {abs(found.clock_skew):,.0f} s {side} ours."
    yield from found.notes


def _searching(found: Capabilities) -> Iterator[str]:
    if found.offset is not None:
        yield "Pages with offset." if found.offset else "Ignores offset: only its first page can be listed."
    if found.page_cap is not None:
        told = "and says so" if found.warns else "without saying so"
        yield f"Gives {found.page_cap} rows a page at most, {told}."
    if found.filters is not None:
        yield "Searches by UID." if found.filters else "Ignores what is searched for, and gives every study."
    if found.empty_status is not None:
        yield f"A search that finds nothing is answered {found.empty_status}."
    if found.wildcard is False:
        yield "Does not search with wildcards."
    if found.percent_decoding is False:
        yield "Does not decode what is percent-encoded in a search: keys with other letters find nothing."
    if found.counts is not None:
        yield (
            "Counts the series and instances of a study."
            if found.counts
            else "Counts no instances: whether a study is complete is known from its list of series alone."
        )


def _reading(found: Capabilities) -> Iterator[str]:
    if found.metadata is not None:
        yield f"Gives metadata {_LEVELS[found.metadata]}."
    if found.all_attributes is not None:
        studies = "one study" if found.compared == 1 else f"{found.compared} studies"
        seen = f" (seen in {studies})" if found.compared else ""
        yield (
            f"Its metadata has every attribute{seen}."
            if found.all_attributes
            else f"Its metadata is a summary{seen}."
        )
    elif found.metadata is None and found != Capabilities():
        yield _UNKNOWN
    if found.bulk_data_root is not None:
        yield f"Its bulk data URIs lead to {found.bulk_data_root}, which is not its address."
