"""Addresses below an archive's roots: UIDs as segments of a path, matching keys as a query.

A UID is asked for as the archive wrote it, however broken. It is quoted before it becomes part of an address,
so that it stays one segment; the few that no quoting keeps apart from the path are refused.
"""

from collections.abc import Mapping
from urllib.parse import quote

from heltig.errors import ArchiveAddressError

LONGEST_UID = 1024
"""Characters of a UID that is asked for. PS3.5 9.1 allows 64; servers refuse addresses of some thousand."""


def search_address(
    root: str, parameters: Mapping[str, str], *, study: str | None = None, series: str | None = None
) -> str:
    """The address of a QIDO-RS search (PS3.18 10.6): for studies, the series of one, the instances of one.

    Args:
        root: Of the archive's QIDO-RS.
        parameters: Keywords or tags, and `limit` and the like.
        study: Study Instance UID.
        series: Series Instance UID.

    Raises:
        ArchiveAddressError: A UID cannot be part of an address.
    """
    below = "studies" if study is None else "series" if series is None else "instances"
    place = _resource(root, study, series)
    # Orthanc does not decode `*` and `,` that are quoted, and they may stand as they are (RFC 3986, 3.4).
    query = "&".join(f"{quote(key, safe='')}={quote(value, safe='*,')}" for key, value in parameters.items())
    return f"{place}/{below}?{query}"


def metadata_address(root: str, study: str, series: str | None = None, instance: str | None = None) -> str:
    """The address of the WADO-RS metadata (PS3.18 10.4.1.1.2) of a study, series or instance.

    Raises:
        ArchiveAddressError: A UID cannot be part of an address.
    """
    return _resource(root, study, series, instance) + "/metadata"


def series_address(root: str, study: str, series: str) -> str:
    """The address of all instances of a series (PS3.18 10.4.1.1.1).

    Raises:
        ArchiveAddressError: A UID cannot be part of an address.
    """
    return _resource(root, study, series)


def instance_address(root: str, study: str, series: str, instance: str) -> str:
    """The address of an instance itself (PS3.18 10.4.1.1.1).

    Raises:
        ArchiveAddressError: A UID cannot be part of an address.
    """
    return _resource(root, study, series, instance)


def _resource(
    root: str, study: str | None = None, series: str | None = None, instance: str | None = None
) -> str:
    from dicomweb_client.uri import URI  # brings numpy, pydicom and requests: half a second

    return str(
        URI(
            root.rstrip("/"),
            study_instance_uid=None if study is None else _segment(study),
            series_instance_uid=None if series is None else _segment(series),
            sop_instance_uid=None if instance is None else _segment(instance),
            permissive=True,  # the strict kind knows only UIDs that are right
        )
    )


def _segment(uid: str) -> str:
    """A UID as one segment of a path.

    Dots between slashes are refused though the slashes are quoted: servers and proxies that unquote a path
    before they tidy it would answer with something else.
    """
    if not uid:
        problem = "is empty"
    elif len(uid) > LONGEST_UID:
        problem = f"has {len(uid)} characters"
    elif not uid.isprintable():
        problem = "has characters that are no text"
    elif not {".", ".."}.isdisjoint(uid.replace("\\", "/").split("/")):
        problem = "leads to another address"
    else:
        return quote(uid, safe="")
    raise ArchiveAddressError(f"A UID that {problem} cannot be asked for. Have the archive correct it.")
