"""Which backends there are and what each takes as options. Needs nothing of the extra `heltig[imaging]`.

Options are for whoever runs Heltig to give, never for who sends a request: some of them say what runs.
"""

import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import msgspec

from heltig.errors import UsageError
from heltig.imaging.order import SegmenterOrder

TOTALSEGMENTATOR_TASKS: Final = ("total", "tissue_types", "cerebral_bleed", "vertebrae_body", "total_mr")


class Option(NamedTuple):
    """An option of a backend.

    Attributes:
        words: What it means.
        read: Its value from its text; raises ValueError with words.
        required: There is no default.
    """

    words: str
    read: Callable[[str], Any] = str
    required: bool = False


class Backend(NamedTuple):
    """A backend.

    Attributes:
        words: What it does.
        options: What it takes, by name.
    """

    words: str
    options: Mapping[str, Option]


def _path(text: str) -> Path:
    if not Path(text).is_absolute():
        raise ValueError("is an absolute path")
    return Path(text)


def _switch(text: str) -> bool:
    if text not in ("yes", "no"):
        raise ValueError("is yes or no")
    return text == "yes"


def _number(low: float, high: float) -> Callable[[str], float]:
    def read(text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            number = float("nan")
        if not low <= number <= high:
            raise ValueError(f"is a number from {low:g} to {high:g}")
        return number

    return read


def _tasks(text: str) -> tuple[str, ...]:
    tasks = tuple(dict.fromkeys(text.replace(",", " ").split()))
    if not tasks or set(tasks) - set(TOTALSEGMENTATOR_TASKS):
        raise ValueError(f"names one or several of {', '.join(TOTALSEGMENTATOR_TASKS)}")
    return tasks


def _device(text: str) -> str:
    kind, _, number = text.partition(":")
    if kind not in ("cpu", "gpu") or (number and not (kind == "gpu" and number.isdecimal())):
        raise ValueError("is cpu, gpu or gpu:N")
    return text


def _program(text: str) -> tuple[str, ...]:
    try:
        words = tuple(shlex.split(text))
    except ValueError:
        words = ()
    if not words:
        raise ValueError("is a program and its arguments, quoted as in a shell")
    return words


def _settings(text: str) -> Mapping[str, Any]:
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeError):
        raise ValueError("is a JSON object") from None


_LIMITS: Final = {
    "seconds": Option("wall-clock time after which it is ended", _number(1, 86_400)),
    "memory_gib": Option("address space of each of its processes", _number(0.25, 1024)),
}

SEGMENTERS: Final[Mapping[str, Backend]] = MappingProxyType(
    {
        "byo-nifti": Backend(
            "Masks in NIfTI files that were made elsewhere.",
            {
                "path": Option(
                    "a file of labels, or a folder with one file a structure", _path, required=True
                ),
                "table": Option("the label table of the file, where it has another name", _path),
                "task": Option("the task of TotalSegmentator whose labels they are, instead of a table"),
            },
        ),
        "byo-dicom-seg": Backend("DICOM segmentations among the objects of the study.", {}),
        "replay": Backend(
            "Masks that were recorded before, for tests and demonstrations.",
            {"path": Option("the folder of the recording", _path, required=True)},
        ),
        "classical": Backend("Body and subcutaneous fat of CT, by thresholds and morphology.", {}),
        "totalsegmentator": Backend(
            "TotalSegmentator, installed in an environment of its own.",
            {
                "executable": Option("the program; else `TotalSegmentator` on the path", _path),
                "weights": Option("the folder of its weights", _path),
                "tasks": Option(
                    f"some of {', '.join(TOTALSEGMENTATOR_TASKS)}; else total or total_mr", _tasks
                ),
                "fast": Option("yes: the 3 mm model of total and total_mr", _switch),
                "device": Option("cpu, gpu or gpu:N", _device),
                **_LIMITS,
            },
        ),
        "deepbet": Backend(
            "Mask of the brain on T1-weighted MR, by deepbet, installed in an environment of its own.",
            {
                "python": Option("the python of that environment", _path, required=True),
                "threshold": Option("from which output of the network on a voxel is inside", _number(0, 1)),
                **_LIMITS,
            },
        ),
        "command": Backend(
            "A program of the site, by a contract of folders.",
            {
                "program": Option("the program and its arguments", _program, required=True),
                "dicom": Option("yes: it is given the DICOM files of the series too", _switch),
                "settings": Option("what it is told in task.json: a JSON object", _settings),
                **_LIMITS,
            },
        ),
    }
)
"""By id."""


def read_options(order: SegmenterOrder) -> dict[str, Any]:
    """The options of an order, as values.

    Raises:
        UsageError: The backend or an option is not known, or a value cannot be used.
    """
    backend = SEGMENTERS.get(order.id)
    if backend is None:
        raise UsageError(f"Segmenter {order.id!r} is not known: there are {', '.join(SEGMENTERS)}.")
    known = ", ".join(backend.options) or "none"
    for name in order.options:
        if name not in backend.options:
            raise UsageError(f"Segmenter {order.id} has no option {name!r}: it takes {known}.")
    for name, option in backend.options.items():
        if option.required and name not in order.options:
            raise UsageError(f"Segmenter {order.id} needs the option {name}: {option.words}.")
    found = {}
    for name, text in order.options.items():
        try:
            found[name] = backend.options[name].read(text)
        except ValueError as problem:
            raise UsageError(f"Segmenter {order.id}: option {name} {problem}.") from None
    return found
