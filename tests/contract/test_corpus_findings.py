"""The commonest findings in real files, each held against what pydicom reads in the files that it names."""

import logging
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom import config
from pydicom.datadict import dictionary_is_retired
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.uid import ExplicitVRBigEndian

from heltig.pipeline.check import check
from heltig.rules.finding import Finding
from heltig.rules.profile import DEFAULT

pytestmark = pytest.mark.corpus

Instances = Sequence[Dataset]
"""The files of one SOPInstanceUID: collections that are no study have several."""

Oracle = Callable[[Finding, Instances, "Files"], bool]
"""Whether what a finding says is so, by the files of one of the instances that it names."""


class Files:
    """Every file, as pydicom reads it."""

    def __init__(self, corpus: Path) -> None:
        self.by_instance: dict[str, list[Dataset]] = defaultdict(list)
        self.by_series: dict[str, list[Dataset]] = defaultdict(list)
        self.by_study: dict[str, list[Dataset]] = defaultdict(list)
        for path in sorted(path for path in corpus.rglob("*") if path.is_file()):
            with suppress(Exception):  # what pydicom cannot read is in no finding here
                self._add(pydicom.dcmread(path, force=True, defer_size=65536))

    def _add(self, dataset: Dataset) -> None:
        self.by_instance[str(dataset.get("SOPInstanceUID", ""))].append(dataset)
        self.by_series[str(dataset.get("SeriesInstanceUID", ""))].append(dataset)
        self.by_study[str(dataset.get("StudyInstanceUID", ""))].append(dataset)


@pytest.fixture(autouse=True)
def _lenient_pydicom(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(config.settings, "reading_validation_mode", config.IGNORE)
    logging.getLogger("pydicom").setLevel(logging.CRITICAL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
    logging.getLogger("pydicom").setLevel(logging.WARNING)


def test_the_commonest_findings_say_what_is_in_the_files(corpus: Path) -> None:
    files = Files(corpus)
    wrong, looked_at = [], defaultdict(int)
    for study in check([corpus], DEFAULT, reference_date=date(2026, 6, 1)).studies:
        for finding in study.findings:
            oracle = ORACLES.get(finding.rule)
            for instance in finding.instances if oracle else ():
                if found := files.by_instance.get(instance):
                    looked_at[finding.rule] += 1
                    if not oracle(finding, found, files):
                        wrong.append((finding.rule, finding.tags, finding.observed, instance))
    assert wrong == []
    assert {rule for rule in ORACLES if not looked_at[rule]} == set()


def values_at(dataset: Dataset, path: str) -> list[Any]:
    """What stands at a path of tags, in every item; a value of None where the last one is absent or empty."""
    tag, _, rest = path.partition("/")
    element = dataset.get(int(tag, 16))
    if rest:
        items = element.value if element is not None and element.VR == "SQ" else []
        return [value for item in items for value in values_at(item, rest)]
    if element is None or element.value is None or element.value == "" or element.value == b"":
        return [None]
    return [element.value]


def has(dataset: Dataset, path: str) -> bool:
    return any(value is not None for value in values_at(dataset, path))


def is_empty(finding: Finding, found: Instances, _: Files) -> bool:
    """The attribute is absent, or has no value."""
    return any(not str(dataset.get(int(finding.tags[0], 16), "")).strip() or not has(dataset, finding.tags[0])
               for dataset in found)  # fmt: skip


def is_missing_somewhere(finding: Finding, found: Instances, _: Files) -> bool:
    """Each attribute is absent or empty, in the data set or in some item that should have it."""
    return all(any(None in values_at(dataset, tag) for dataset in found) for tag in finding.tags)


def is_present(finding: Finding, found: Instances, files: Files) -> bool:
    """Some of the attributes are there, and each somewhere in the study."""
    study = of_study(found[0], files)
    return any(stands(dataset, tag) for dataset in found for tag in finding.tags) and all(
        any(stands(dataset, tag) for dataset in study) for tag in finding.tags
    )


def stands(dataset: Dataset, path: str) -> bool:
    """Whether an element is there, with a value or without."""
    tag, _, rest = path.partition("/")
    element = dataset.get(int(tag, 16))
    if element is None:
        return False
    return any(stands(item, rest) for item in element.value) if rest else True


def is_retired(finding: Finding, found: Instances, files: Files) -> bool:
    return is_present(finding, found, files) and all(
        dictionary_is_retired(int(tag.rpartition("/")[2], 16)) for tag in finding.tags
    )


def names_another_object(_: Finding, found: Instances, files: Files) -> bool:
    return any(
        dataset.file_meta.get("MediaStorageSOPInstanceUID") != dataset.get("SOPInstanceUID")
        or dataset.file_meta.get("MediaStorageSOPClassUID") != dataset.get("SOPClassUID")
        for dataset in found
    )


def is_several_times(_: Finding, found: Instances, files: Files) -> bool:
    return len(found) > 1


def refers_elsewhere(finding: Finding, found: Instances, files: Files) -> bool:
    """Some instance that it refers to there is not in its study."""
    return any(
        value is not None
        and str(value) not in {str(d.get("SOPInstanceUID")) for d in of_study(dataset, files)}
        for dataset in found
        for tag in finding.tags
        for value in values_at(dataset, tag)
    )


def of_study(dataset: Dataset, files: Files) -> Instances:
    return files.by_study[str(dataset.get("StudyInstanceUID", ""))]


def is_lossy_without(finding: Finding, found: Instances, _: Files) -> bool:
    is_lossy = any(str(dataset.get("LossyImageCompression")) == "01" for dataset in found)
    return is_lossy and all(any(not has(dataset, tag) for dataset in found) for tag in finding.tags)


def has_several_syntaxes(_: Finding, found: Instances, files: Files) -> bool:
    series = files.by_series[str(found[0].get("SeriesInstanceUID", ""))]
    return len({str(dataset.file_meta.get("TransferSyntaxUID")) for dataset in series}) > 1


def is_no_age(finding: Finding, found: Instances, _: Files) -> bool:
    values = [str(value) for dataset in found for value in values_at(dataset, finding.tags[0]) if value]
    return any(len(value) != 4 or not value[:3].isdigit() or value[3] not in "DWMY" for value in values)


def is_of_another_vr(_: Finding, found: Instances, __: Files) -> bool:
    """OB where the standard wants OW, or the other way round (PS3.5 A.1 to A.4)."""

    def is_other(dataset: Dataset) -> bool:
        syntax = dataset.file_meta.get("TransferSyntaxUID")
        if (
            syntax is not None
            and pydicom.uid.UID(syntax).is_compressed
            and not pydicom.uid.UID(syntax).is_deflated
        ):
            return bool(dataset["PixelData"].VR != "OB")
        wide = int(dataset.get("BitsAllocated", 8)) > 8
        return bool(("OB" if wide else "OW") == dataset["PixelData"].VR) or syntax == ExplicitVRBigEndian

    return any(is_other(dataset) for dataset in found if "PixelData" in dataset)


def has_no_creator(finding: Finding, found: Instances, _: Files) -> bool:
    """Its block is not reserved, or it is in none (PS3.5 7.8.1)."""

    def is_in_no_block(dataset: Dataset, tag: str) -> bool:
        return stands(dataset, tag) and (tag[4:] < "1000" or not has(dataset, f"{tag[:4]}00{tag[4:6]}"))

    return all("/" in tag or any(is_in_no_block(dataset, tag) for dataset in found) for tag in finding.tags)


def has_a_preamble(_: Finding, found: Instances, __: Files) -> bool:
    return any(dataset.preamble != bytes(128) for dataset in found)


def is_zero(finding: Finding, found: Instances, _: Files) -> bool:
    def is_nought(value: Any) -> bool:
        several = value if isinstance(value, MultiValue) else [value]
        return any(float(one) == 0 for one in several if one not in (None, ""))

    return any(
        is_nought(v) for d in found for tag in finding.tags for v in values_at(d, tag) if v is not None
    )


def is_born_out_of_reach(_: Finding, found: Instances, __: Files) -> bool:
    def is_so(dataset: Dataset) -> bool:
        born, studied = str(dataset.get("PatientBirthDate", "")), str(dataset.get("StudyDate", ""))
        return bool(born) and (born > (studied or "9") or int(studied[:4] or 2026) - int(born[:4]) > 130)

    return any(is_so(dataset) for dataset in found)


def shares_its_number(_: Finding, found: Instances, files: Files) -> bool:
    def series_of(dataset: Dataset) -> set[str]:
        return {
            str(other.get("SeriesInstanceUID"))
            for other in of_study(dataset, files)
            if str(other.get("SeriesNumber")) == str(dataset.get("SeriesNumber"))
        }

    return any(len(series_of(dataset)) > 1 for dataset in found)


ORACLES: dict[str, Oracle] = {
    "STU-ACCESSION-EMPTY": is_empty,
    "IOD-EXTENDED": is_present,
    "IOD-TYPE2": is_missing_somewhere,
    "STU-DATE-EMPTY": is_empty,
    "PAT-ID-EMPTY": is_empty,
    "IOD-MODULE": is_missing_somewhere,
    "VAL-RETIRED": is_retired,
    "REF-IMAGE-ABSENT": refers_elsewhere,
    "ENC-META-MISMATCH": names_another_object,
    "VAL-CODE-SEQ": is_present,
    "SER-NUMBER-EMPTY": is_empty,
    "PIX-LOSSY-PAIR": is_lossy_without,
    "INS-SOPUID-DUP-DIFF": is_several_times,
    "IOD-TYPE2C": is_missing_somewhere,
    "IOD-OPTIONAL-PART": is_missing_somewhere,
    "INS-SOPUID-DUP-SAME": is_several_times,
    "INS-NUMBER-EMPTY": is_empty,
    "SER-TS-MIXED": has_several_syntaxes,
    "VAL-AS": is_no_age,
    "IOD-TYPE1C": is_missing_somewhere,
    "PIX-VR": is_of_another_vr,
    "VAL-PRIVATE-CREATOR": has_no_creator,
    "DEI-TABLE-X": is_present,
    "ENC-PREAMBLE": has_a_preamble,
    "REF-SOURCE-ELSEWHERE": refers_elsewhere,
    "VAL-ZERO-UNKNOWN": is_zero,
    "IOD-TYPE1": is_missing_somewhere,
    "SER-MODALITY-MISSING": is_empty,
    "PAT-DOB-FUTURE": is_born_out_of_reach,
    "SER-NUMBER-DUP": shares_its_number,
}
"""The thirty rules that speak in most studies, see docs/corpus.md."""
