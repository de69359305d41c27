"""Which strategies an archive is watched by."""

from datetime import date, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from connectors.base import Capabilities
from heltig.pipeline.discovery.strategies import strategies_for
from heltig.store.archives import ArchiveOptions


def opened(strategy: str, capabilities: Capabilities, **options: Any) -> Any:
    dicomweb = SimpleNamespace(search_root="http://archive/dicom-web", feed_root=None)
    return SimpleNamespace(
        options=ArchiveOptions(strategy=strategy, **options),  # type: ignore[arg-type]
        capabilities=capabilities,
        archive=dicomweb,
        dicomweb=dicomweb,
        guarded=lambda feed: feed,
    )


@pytest.mark.parametrize(
    ("strategy", "feed", "names"),
    [
        ("none", "orthanc", []),
        ("auto", None, ["hot", "warm", "cold"]),
        ("auto", "none", ["hot", "warm", "cold"]),
        ("auto", "orthanc", ["feed", "cold"]),
        ("auto", "azure", ["feed", "cold"]),
        ("auto", "dcm4chee", ["feed", "hot", "warm", "cold"]),
        ("listing", "orthanc", ["hot", "warm", "cold"]),
        ("azure", "orthanc", ["feed", "cold"]),
    ],
)
def test_it_is_as_configured_and_as_probed(strategy: str, feed: Any, names: list[str]) -> None:
    found = strategies_for(opened(strategy, Capabilities(feed=feed)), today=date(2026, 3, 15))
    assert [one.name for one in found] == names


def test_each_has_its_own_pace() -> None:
    archive = opened("dcm4chee", Capabilities(), poll_seconds=30.0, warm_minutes=10.0, cold_hours=12.0)
    assert {one.name: one.every for one in strategies_for(archive, today=date(2026, 3, 15))} == {
        "feed": timedelta(seconds=30),
        "hot": timedelta(seconds=30),
        "warm": timedelta(minutes=10),
        "cold": timedelta(hours=12),
    }
