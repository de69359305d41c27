"""The peer: the usual way to check metadata, with a pydicom `Dataset` an instance.

It does less than Heltig's rules do. pydicom checks each value against its VR while it reads; beside that,
each attribute is read once for each rule of the catalogue that reads it, and its distinct texts are
collected. What a rule would make of them is not counted.
"""

import json
import warnings
from collections.abc import Iterable, Iterator

from pydicom import Dataset

from heltig.rules.catalogue import catalogue

_READS = [keyword for rule in catalogue().values() for keyword in rule.reads]


def read_json(texts: Iterable[bytes]) -> Iterator[Dataset]:
    """DICOM JSON instances as data sets; a value that pydicom refuses costs the instance."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for text in texts:
            try:
                yield Dataset.from_json(json.loads(text), bulk_data_uri_handler=lambda *_: None)
            except (ValueError, TypeError, KeyError):
                yield Dataset()


def check(data_sets: Iterable[Dataset]) -> None:
    """Read from the data sets of a study what the rules read."""
    seen: dict[str, set[str]] = {keyword: set() for keyword in _READS}
    for data_set in data_sets:
        for keyword in _READS:
            value = data_set.get(keyword)
            if value is not None:
                seen[keyword].add(str(value))
