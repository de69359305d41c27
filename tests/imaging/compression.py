"""The slices of phantoms in other transfer syntaxes."""

import shutil
import subprocess
import sys
from copy import deepcopy
from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom
import pytest
from imaging.phantom import encode
from pydicom.dataset import Dataset
from pydicom.pixels import get_encoder
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

NATIVE = {
    "explicit": ExplicitVRLittleEndian,
    "implicit": ImplicitVRLittleEndian,
    "big endian": ExplicitVRBigEndian,
    "deflated": DeflatedExplicitVRLittleEndian,
}
BY_PYDICOM = {"RLE": RLELossless, "JPEG-LS": JPEGLSLossless, "JPEG 2000": JPEG2000Lossless}
BY_GDCM = {"JPEG lossless": JPEGLosslessSV1}


def transcoded(ds: Dataset, syntax: str, folder: Path) -> bytes:
    """A native explicit little endian data set as a file in another transfer syntax.

    Args:
        ds: The data set.
        syntax: A key of one of the tables above.
        folder: For what goes through files.
    """
    if syntax in NATIVE:
        return _native(ds, syntax)
    if syntax in BY_PYDICOM:
        copy = deepcopy(ds)
        if not get_encoder(BY_PYDICOM[syntax]).is_available:
            pytest.skip(f"no encoder for {syntax} is installed")
        copy.compress(BY_PYDICOM[syntax], generate_instance_uid=False)
        return encode(copy)
    return _by_gdcm(ds, folder)


def _native(ds: Dataset, syntax: str) -> bytes:
    copy = deepcopy(ds)
    copy.file_meta.TransferSyntaxUID = NATIVE[syntax]
    if syntax != "big endian":
        return encode(copy)
    copy.PixelData = np.frombuffer(ds.PixelData, "<u2").astype(">u2").tobytes()
    stream = BytesIO()
    pydicom.dcmwrite(stream, copy, implicit_vr=False, little_endian=False, enforce_file_format=True)
    return stream.getvalue()


def _by_gdcm(ds: Dataset, folder: Path) -> bytes:
    beside = Path(sys.executable).with_name("gdcmconv")
    executable = str(beside) if beside.is_file() else shutil.which("gdcmconv")
    if executable is None:
        pytest.skip("needs gdcmconv (python-gdcm)")
    source, target = folder / "native.dcm", folder / "compressed.dcm"
    source.write_bytes(encode(ds))
    command = [executable, "--jpeg", str(source), str(target)]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    return target.read_bytes()
