"""Which wrong values pass unnoticed, for every SOP Class: `python tests/bench/conformance_values.py`.

Prints the account of docs/conformance.md ("Values"). Of each SOP Class one object is made as
`conformance_mutations.py` does. Each of its CS attributes, at every depth, is given values that no list has.
Where Heltig has nothing to say, dciodvfy (dicom3tools) is asked: if it says that an enumerated value is not
one, the mutation is *silent*. Names or UIDs of SOP Classes as arguments keep it to these.
"""

import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from pathlib import Path

from conformance_mutations import DCIODVFY, LEFT_ALONE, Data, Place, objections, whole, written

from heltig.rules.conformance_owners import NOT_OF_VAL_ENUM, VALUES_REPORTED_ELSEWHERE
from heltig.standard.dictionary import keyword_of
from heltig.standard.iods import Iod, iod_of
from heltig.standard.iods import sop_classes as known_classes
from heltig.standard.terms import defined_terms, enumerated

WRONG = "ZZZ"
REFUSED = f"Error - Unrecognized enumerated value <{WRONG}>"


def places(data: Data, above: Place = ()) -> Iterator[Place]:
    """The CS attributes that have a value."""
    for tag, element in data.items():
        if element["vr"] == "CS" and element.get("Value") and tag not in LEFT_ALONE:
            yield (*above, tag)
        for number, item in enumerate(element.get("Value", []) if element["vr"] == "SQ" else []):
            yield from places(item, (*above, tag, number))


def mutated(data: Data, place: Place) -> Data:
    """An object whose attribute has values of no list."""
    changed = deepcopy(data)
    inner = changed
    for step in place:
        inner = inner["Value"][step] if isinstance(step, int) else inner[step]
    inner["Value"] = [WRONG] * len(inner["Value"])
    return changed


def noticed(iod: Iod, data: Data, place: Place) -> bool:
    """Some rule of ours says that the value is wrong."""
    tag, path = str(place[-1]), tuple(step for step in place if isinstance(step, str))
    keyword = keyword_of(tag)
    if tag not in NOT_OF_VAL_ENUM and enumerated(keyword) is not None:
        return True  # VAL-ENUM
    if tag in VALUES_REPORTED_ELSEWHERE or (len(path) == 1 and defined_terms(keyword) is not None):
        return True  # among them VAL-DEFTERM
    return any(one.rule == "IOD-ENUM" and one.path == path for one in objections(iod, data))


def refused(path: Path) -> bool:
    """Whether dciodvfy says that a value is not among the enumerated ones."""
    done = subprocess.run([DCIODVFY, path], capture_output=True, check=False, timeout=60)
    return REFUSED in done.stderr.decode("utf-8", "replace")


def main() -> None:
    """Measure all SOP Classes, or those named."""
    wanted = set(sys.argv[1:])
    tried, unnoticed = 0, 0
    silent: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(os.cpu_count()) as pool:
        for uid in known_classes():
            iod = iod_of(uid)
            if iod is None or (wanted and not {uid, iod.name} & wanted):
                continue
            data = whole(uid, iod)
            objects = [(place, mutated(data, place)) for place in places(data)]
            left = [(place, changed) for place, changed in objects if not noticed(iod, changed, place)]
            tried, unnoticed = tried + len(objects), unnoticed + len(left)
            paths = [
                written(changed, Path(folder) / f"{number}.dcm", uid)
                for number, (_, changed) in enumerate(left)
            ]
            for (place, _), is_refused in zip(left, pool.map(refused, paths), strict=True):
                if is_refused:
                    silent[keyword_of(str(place[-1]))] += 1
    print(
        f"{tried} wrong values, {tried - unnoticed} noticed; of the others dciodvfy refuses {silent.total()}"
    )
    for keyword, number in silent.most_common():
        print(f"- {keyword}: {number}")


if __name__ == "__main__":
    main()
