"""A service with analyses: one that is done, made of a phantom by the real program, one that is refused."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from imaging.phantom import Phantom, encode, series
from imaging.segmentations import nifti_with_table
from imaging.small_bodies import trunk
from pydicom.dataset import Dataset
from unit.api.service import zip_of

from heltig.app import create_app
from heltig.jobs.queue import utc_now
from heltig.setting_types import Size
from heltig.settings import Settings

ANALYSES = "api/v1/research/analyses"
_PLAN = """
default = ["byo-nifti"]

[segmenters.byo-nifti]
path = "{masks}"

[segmenters.classical]
"""


def zipped(phantom: Phantom, name: str, **attributes: Any) -> bytes:
    """A series of a phantom, as READY as a study can be."""
    given = {"PatientIdentityRemoved": "YES", "DeidentificationMethod": "made up", **attributes}
    images: list[Dataset] = series(phantom, name=name, **given)
    return zip_of((f"{place:03}.dcm", encode(one)) for place, one in enumerate(images))


@contextmanager
def serving_research(home: Path) -> Iterator[str]:
    """Serves analyses; gives the address."""
    body = trunk(spacing=(3.0, 3.0, 5.0))
    home.mkdir(parents=True, exist_ok=True)
    masks = nifti_with_table(home / "masks" / "labels.nii", body)
    (home / "plan.toml").write_text(_PLAN.format(masks=masks))
    settings = Settings(
        home=home,
        workers=1,
        analysis_enabled=True,
        analysis_use="research-only",
        analysis_plan=home / "plan.toml",
        alert_disk=Size(1),  # whatever this machine has left
    )
    with socket.create_server(("127.0.0.1", 0)) as listener:
        app = create_app(settings, clock=utc_now)
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        while not server.started and thread.is_alive():
            time.sleep(0.02)
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        try:
            yield address
        finally:
            server.should_exit = True
            thread.join()


def uploaded(address: str, package: bytes) -> str:
    """Uploads a study, which is judged; gives its key."""
    kind = {"Content-Type": "application/zip"}
    judged = httpx.post(f"{address}api/v1/jobs/upload", content=package, headers=kind, timeout=120)
    [study] = judged.raise_for_status().json()["studies"]
    key: str = study["study"]["key"]
    return key


def analysed(address: str, **asked: Any) -> dict[str, Any]:
    """Has a study analysed, and waits until that has ended."""
    with httpx.Client(base_url=address, timeout=120) as client:
        ordered = client.post(ANALYSES, json=asked).raise_for_status()
        while True:
            found: dict[str, Any] = client.get(ordered.headers["location"]).raise_for_status().json()
            if found["finished"]:
                return found
            time.sleep(0.1)
