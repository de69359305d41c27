"""Runs deepbet: started by `heltig.imaging.segment.deepbet` with the python of deepbet's own environment.

    python -I deepbet_program.py IN.nii OUT.nii.gz THRESHOLD

Prints what ran, as JSON. It imports nothing of Heltig, which is not in that environment.
"""

import json
import sys
from importlib.metadata import version


def main() -> None:
    """Write the mask of the brain."""
    from deepbet import run_bet  # type: ignore[import-not-found]

    source, target, threshold = sys.argv[1:]
    run_bet([source], mask_paths=[target], threshold=float(threshold), no_gpu=True, skip_broken=False)
    names = ("deepbet", "torch")
    print(json.dumps({name: version(name) for name in names}))  # noqa: T201 - read by whoever started it


if __name__ == "__main__":
    main()
