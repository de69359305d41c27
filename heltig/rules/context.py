"""Across studies: does another study contradict this one?

These rules read what the index of all studies says (`heltig.rules.index_facts`). In `heltig check` the index
is the batch that is checked.
"""

from collections.abc import Iterator, Sequence

from heltig.rules.index_facts import IndexFact
from heltig.rules.rule import Hit, rule
from heltig.rules.views import ContextView
from heltig.rules.wording import cut


@rule(
    "SER-TWO-STUDIES",
    level="context",
    severity="block",
    reads=("SeriesInstanceUID",),
    reference="PS3.3 A.1.2",
)
def series_in_two_studies(study: ContextView) -> Iterator[Hit]:
    """A series is in several studies.

    Finds: A SeriesInstanceUID (0020,000E) that another StudyInstanceUID has too, in the same batch or at any
        location that is known.
    Why: A series belongs to one study. An archive that has it under one refuses it under the other, or moves
        it there (dcm4chee: SOP Instance already under another series or study).
    Mend: Find out which study the series was made for. Where it was copied or moved on purpose, give the copy
        a SeriesInstanceUID and SOPInstanceUIDs of its own; where it was split by mistake, set one
        StudyInstanceUID in all of it. What an archive no longer has does not count.
    Example: A worklist entry was edited in the middle of an examination: the second half of the series has
        the new entry's StudyInstanceUID.
    """
    for fact in study.told("series"):
        yield Hit(
            tags=("SeriesInstanceUID",),
            observed=f"{cut(fact.value)} in {_others(fact)}",
            expected="a SeriesInstanceUID in one study only",
            rows=_rows_of(study, fact.value),
            message=f"The series is also in {where(fact)}",
        )


@rule(
    "INS-SOPUID-TWO-STUDIES",
    level="context",
    severity="block",
    reads=("SOPInstanceUID",),
    reference="PS3.3 A.1.2",
)
def instance_in_two_studies(study: ContextView) -> Iterator[Hit]:
    """An instance is in several studies.

    Finds: SOPInstanceUIDs (0008,0018) that another StudyInstanceUID has too, in the same batch or at any
        location that is known. Where the whole series has its SeriesInstanceUID there, it is a matter of
        SER-TWO-STUDIES. The same study at several locations is no finding.
    Why: A SOPInstanceUID names one object for ever. Archives keep the first and drop or refuse the second,
        or give it a new UID without a word: references to it lead nowhere.
    Mend: Find out which study the images belong to. Where they were copied on purpose, give the copies
        SOPInstanceUIDs of their own. What an archive no longer has does not count.
    Example: A study was sent again after its StudyInstanceUID and accession had been corrected, and the old
        one was never removed.
    """
    elsewhere = {(fact.value, fact.study) for fact in study.told("series")}
    for fact in study.told("instance"):
        if (fact.value, fact.study) not in elsewhere:
            rows = _rows_of(study, fact.value, fact.uids)
            yield Hit(
                tags=("SOPInstanceUID",),
                observed=f"SOPInstanceUIDs of series {cut(fact.value)} in {_others(fact)}",
                expected="a SOPInstanceUID in one study only",
                rows=rows,
                message=f"Instances are also in {where(fact)}",
            )


@rule("STU-DIVERGES", level="context", severity="review", reads=("StudyInstanceUID",))
def diverges(study: ContextView) -> Iterator[Hit]:
    """Two archives have the study otherwise.

    Finds: A study that two archives hold under one StudyInstanceUID with other instances, or with other
        attributes in the same instances. Only what both can show is compared: attributes where neither gives
        a summary, missing instances where the other's answer was complete.
    Why: Who reads the study in the one archive sees something else than who reads it in the other. After a
        migration it means that something was lost, or changed on one side only.
    Mend: Compare the two. Send the instances that one lacks, and repeat a correction of attributes where it
        was not made.
    Example: Key images were added in the old archive after its studies had been copied to the new one.
    """
    for fact in study.told("study"):
        parts = [
            f"{fact.only_here} instances only here" if fact.only_here else "",
            f"{fact.only_there} instances only there" if fact.only_there else "",
            f"other attributes in {len(fact.uids)} series" if fact.uids else "",
        ]
        rows = [row for uid in fact.uids for row in _rows_of(study, uid)]
        yield Hit(
            tags=("StudyInstanceUID",),
            observed=f"{fact.location}: {', '.join(filter(None, parts))}",
            expected="the same study in both archives",
            rows=rows or None,
            message=f"The study is not the same at {fact.location}",
        )


def _others(fact: IndexFact) -> str:
    """The other study wherever it is, so that a waiver for it outlasts its move to another location."""
    return "many other studies, …" if fact.is_crowd else f"study {cut(fact.study)} too"


def where(fact: IndexFact) -> str:
    """The other study and its location, for messages."""
    if fact.is_crowd:
        return "many other studies"
    return f"study {cut(fact.study)}" + (f" at {fact.location}" if fact.location else "")


def _rows_of(study: ContextView, series: str, uids: Sequence[str] = ()) -> list[int]:
    """The instances of one of the study's series, of these UIDs or all."""
    rows = next((list(part.rows) for part in study.series if part.key == series), list(study.rows))
    if not uids:
        return rows
    wanted, texts = set(uids), study.texts("SOPInstanceUID")
    return [row for row in rows if texts[row] in wanted]
