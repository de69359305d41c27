"""One case from its order to its end."""

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

from heltig.errors import UsageError
from heltig.imaging.agreement import Agreement, check_agreement
from heltig.imaging.analysis import Analysis
from heltig.imaging.case.choosing import NotChosen, choose, policy_of, reason_of
from heltig.imaging.case.folder import UnfinishedFolder
from heltig.imaging.case.material import Material, gather
from heltig.imaging.case.outputs import write_outputs
from heltig.imaging.case.progress import Progress
from heltig.imaging.case.segmenting import segment
from heltig.imaging.documents.writing import write_selection
from heltig.imaging.fingerprint import Hashing, fingerprint
from heltig.imaging.metrics import OPTIONAL, measure
from heltig.imaging.order import Order, Told
from heltig.imaging.reading import read_volume
from heltig.imaging.refusal import Refused
from heltig.imaging.segment.external import keep_printed
from heltig.imaging.segment.phase_classifier import PhaseClassifier
from heltig.imaging.selection.preferring import is_t1_weighted
from heltig.imaging.selection.selecting import Selection
from heltig.imaging.stacking import SliceStack
from heltig.imaging.volume import Volume


def run(order: Order, *, tell: Callable[[Told], None], now: Callable[[], datetime]) -> None:
    """Analyse, and write the output folder; a refusal is told, too.

    Args:
        order: What is asked for.
        tell: Is given each line that the case says of itself.
        now: The clock, in UTC.

    Raises:
        UsageError: The order asks for what there is not.
        ConfigurationError: The selection policy cannot be read.
        StorageError: The output folder cannot be written.
        ConflictError: Another process writes it.
        OSError: A file cannot be read or written.
    """
    unknown = sorted(set(order.optional) - OPTIONAL.keys())
    if unknown:
        raise UsageError(f"There is no family of measurements {unknown[0]!r}.")
    progress = Progress(tell)
    selection: Selection | None = None
    with UnfinishedFolder(order.output) as folder:
        try:
            started = now()
            progress.enter("selecting")
            material = gather(order.objects, allow_identified=order.allow_identified)
            selection = choose(order, material.survey)
            analysis = _analysed(order, material, selection, progress, folder.scratch, started)
            progress.enter("rendering")
            write_outputs(analysis, folder.path, seconds=lambda: progress.seconds)
        except (Refused, NotChosen) as reason:
            if selection:
                folder.clear()
                write_selection(selection.audit, folder.path)
                folder.finish()
            progress.refuse(reason.code, reason.observed)
        else:
            folder.finish()
            progress.enter("done")


def _analysed(
    order: Order,
    material: Material,
    selection: Selection,
    progress: Progress,
    scratch: Path,
    started: datetime,
) -> Analysis:
    """All that is measured.

    Raises:
        NotChosen: Nothing is fit to be measured.
        Refused: Pixels or masks cannot be used.
    """
    stack = selection.stack
    if stack is None:
        raise NotChosen(reason_of(selection.audit))
    progress.enter("converting", series=stack.planes.texts("SeriesInstanceUID")[stack.order[0]])
    with Hashing(stack) as hashing:
        volume = read_volume(stack)
    agreement = _agreement(order, volume, stack, scratch)
    progress.enter("segmenting")
    objects = (*material.segmentations, *_files(stack))
    try:
        found = segment(order, volume, objects=objects, scratch=scratch)
    finally:
        if order.printed:
            keep_printed(scratch, order.printed)
    classifiers = _phase_classifiers(order, scratch)
    told = fingerprint(
        order,
        images=hashing.images(),
        policy_digest=selection.audit.policy_digest,
        provenance=found.provenance,
        phase_providers=[one.version for one in classifiers],
    )
    progress.enter("measuring", fingerprint=told)
    results = measure(
        found.segmentation,
        optional=order.optional,
        height_m=order.height_m,
        t1_weighted=is_t1_weighted(volume.technique, policy_of(order)),
        phase_providers=[one.reading for one in classifiers],
    )
    return Analysis(
        order=order,
        fingerprint=told,
        stack=stack,
        selection=selection,
        volume=volume,
        segmentation=found.segmentation,
        provenance=found.provenance,
        notes=found.notes,
        results=results,
        seconds=progress.seconds,
        started=started,
        agreement=agreement,
    )


def _phase_classifiers(order: Order, scratch: Path) -> list[PhaseClassifier]:
    return [PhaseClassifier(python=order.phase_python, workdir=scratch)] if order.phase_python else []


def _files(stack: SliceStack) -> Iterator[Path]:
    """The files of a stack."""
    sources = (stack.planes.object(plane).source for plane in stack.order)
    yield from dict.fromkeys(source for source in sources if isinstance(source, Path))


def _agreement(order: Order, volume: Volume, stack: SliceStack, scratch: Path) -> Agreement | None:
    if order.converter is None:
        return None
    folder = scratch / "converter"
    folder.mkdir()
    return check_agreement(volume, stack, folder)
