"""Our comparison of what entities share against dcentvfy's: on a conflict for each attribute, and on studies.

dcentvfy knows of each attribute which entity it belongs to, by SOP Class. What it knows is found out by
asking: two instances that differ in every attribute of the data dictionary. Each attribute that it names must
be one that a rule of ours compares, or be left alone for a reason.

Every message of it is parsed (`checkers.entities`): it says that two instances of an entity differ, which is
held against what we say of the study; or it is of a kind named in `OUTSIDE`. Each difference that only one of
the two tells must be of a kind that is named in `KINDS`. docs/entities.md explains both.
"""

import logging
import re
import shutil
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

import pydicom
import pytest
from checkers.entities import OUTSIDE, Said, dcentvfy_said
from checkers.known_entities import CLASSES, VALUES, Knowledge, dcentvfy, instance_of, put
from pydicom import config
from pydicom.data import get_charset_files, get_testdata_files
from pydicom.dataset import Dataset

from heltig.dicom.dates import parse_tm
from heltig.dicom.study import StudyTable
from heltig.pipeline.reading import read_inputs
from heltig.rules.acquisition import PROJECTIONS
from heltig.rules.catalogue import catalogue
from heltig.rules.engine import Ruleset, evaluate
from heltig.rules.entities import known_number
from heltig.rules.parameters import Parameters
from heltig.rules.profile import Profile
from heltig.rules.same_value import same_by
from heltig.rules.views import Context, StudyView
from heltig.standard.dictionary import entries, keyword_of, lookup, tag_of
from heltig.standard.iods import iod_of
from heltig.standard.sop_classes import lookup as sop_class_of

PAGE: Final = Path(__file__).parents[2] / "docs/entities.md"

KINDS: Final = {
    "of-items",
    "retired",
    "technique-of-an-image",
    "written-otherwise-only",
    "told-once",
    "within-tolerance",
    "projections",
    "no-value-to-us",
    "without-uid",
    "not-in-their-tables",
    "not-of-the-class-to-them",
    "of-the-series-to-them",
    "module-not-seen",
    "same-number-of-items",
    "same-instance-left-out",
    "patients-apart",
    "stopped-early",
}
"""Every kind of disagreement; docs/entities.md says of each who is right, and why."""

TECHNIQUE: Final = {"ViewPosition", "FilterType", "FocalSpots", "CollimatorGridName"}
"""Of a CR Series by PS3.3 C.8.1.1: how one projection was taken."""

MORE_RULES: Final = {
    "FrameOfReferenceUID": "GEO-FOR-MIXED",
    "PatientIdentityRemoved": "DEI-MIXED",
}
"""Attributes that rules compare, too, which look at more than differences."""


CONTEXT: Final = Context(date(2026, 1, 1), Parameters())

IDENTIFYING: Final = {"PatientID", "SOPClassUID", "TransferSyntaxUID", "SpecificCharacterSet"}
"""What rules compare that is no attribute of an entity, or tells entities apart."""


TOLD_BY: Final = {"StudyTime": "StudyDate", "PositionReferenceIndicator": "FrameOfReferenceUID"}
"""Attributes of which nothing is said where another differs."""


class Disagreement(NamedTuple):
    """A difference that one of the two tells alone.

    Attributes:
        kind: One of `KINDS`; None where nothing explains it.
        ours: Told by us, not by the other.
        what: For people: the study and the attribute.
    """

    kind: str | None
    ours: bool
    what: str


@pytest.fixture(autouse=True)
def _lenient_pydicom(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(config.settings, "reading_validation_mode", config.IGNORE)
    monkeypatch.setattr(config.settings, "writing_validation_mode", config.IGNORE)
    logging.disable(logging.CRITICAL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
    logging.disable(logging.NOTSET)


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Knowledge:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return Knowledge(tmp_path_factory.mktemp("known"))


# -- ours


@cache
def comparing() -> dict[str, set[str]]:
    """The attributes that rules compare, each with these rules."""
    found: dict[str, set[str]] = {keyword: {id} for keyword, id in MORE_RULES.items()}
    for rule in catalogue().values():
        for keyword in rule.reads if rule.compares else ():
            found.setdefault(keyword, set()).add(rule.id)
    return {keyword: rules for keyword, rules in found.items() if keyword not in IDENTIFYING}


@cache
def _ruleset() -> Ruleset:
    rules = [rule for rule in catalogue().values() if rule.compares or rule.id in MORE_RULES.values()]
    return Ruleset(rules, Profile())


def ours(table: StudyTable) -> set[str]:
    """The attributes of which we say that they differ within an entity of a study."""
    found = evaluate(_ruleset(), table, CONTEXT).findings
    return {keyword_of(tag) for finding in found for tag in finding.tags} & comparing().keys()


# -- what it knows


@pytest.mark.oracle
def test_every_attribute_that_it_knows_is_compared_or_left_alone(known: Knowledge) -> None:
    keywords = known.all()
    assert len(keywords) > 250
    left = {
        keyword: _why_left(keyword, uid) for keyword, uid in keywords.items() if keyword not in comparing()
    }
    print(sorted(Counter(left.values()).items(), key=str))
    assert not [keyword for keyword, reason in left.items() if reason is None]


def _why_left(keyword: str, uid: str) -> str | None:
    """Why no rule compares an attribute that dcentvfy has in a SOP Class."""
    if keyword in TECHNIQUE:
        return "technique-of-an-image"
    entry, iod = lookup(tag_of(keyword)), iod_of(uid)
    if entry and entry.retired:
        return "retired"
    return "of-items" if iod is None or tag_of(keyword) not in iod.modules_of else None


# -- one conflict each


@pytest.mark.oracle
def test_one_conflict_for_each_attribute(known: Knowledge, tmp_path: Path) -> None:
    """Two instances that differ in one attribute and in nothing else, for each that one of us compares."""
    classes = known.all()
    for keyword in {**comparing(), **classes}:
        _write_pair(tmp_path, keyword, classes.get(keyword, CLASSES[0]))
    _, text = dcentvfy(sorted(tmp_path.iterdir()))
    said, outside = dcentvfy_said(text)
    known_kinds(outside)
    theirs: dict[str, list[Said]] = {}
    for one in said:
        theirs.setdefault(Path(one.files[0]).stem[:-2], []).append(one)
    disagreements: list[Disagreement] = []
    both = 0
    for table in read_inputs([tmp_path]).studies:
        name = Path(table.origins[0]).stem[:-2]
        found = ours(table)
        assert found | {one.keyword for one in theirs.get(name, ())} <= {name}
        disagreements += _compare(table, found, theirs.get(name, []), text, known)
        both += name in theirs and name in found
    print("both", both)
    assert both > 200
    agree(disagreements)


def _write_pair(folder: Path, keyword: str, uid: str) -> None:
    sop_class = sop_class_of(uid)
    for place in (0, 1):
        instance = instance_of(keyword, place, uid)
        instance.Modality = sop_class.modality[0] if sop_class and sop_class.modality else "OT"
        put(instance, keyword, place)
        if keyword == "PositionReferenceIndicator":
            instance.FrameOfReferenceUID = "1.2.3.4"
        instance.save_as(folder / f"{keyword}-{place}.dcm", enforce_file_format=True)


# -- differences of taste

CT: Final = "1.2.840.10008.5.1.4.1.1.2"
TASTE: Final[dict[str, tuple[str, list[dict[str, Any]], bool]]] = {
    "written-otherwise-only": (
        "OperatorsName",
        [{"OperatorsName": "Roe^R"}, {"OperatorsName": "ROE^R"}],
        False,
    ),
    "no-value-to-us": ("PatientWeight", [{"PatientWeight": "0"}, {"PatientWeight": "70"}], False),
    "within-tolerance": ("StudyTime", [{"StudyTime": "1000"}, {"StudyTime": "1004"}], False),
    "told-once": (
        "StudyTime",
        [
            {"StudyDate": "20240101", "StudyTime": "23"},
            {"StudyDate": "20240102", "StudyTime": "01"},
        ],
        False,
    ),
    "projections": (
        "BodyPartExamined",
        [
            {"SOPClassUID": CLASSES[1], "Modality": "CR", "BodyPartExamined": "HAND"},
            {"SOPClassUID": CLASSES[1], "Modality": "CR", "BodyPartExamined": "FOOT"},
        ],
        False,
    ),
    "without-uid": (
        "SeriesTime",
        [
            {"SeriesInstanceUID": "", "SeriesTime": "10", "SeriesNumber": 1},
            {"SeriesInstanceUID": "", "SeriesTime": "11", "SeriesNumber": 1},
        ],
        False,
    ),
    "same-number-of-items": (
        "ProcedureCodeSequence",
        [{"ProcedureCodeSequence": "CHEST"}, {"ProcedureCodeSequence": "ABDOMEN"}],
        True,
    ),
    "patients-apart": (
        "StudyID",
        [{"PatientID": "A", "StudyID": "1"}, {"PatientID": "B", "StudyID": "2"}],
        True,
    ),
    "of-the-series-to-them": (
        "AccessionNumber",
        [
            {"SeriesInstanceUID": "1.2.3.4", "AccessionNumber": "1"},
            {"SeriesInstanceUID": "1.2.3.5", "AccessionNumber": "2"},
        ],
        True,
    ),
    "same-instance-left-out": (
        "StudyID",
        [{"SOPInstanceUID": "1.2.3.4", "StudyID": "1"}, {"SOPInstanceUID": "1.2.3.4", "StudyID": "2"}],
        True,
    ),
}
"""Of kinds of disagreement the attribute, a study of two instances, and whether it is we who tell it."""


@pytest.mark.oracle
@pytest.mark.parametrize("kind", TASTE)
def test_a_difference_of_taste(kind: str, known: Knowledge, tmp_path: Path) -> None:
    keyword, instances, is_ours = TASTE[kind]
    for place, values in enumerate(instances):
        instance = instance_of("taste", place, CT)
        instance.Modality = "CT"
        for name, value in values.items():
            setattr(instance, name, _code(value) if name.endswith("CodeSequence") else value)
        instance.save_as(tmp_path / f"{place}.dcm", enforce_file_format=True)
    text = dcentvfy(sorted(tmp_path.iterdir()))[1]
    said, outside = dcentvfy_said(text)
    known_kinds(outside)
    (table,) = read_inputs([tmp_path]).studies
    alone = {(d.kind, d.ours, d.what) for d in _compare(table, ours(table), said, text, known)}
    assert (kind, is_ours, f"{table.origins[0]}: {keyword}") in alone


def _code(value: str) -> list[Dataset]:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "99X", value
    return [item]


# -- studies


@pytest.mark.oracle
def test_studies_of_pydicoms_files(known: Knowledge) -> None:
    assert get_testdata_files()
    assert get_charset_files("*")
    against_studies(Path(pydicom.__file__).parent / "data", known)


@pytest.mark.corpus
@pytest.mark.oracle
def test_studies_of_the_corpus(corpus: Path, known: Knowledge) -> None:
    against_studies(corpus, known)


@pytest.mark.corpus
@pytest.mark.oracle
def test_conflicts_put_into_real_studies(corpus: Path, known: Knowledge, tmp_path: Path) -> None:
    """Real studies in which one instance has another value of every attribute that either of us compares."""
    keywords = known.all().keys() | comparing().keys()
    altered = 0
    for number, table in enumerate(read_inputs([corpus]).studies):
        files = [corpus / origin for origin in table.origins]
        if 1 < table.rows <= 12 and all(file.is_file() for file in files):
            altered += _write_altered(tmp_path / str(number), files, keywords)
    assert altered > 15
    both = against_studies(tmp_path, known)
    assert both > 300


def _write_altered(folder: Path, files: Sequence[Path], keywords: set[str]) -> bool:
    """Copy a study without pixels, another value of everything in the last instance; False where it fails."""
    folder.mkdir()
    *others, last = files
    try:
        for number, file in enumerate(others):
            pydicom.dcmread(file, stop_before_pixels=True).save_as(folder / f"{number}.dcm")
        instance = pydicom.dcmread(last, stop_before_pixels=True)
        for keyword in sorted(keywords & set(instance.dir())):
            _alter(instance[keyword])
        instance.save_as(folder / "last.dcm")
    except Exception:  # odd files that cannot be written again
        shutil.rmtree(folder)
        return False
    return True


def _alter(element: pydicom.DataElement) -> None:
    if element.keyword == "PatientIdentityRemoved":
        element.value = "NO"
    elif element.VR == "SQ":
        element.value = [*element.value, Dataset()]
    elif element.VR in VALUES and not element.is_empty:
        element.value = VALUES[element.VR][1]


def against_studies(folder: Path, known: Knowledge) -> int:
    """Compare what the two say of all studies of a folder; returns how often both tell a difference."""
    tables = [table for table in read_inputs([folder]).studies if table.rows > 1]
    disagreements: list[Disagreement] = []
    messages: Counter[str] = Counter()

    def run(table: StudyTable) -> tuple[int, str]:
        files = [folder / origin for origin in table.origins]
        return dcentvfy([file for file in files if file.is_file()])

    both = 0
    with ThreadPoolExecutor(2) as pool:
        for table, (_, text) in zip(tables, pool.map(run, tables), strict=True):
            said, outside = dcentvfy_said(text)
            messages.update(outside)
            found = ours(table)
            both += len({one.keyword for one in said} & found)
            disagreements += _compare(table, found, said, text, known)
    print("both", both)
    known_kinds(messages)
    agree(disagreements)
    return both


def _compare(
    table: StudyTable, found: set[str], said: list[Said], text: str, known: Knowledge
) -> Iterator[Disagreement]:
    theirs = {one.keyword: one for one in said}
    for keyword in theirs.keys() - found:
        reason = "told-once" if TOLD_BY.get(keyword) in found else _why_they_alone(table, theirs[keyword])
        yield Disagreement(reason, False, f"{table.origins[0]}: {keyword}")
    for keyword in found - theirs.keys():
        yield Disagreement(_why_we_alone(table, keyword, text, known), True, f"{table.origins[0]}: {keyword}")


def _why_they_alone(table: StudyTable, one: Said) -> str | None:
    view = StudyView(table, CONTEXT)
    keyword = one.keyword
    if keyword not in comparing():
        return _why_left(keyword, view.first("SOPClassUID").text)
    if not view.has_uid or any(not series.has_uid for series in view.series):
        return "without-uid"
    if keyword == "StudyTime" and _minutes(view) <= CONTEXT.parameters.study_time_tolerance_minutes:
        return "within-tolerance"
    if keyword == "BodyPartExamined" and any(series.modality in PROJECTIONS for series in view.series):
        return "projections"
    key = known_number if keyword in ("PatientSize", "PatientWeight") else same_by(keyword)
    said = {key(group.cell) for group in view.groups(keyword)}
    if len(said) == 1:
        return "written-otherwise-only"
    return "no-value-to-us" if len(said - {""}) == 1 else None


def _minutes(view: StudyView) -> int:
    """How far times of the study lie apart."""
    times = [parse_tm(group.cell.text) for group in view.groups("StudyTime")]
    minutes = [time.hour * 60 + time.minute for time in times if time]
    return max(minutes) - min(minutes)


def _why_we_alone(table: StudyTable, keyword: str, text: str, known: Knowledge) -> str | None:
    view = StudyView(table, CONTEXT)
    _, outside = dcentvfy_said(text)
    if len(view.groups("PatientID")) > 1:
        return "patients-apart"
    if outside.keys() & {"not-read", "unknown-class"}:
        return "stopped-early"
    if outside["same-instance"]:
        return "same-instance-left-out"
    column = table.columns[tag_of(keyword)]
    items = {len(table.cell(column, code).items) for code in set(column.codes) - {0}}
    if (lookup(tag_of(keyword)) or entries()[0]).vr == "SQ" and len(items) == 1:
        return "same-number-of-items"
    if keyword not in known.all():
        return "not-in-their-tables"
    classes = {group.cell.text for group in view.groups("SOPClassUID")} - {""}
    theirs = {known.of(uid).get(keyword, "") for uid in classes}
    if theirs == {""}:
        return "not-of-the-class-to-them"
    if "Series" in theirs and _level(keyword) == "study":
        return "of-the-series-to-them"
    uses = [use for uid in classes if (iod := iod_of(uid)) for use in iod.modules_of.get(tag_of(keyword), ())]
    return "module-not-seen" if uses and all(use.usage != "M" for use in uses) else None


def _level(keyword: str) -> str:
    """Whether a rule compares an attribute within a study, or within a series."""
    return catalogue()[min(comparing()[keyword])].level


def agree(disagreements: Sequence[Disagreement]) -> None:
    """Every disagreement is of a kind that the page explains."""
    counts = Counter((d.kind, "ours" if d.ours else "theirs") for d in disagreements)
    print(sorted(counts.items(), key=str))
    unexplained = [d for d in disagreements if d.kind not in KINDS]
    assert not unexplained, "\n".join(map(str, unexplained))


def known_kinds(messages: Counter[str]) -> None:
    """Every message that is not compared is of a kind that the page gives a reason for."""
    print(sorted(messages.items()))
    assert messages.keys() <= OUTSIDE, sorted(messages.keys() - OUTSIDE)


# -- the page


def test_a_message_of_no_known_form_fails() -> None:
    _, outside = dcentvfy_said("Error - Something that nobody has seen - Element=<PatientID>")
    with pytest.raises(AssertionError, match="Something that nobody has seen"):
        known_kinds(outside)


def test_the_page_explains_every_kind() -> None:
    explained = set(re.findall(r"^\| `([a-z-]+)` \|", PAGE.read_text("utf-8"), flags=re.MULTILINE))
    assert explained == KINDS | OUTSIDE
