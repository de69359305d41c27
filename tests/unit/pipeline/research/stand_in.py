"""Stands in for `python -m heltig.imaging.case`: reads an order, tells states, writes files; no imaging.

STAND_IN says how it ends: `done`, `refused`, `crash`, `full` disk, or `wait` for ever. `hold` waits for the
file that STAND_IN_GO names; `once` waits for ever where there is, once it told its fingerprint.
"""

import json
import os
import sys
import time
from pathlib import Path

order = json.load(sys.stdin)
end = os.environ.get("STAND_IN", "done")


def tell(state: str, **more: str) -> None:
    print(json.dumps({"state": state, **more}), flush=True)


objects = sorted(path.read_bytes() for path in Path(order["objects"]).rglob("*") if path.is_file())
tell("selecting")
output = Path(order["output"])
if end == "refused":
    (output / "selection.json").write_text('{"entries": []}')
    tell("refused", code="SLICES_TOO_FEW", observed="2 slices")
    sys.exit(0)
tell("converting", series="1.2.3.1")
print("a library says something", flush=True)
if end == "crash":
    os.abort()
if end == "full":
    sys.exit(28)
while end == "wait" or (end == "hold" and not Path(os.environ["STAND_IN_GO"]).exists()):
    time.sleep(0.01)
tell("segmenting")
tell("measuring", fingerprint=f"{len(objects):064x}")
if end == "once" and Path(os.environ["STAND_IN_GO"]).exists():
    time.sleep(600)  # whoever reads the fingerprint stops it
tell("rendering")
(output / "total").mkdir(parents=True)
(output / "total/liver.nii.gz").write_bytes(b"mask")
(output / "selection.json").write_text('{"entries": [{"rank": 1}]}')
(output / "resultados.json").write_text(json.dumps({"case_id": order["analysisId"], "liver_vol_cm3": 307.2}))
(output / "analysis.json").write_text(json.dumps({"order": order, "measurements": []}))
tell("done")
