"""Stands in for TotalSegmentator, which needs gigabytes of weights: its command line, not its network.

It takes the options of TotalSegmentator 2.18 that Heltig uses and refuses others, looks for configuration and
weights where the real one does, and gives as masks what lies in ranges of values. `stand-in.json` in its
weights tells it to misbehave.
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path

import nibabel
import numpy as np

TASKS = {
    "total": (
        (291, 292, 293, 294, 295),
        (297,),
        {5: ("liver", 60), 1: ("spleen", 45), 28: ("vertebrae_L4", 200)},
    ),
    "total_mr": ((850, 851), (852,), {5: ("liver", 60), 10: ("lung_left", 45)}),
    "tissue_types": (
        (481,),
        None,
        {1: ("subcutaneous_fat", -100), 2: ("torso_fat", -90), 3: ("skeletal_muscle", 50)},
    ),
    "cerebral_bleed": ((150, 298), None, {1: ("intracerebral_hemorrhage", 70)}),
    "vertebrae_body": ((305,), None, {1: ("vertebrae_body", 200), 2: ("intervertebral_discs", 90)}),
}
"""Weights, those of the fast model, and the value that each label stands for."""


def main() -> None:
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("-i", required=True, type=Path, dest="input")
    parser.add_argument("-o", required=True, type=Path, dest="output")
    parser.add_argument("-ml", "--ml", action="store_true", required=True)
    parser.add_argument("-ta", "--task", choices=TASKS, default="total")
    parser.add_argument("-f", "--fast", action="store_true")
    parser.add_argument("-d", "--device", default="gpu", choices=["cpu", "gpu"])
    parser.add_argument("-nr", "--nr_thr_resamp", type=int, default=1)
    parser.add_argument("-ns", "--nr_thr_saving", type=int, default=6)
    parser.add_argument("-rp", "--report", type=Path)
    parser.add_argument("--version", action="version", version="2.18.0")
    options = parser.parse_args()

    configuration = json.loads(Path(os.environ["TOTALSEG_HOME_DIR"], "config.json").read_text())
    if configuration["send_usage_stats"]:
        sys.exit("statistics would be sent")
    models, fast_models, classes = TASKS[options.task]
    if options.fast:
        if fast_models is None:
            raise ValueError(f"task {options.task} does not work with option --fast")
        models = fast_models
    weights = Path(os.environ["TOTALSEG_WEIGHTS_PATH"])
    if not all(list(weights.glob(f"Dataset{number}_*")) for number in models):
        sys.exit("weights would be downloaded")
    if options.task == "tissue_types" and len(configuration.get("license_number", "")) != 18:
        sys.exit("ERROR: A license number has not been set so far.")

    image = nibabel.load(options.input)
    values, affine = np.asanyarray(image.dataobj), image.affine.copy()
    told = [json.loads(path.read_text()) for path in weights.glob("*/stand-in.json")]
    misbehave = told[0]["how"] if told else ""
    if misbehave == "hang":
        time.sleep(600)
    if misbehave == "fail":
        sys.exit(1)
    labels = np.zeros(values.shape, np.uint8)
    for label, (_, value) in classes.items():
        labels[values == value] = label
    if misbehave == "coarse":  # as `--save_lowres` would give
        labels = labels[::2, ::2]
        affine[:3, :3] *= (2, 2, 1)
    if misbehave == "more labels":
        labels[0, 0, 0] = 99
    if misbehave != "no labels":
        nibabel.save(nibabel.Nifti1Image(labels, affine), options.output)
    if misbehave != "no report":
        report = {
            "totalsegmentator_version": "2.18.0",
            "nnunetv2_version": "2.6.4",
            "torch_version": "2.13.0",
            "task": options.task,
            "arguments": sys.argv[1:],
            "classes": {str(label): name for label, (name, _) in classes.items()},
        }
        options.report.write_text(json.dumps(report))


if __name__ == "__main__":
    main()
