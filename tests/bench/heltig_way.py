"""What the benchmarks measure of Heltig: from bytes to tables, from tables to findings."""

from collections.abc import Iterable
from datetime import date

from heltig.dicom.json_stream import InstanceSplitter
from heltig.dicom.source import METADATA_SHOWS, Source
from heltig.dicom.study import StudyCollector, StudyTable
from heltig.pipeline.judging import ruleset_under
from heltig.rules.engine import evaluate
from heltig.rules.profile import Profile
from heltig.rules.views import Context

CHUNK = 64 * 1024
PROFILE = Profile()
TODAY = date(2026, 1, 1)
ARCHIVE = Source(shows=METADATA_SHOWS)

_CONTEXT = Context(TODAY, PROFILE.parameters)


def read_body(body: bytes) -> list[StudyTable]:
    """A DICOM JSON body, as it comes over a network, to arranged tables."""
    return read_chunks(body[start : start + CHUNK] for start in range(0, len(body), CHUNK))


def read_chunks(chunks: Iterable[bytes]) -> list[StudyTable]:
    """The chunks of one DICOM JSON body to arranged tables."""
    splitter, collector = InstanceSplitter(), StudyCollector(ARCHIVE)
    for chunk in chunks:
        for data_set in splitter.feed(chunk):
            collector.add(data_set)
    for data_set in splitter.close():
        collector.add(data_set)
    return collector.studies()


def apply_rules(table: StudyTable) -> None:
    """Run every rule over a study."""
    evaluate(ruleset_under(PROFILE), table, _CONTEXT)
