import subprocess
from pathlib import Path

from checkers.dicom3tools import program


def errors_by_dciodvfy(file: Path) -> list[str]:
    said = subprocess.run([program("dciodvfy"), file], capture_output=True, text=True, check=False)
    return [line for line in (said.stdout + said.stderr).splitlines() if line.startswith("Error")]
