"""The labelled studies themselves, so that whoever keeps the evidence keeps what it is about."""

import io
import zipfile
from collections.abc import Sequence

from heltig.demo.samples import part10_files
from heltig.demo.studies import SyntheticStudy
from heltig.validation.rule_cases import case_file, shipped_rules

_LONG_AGO = (1980, 1, 1, 0, 0, 0)


def packed_samples(studies: Sequence[SyntheticStudy]) -> bytes:
    """A ZIP of the synthetic studies as files and of the cases of all rules; the same bytes each time."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for study in studies:
            for name, content in part10_files(study):
                _add(archive, f"studies/{study.name}/{name}", content)
        for rule in shipped_rules():
            _add(archive, f"cases/{rule.id}.yml", case_file(rule.id).read_bytes())
    return packed.getvalue()


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    archive.writestr(zipfile.ZipInfo(name, _LONG_AGO), content, zipfile.ZIP_DEFLATED)
