"""Real studies with one labelled defect each: the rule that is there for it has to find it.

The fault injector is part of the shared corpus' tools; the test says so and skips where it is absent.
"""

import json
import os
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from heltig.pipeline.check import check
from heltig.rules.profile import DEFAULT

NAMED = "named in the account of the input"
"""What documents and programs beside images come to: they are no part of a study."""

FOUND_BY = {
    "dup_sop_diff_content": {"INS-SOPUID-DUP-DIFF"},
    "exact_duplicate": {"INS-SOPUID-DUP-SAME"},
    "sop_in_two_series": {"INS-SOPUID-TWO-SERIES"},
    "study_two_patient_ids": {"PAT-ID-CONFLICT"},
    "study_two_patient_names": {"PAT-NAME-CONFLICT"},
    "patient_two_birthdates": {"PAT-DOB-CONFLICT"},
    "patient_two_sexes": {"PAT-SEX-CONFLICT"},
    "series_in_two_studies": {"SER-TWO-STUDIES"},
    "study_two_accessions": {"STU-ACCESSION-CONFLICT"},
    "study_two_dates": {"STU-DATE-CONFLICT"},
    "missing_study_instance_uid": {"STU-UID-MISSING"},
    "missing_series_instance_uid": {"SER-UID-MISSING"},
    "missing_sop_instance_uid": {"INS-SOPUID-MISSING"},
    "missing_sop_classuid": {"INS-SOPUID-MISSING"},
    "missing_patientid": {"PAT-ID-EMPTY"},
    "missing_accession_number": {"STU-ACCESSION-EMPTY"},
    "missing_study_date": {"STU-DATE-EMPTY"},
    "missing_modality": {"SER-MODALITY-MISSING"},
    "empty_patientid": {"PAT-ID-EMPTY"},
    "empty_studyinstanceuid": {"STU-UID-MISSING"},
    "empty_modality": {"SER-MODALITY-MISSING"},
    "uid_leading_zero": {"UID-LEADING-ZERO"},
    "uid_too_long": {"UID-TOO-LONG"},
    "uid_letters": {"UID-CHARS"},
    "uid_trailing_dot": {"UID-EMPTY-COMPONENT"},
    "charset_undecodable": {"CHR-UNDECODABLE"},
    "charset_missing": {"CHR-MISSING", "CHR-UNDECODABLE"},
    "charset_unknown_term": {"CHR-TERM"},
    "charset_bad_escape": {"CHR-CODE-EXT", "CHR-UNDECODABLE"},
    "dup_instance_number": {"INS-NUMBER-DUP"},
    "mixed_modality": {"SER-MODALITY-MIXED"},
    "modality_unknown": {"VAL-DEFTERM"},
    "future_study_date": {"STU-DATE-FUTURE"},
    "study_before_birth": {"PAT-DOB-FUTURE"},
    "age_vs_birthdate": {"PAT-AGE-MISMATCH"},
    "invalid_date": {"VAL-DA"},
    "date_with_dots": {"VAL-DA"},
    "invalid_sex": {"PAT-SEX-ENUM"},
    "is_not_numeric": {"VAL-IS-DS"},
    "sh_too_long": {"STU-ACCESSION-LEN", "VAL-LENGTH"},
    "cs_illegal": {"VAL-CS"},
    "control_chars": {"CHR-CONTROL"},
    "truncated_file": {"ENC-TRUNCATED"},
    "truncated_header": {"ENC-TRUNCATED"},
    "length_overrun": {"ENC-TRUNCATED"},
    "zero_byte_file": {"SRC-NOT-DICOM"},
    "non_dicom_file": {"SRC-NOT-DICOM"},
    "meta_sop_mismatch": {"ENC-META-MISMATCH"},
    "meta_class_mismatch": {"ENC-META-MISMATCH"},
    "no_preamble": {"ENC-PREFIX-MISSING"},
    "no_file_meta": {"ENC-META-MISSING"},
    "missing_transfer_syntax": {"ENC-META-MISSING"},
    "explicit_declared_implicit_written": {"ENC-IMPLICIT-IN-EXPLICIT"},
    "implicit_declared_explicit_written": {"ENC-IMPLICIT-IN-EXPLICIT"},
    "group_length_elements": {"ENC-GROUP-LENGTH"},
    "big_endian": {"ENC-TS-RETIRED"},
    "unknown_transfer_syntax": {"ENC-TS-UNKNOWN"},
    "corrupt_vr": {"VAL-VR-DICT"},
    "mixed_matrix": {"PIX-SERIES-SHAPE"},
    "pixel_length_mismatch": {"PIX-LENGTH"},
    "pixel_data_short": {"PIX-LENGTH"},
    "pixel_data_missing": {"PIX-DATA-MISSING"},
    "bits_stored_invalid": {"PIX-BITS-RELATION"},
    "frames_mismatch": {"PIX-FRAMES", "PIX-LENGTH"},
    "missing_slice": {"GEO-SLICE-GAP"},
    "mixed_orientation": {"GEO-IOP-MIXED"},
    "dup_slice_position": {"GEO-SLICE-DUP"},
    "mixed_pixel_spacing": {"GEO-SPACING-MIXED"},
    "mixed_frame_of_reference": {"GEO-FOR-MIXED"},
    "missing_image_position": {"GEO-IPP-IOP-MISSING"},
    "private_sop_class": {"IOD-SOP-UNKNOWN"},
    "sop_class_modality_mismatch": {"IOD-SOP-MODALITY"},
    "deid_burned_in": {"DEI-BURNED"},
    "deid_patient_name": {"DEI-CLAIM-NAME"},
    "deid_birth_date": {"DEI-CLAIM-NAME"},
    "deid_name_in_comment": {"DEI-FREETEXT"},
    "deid_name_in_sequence": {"DEI-TABLE-X"},
    "deid_name_in_private": {"DEI-FREETEXT"},
    "deid_institution": {"DEI-TABLE-X"},
    "deid_flag_missing": {"DEI-MIXED"},
    "deid_method_missing": {"DEI-METHOD"},
    "zip_slip": {"SRC-ZIP-SAFE"},
    "zip_absolute_path": {"SRC-ZIP-SAFE"},
    "zip_symlink": {"SRC-ZIP-SAFE"},
    "zip_bomb": {"SRC-ZIP-SAFE"},
    "zip_many_entries": {"SRC-ZIP-SAFE"},
    "zip_encrypted_member": {"SRC-ZIP-SAFE"},
    "zip_bad_crc": {"SRC-ZIP-SAFE"},
    "zip_truncated": {"SRC-ZIP-SAFE"},
    "zip_duplicate_names": {"SRC-ZIP-SAFE"},
    "zip_case_collision": {"SRC-ZIP-SAFE"},
    "zip_bad_name": {"SRC-ZIP-SAFE"},
    "zip_unsupported_method": {"SRC-ZIP-SAFE"},
    "zip_dicomdir": {"SRC-DICOMDIR"},
    "zip_nested": {"SRC-ZIP-NESTED"},
    "zip_non_dicom_members": {NAMED},
}
"""The defects of the families there are, with the rules that may find them."""

UNDECIDABLE = {
    ("CT", "dup_instance_number"): "a series of four images of three acquisitions, where numbers may repeat",
    ("enhanced", "dup_instance_number"): "each object is an acquisition of its own, where numbers may repeat",
    ("CT", "sop_class_modality_mismatch"): "a Secondary Capture may be of any Modality",
    ("implicit VR", "truncated_header"): "cut between two elements: what is missing is told, no cut is seen",
}
"""What no rule could find on a base, and why."""

OF_PACKAGES = {fault for fault in FOUND_BY if fault.startswith("zip_")}
PACKED = "CT"
"""The base whose packages are tried: a defect of a ZIP is in none of the images."""

MOST_FILES = 12
"""Of a base; enough for a slice to be missing between others."""

BASES = {
    "CT": "gh_neurolabusc__dcm_qa_ct",
    "MR": "gh_neurolabusc__dcm_qa_nih",
    "MR of another maker": "gh_neurolabusc__dcm_qa_philips",
    "enhanced": "gh_neurolabusc__dcm_qa_enh",
    "compressed": "gh_icometrix__dicom2nifti/tests/data/generic/compressed_jpegls",
    "sagittal": "gh_FNNDSC__SAG-anon",
    "implicit VR": "gh_icometrix__dicom2nifti/tests/data/hitachi/anatomical",
}


@pytest.fixture(scope="module")
def injector() -> Path:
    """The fault injector's script."""
    default = Path(__file__).parents[2].parent / "shared" / "tools"
    path = Path(os.environ.get("HELTIG_TEST_TOOLS", default)) / "fault_inject.py"
    if not path.exists():
        pytest.skip(f"no fault injector: {path} is not there (HELTIG_TEST_TOOLS names its folder)")
    return path


def judged(path: Path):
    return check([path], DEFAULT, reference_date=date(2026, 6, 1), deep=True)


def rules_of(report):
    findings = [finding for study in report.studies for finding in study.findings]
    findings += [finding for given in report.inputs for finding in given.findings]
    named = {(NAMED, ()) for given in report.inputs if given.skipped}
    return named | {(finding.rule, finding.tags) for finding in findings}


@pytest.mark.corpus
@pytest.mark.parametrize("base", BASES)
def test_injected_faults_are_found_and_controls_gain_no_finding(base, injector, corpus, tmp_path):
    out = tmp_path / "out"
    faults = FOUND_BY.keys() if base == PACKED else FOUND_BY.keys() - OF_PACKAGES
    command = [sys.executable, injector, "run", "--in", corpus / BASES[base], "--out", out, "--seed", "7"]
    command += ["--max-files", str(MOST_FILES), "--only", ",".join(faults)]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    control, rewritten = judged(out / "00_control" / "files"), judged(out / "00_control_rewrite" / "files")
    assert rules_of(control) == rules_of(rewritten)
    labels = [json.loads(line) for line in (out / "labels.jsonl").read_text("utf-8").splitlines()]
    assert {label["id"] for label in labels} == faults
    tried, missed = 0, []
    for label in labels:
        if not label["applicable"] or (base, label["id"]) in UNDECIDABLE:
            continue
        tried += 1
        package = out / label["id"] / "upload.zip"
        report = judged(package if label["category"] == "package" else out / label["id"] / "files")
        assert [error for study in report.studies for error in study.errors] == []
        gained = rules_of(report) - rules_of(control)
        if not FOUND_BY[label["id"]] & {rule for rule, _ in gained}:
            missed.append((label["id"], sorted(gained)))
    assert tried >= 40
    assert missed == []
