"""Runs the contrast phase classifier of TotalSegmentator's wheel, with the python of its environment.

    echo '[60.0, …]' | python -I phase_classifier_program.py

Started by `heltig.imaging.segment.phase_classifier`. The twenty numbers are the medians of its structures, in
Hounsfield units. Prints what each of its models says, in seconds since the injection, as JSON. The models are
a pickle, which runs what is in it: only the one whose SHA-256 is known here is ever loaded. It imports
nothing of Heltig, and of TotalSegmentator nothing but that file.
"""

import hashlib
import json
import pickle
import sys
from importlib.util import find_spec
from pathlib import Path

FILE = "contrast_phase_classifiers_2024_07_19.pkl"
SHA256 = "7ecd43bf3fb6a6770c26c77cfbbb46e8a190eeddd53351138aa21715c4e273b2"


def main() -> None:
    """Read medians, write seconds."""
    package = find_spec("totalsegmentator")
    if package is None or not package.submodule_search_locations:
        sys.exit("TotalSegmentator is not installed")
    models = Path(package.submodule_search_locations[0], "resources", FILE).read_bytes()
    if hashlib.sha256(models).hexdigest() != SHA256:
        sys.exit("the models are not those that are known")
    medians = json.load(sys.stdin)
    found = pickle.loads(models)  # noqa: S301 - just this file, by its SHA-256
    seconds = [float(model.predict([medians])[0]) for model in found.values()]
    print(json.dumps(seconds))  # noqa: T201 - read by whoever started it


if __name__ == "__main__":
    main()
