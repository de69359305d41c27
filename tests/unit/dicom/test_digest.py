"""The content digest of instances that cannot be told apart by their UIDs."""

from itertools import permutations
from typing import Any

import msgspec
import pytest
from servers.dicomweb import instance

from heltig.dicom.digest import content_digest, series_digests
from heltig.dicom.json_stream import InstanceSplitter
from heltig.dicom.study import StudyTable

WAYS: dict[str, list[Any]] = {
    "numbers": [9, 10],
    "numbers with a point": [9.0, 10.0],
    "padded text": [" 9", "10"],
    "other text": ["9.0", "+10"],
}


def digest(instances: list[dict[str, Any]]) -> str:
    table = StudyTable("1.1", "1.1")
    splitter = InstanceSplitter()
    for dataset in [*splitter.feed(msgspec.json.encode(instances)), *splitter.close()]:
        table.add(dataset)
    table.arrange()
    return content_digest(series_digests(table))


def thick(written: Any, *, uid: str | None) -> dict[str, Any]:
    made = instance("1.1", "1.1.1", uid or "1.1.1.1")
    if uid is None:
        del made["00080018"]
    return dict(sorted((made | {"00180050": {"vr": "DS", "Value": [written]}}).items()))


@pytest.mark.parametrize("uid", ["1.1.1.1", None])
@pytest.mark.parametrize("others", [0, 2])
def test_instances_of_one_uid_are_the_same_however_they_are_written(uid: str | None, others: int) -> None:
    more = [instance("1.1", "1.1.1", f"1.1.1.{n}", number=n) for n in range(8, 8 + others)]
    made = {
        digest(list(order))
        for written in WAYS.values()
        for order in permutations([*(thick(one, uid=uid) for one in written), *more])
    }
    assert len(made) == 1
    assert digest([*(thick(one, uid=uid) for one in (9, 11)), *more]) not in made
