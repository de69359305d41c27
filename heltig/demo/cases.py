"""The table of the synthetic studies: clean ones, then others broken in one way each."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

from heltig.demo import broken, cast, clean
from heltig.demo.attributes import Attributes
from heltig.demo.exam import Exam, Person, Site
from heltig.verdict import Readiness

UTF8_NORDTAL = replace(cast.NORDTAL, charset=("ISO_IR 192",))


@dataclass(frozen=True)
class Case:
    """How one synthetic study is made.

    Attributes:
        name: Short name, unique within the set.
        title: What it is and what is wrong with it.
        person: The patient.
        site: The institution.
        description: Study Description.
        build: Makes the instances of the exam.
        expectation: The readiness that the default profile gives it.
        rules: Rules that find what is wrong.
        spoil: Breaks the instances.
        year: Year of the study.
        withheld: How many instances, the last ones, the archive counts and does not show.
        file_values: Value bytes by tag that the files have instead of what the data sets show.
        file_rules: Rules that find what is wrong in the files, where they are others.
    """

    name: str
    title: str
    person: Person
    site: Site
    description: str
    build: Callable[[Exam], list[Attributes]]
    expectation: Readiness = "READY"
    rules: tuple[str, ...] = ()
    spoil: Callable[[list[Attributes]], None] | None = None
    year: int = 2024
    withheld: int = 0
    file_values: Mapping[str, bytes] = field(default_factory=dict)
    file_rules: tuple[str, ...] | None = None


CLEAN = (
    Case(
        "ct-chest", "Chest CT with localizers",
        cast.MUELLER, cast.NORDTAL, "CT Thorax", clean.ct_chest,
    ),
    Case(
        "ct-liver", "Liver CT in two contrast phases",
        cast.PAPPAS, cast.AIGLI, "CT ήπατος", clean.ct_liver,
    ),
    Case(
        "mr-brain", "Brain MR with three b-values",
        cast.YAMADA, cast.AOBA, "頭部MRI", clean.mr_brain,
    ),
    Case(
        "mr-spine", "Lumbar spine MR, sagittal",
        cast.KIM, cast.HANBIT, "요추 MRI", clean.mr_spine,
    ),
    Case(
        "cr-chest", "Chest radiographs",
        cast.PETROV, cast.BEREZY, "Рентген грудной клетки", clean.cr_chest,
    ),
    Case(
        "dx-hand", "Hand radiographs",
        cast.KOWALSKI, cast.LIPOWO, "RTG dłoni prawej", clean.dx_hand,
    ),
    Case(
        "mg-screening", "Mammography, four views",
        cast.OKAFOR, cast.HARBOUR, "Screening", clean.mg_screening,
    ),
    Case(
        "us-abdomen", "Ultrasound with cine loops",
        cast.ZHANG, cast.QINGHE, "腹部超声", clean.us_abdomen,
    ),
    Case(
        "pet-ct", "Whole-body PET/CT",
        cast.SUZUKI, cast.AOBA, "全身PET/CT", clean.pet_ct,
    ),
    Case(
        "nm-bone", "Bone scintigraphy",
        cast.SCHAEFER, cast.NORDTAL, "Skelettszintigrafie", clean.nm_bone,
    ),
    Case(
        "xa-coronary", "Coronary angiography",
        cast.FENWICK, cast.HARBOUR, "Coronary angio", clean.xa_coronary,
    ),
    Case(
        "rt-chain", "Planning CT, structures, plan, dose",
        cast.IVANOVA, cast.BEREZY, "План облучения", clean.rt_plan,
    ),
    Case(
        "ct-lungs", "CT with SEG, capture and report",
        cast.OKAFOR, cast.HARBOUR, "CT chest", clean.ct_lungs_segmented,
    ),
    Case(
        "ecg", "Resting ECG",
        cast.ELENI, cast.AIGLI, "ΗΚΓ", clean.resting_ecg,
    ),
    Case(
        "mr-enhanced", "Enhanced MR object",
        cast.CHOI, cast.HANBIT, "뇌 MRI", clean.enhanced_brain,
    ),
    Case(
        "ct-enhanced", "Enhanced CT object",
        cast.WANG, cast.QINGHE, "胸部CT", clean.enhanced_chest,
    ),
)  # fmt: skip

BROKEN = (
    Case(
        "two-patient-ids", "One study under two PatientIDs",
        cast.BRANDT, cast.NORDTAL, "CT Thorax",
        partial(clean.ct_chest, slices=22), "BLOCKED", ("PAT-ID-CONFLICT",), broken.second_patient_id,
    ),
    Case(
        "patient-id-empty", "PatientID empty",
        cast.HOLT, cast.HARBOUR, "CT chest",
        partial(clean.ct_chest, slices=18), "BLOCKED", ("PAT-ID-EMPTY",), broken.with_value("PatientID", ""),
    ),
    Case(
        "patient-id-placeholder", "PatientID is UNKNOWN",
        cast.ADEYEMI, cast.HARBOUR, "US abdomen",
        clean.us_abdomen, "NEEDS_REVIEW", ("PAT-ID-PLACEHOLDER",), broken.with_value("PatientID", "UNKNOWN"),
    ),
    Case(
        "age-mismatch", "PatientAge contradicts the birth date",
        cast.PAPPAS, cast.AIGLI, "Σπινθηρογράφημα",
        clean.nm_bone, "NEEDS_REVIEW", ("PAT-AGE-MISMATCH",), broken.with_value("PatientAge", "007Y"),
    ),
    Case(
        "date-impossible", "A birth date that no calendar has",
        cast.GEORGIOU, cast.AIGLI, "Μαστογραφία",
        clean.mg_screening, "NEEDS_REVIEW", ("VAL-DA",), broken.with_value("PatientBirthDate", "19740230"),
    ),
    Case(
        "date-future", "The scanner's clock is 75 years ahead",
        cast.CHOI, cast.HANBIT, "요추 MRI",
        partial(clean.mr_spine, slices=11), "NEEDS_REVIEW", ("STU-DATE-FUTURE",), year=2099,
    ),
    Case(
        "accession-empty", "AccessionNumber empty",
        cast.KIM, cast.HANBIT, "흉부 CT",
        partial(clean.ct_chest, slices=20), "READY", ("STU-ACCESSION-EMPTY",),
        broken.with_value("AccessionNumber", ""),
    ),
    Case(
        "count-mismatch", "The archive counts more than it delivers",
        cast.MUELLER, cast.NORDTAL, "CT Leber",
        partial(clean.ct_liver, slices=15), "BLOCKED", ("SRC-SERIES-COUNT",), withheld=4, file_rules=(),
    ),
    Case(
        "modality-mixed", "Two modalities in one series",
        cast.YAMADA, cast.AOBA, "全身PET/CT",
        partial(clean.pet_ct, slices=20), "BLOCKED", ("SER-MODALITY-MIXED",), broken.modality_mixed,
    ),
    Case(
        "modality-missing", "Modality, type 1, is missing",
        cast.ZHANG, cast.QINGHE, "脑部MRI",
        partial(clean.mr_spine, slices=9), "BLOCKED", ("SER-MODALITY-MISSING",), broken.lacking("Modality"),
    ),
    Case(
        "laterality-missing", "A knee without its side",
        cast.PETROV, cast.BEREZY, "Рентген колена",
        broken.knee_without_laterality, "NEEDS_REVIEW", ("SER-LATERALITY",),
    ),
    Case(
        "uid-duplicate", "Two different images, one SOP Instance UID",
        cast.ZIELINSKA, cast.LIPOWO, "MR kręgosłupa",
        partial(clean.mr_spine, slices=13), "BLOCKED", ("INS-SOPUID-DUP-DIFF",), broken.two_images_one_uid,
    ),
    Case(
        "slices-missing", "Three slices of a series are missing",
        cast.SUZUKI, cast.AOBA, "肝臓CT",
        partial(clean.ct_liver, slices=32), "NEEDS_REVIEW", ("INS-NUMBER-GAP", "GEO-SLICE-GAP"),
        broken.slices_missing,
    ),
    Case(
        "orientation-mixed", "Localizers among the axial slices",
        cast.ELENI, cast.AIGLI, "CT θώρακος",
        partial(clean.ct_chest, slices=24), "NEEDS_REVIEW", ("INS-LOCALIZER-MIXED",),
        broken.localizers_among_slices,
    ),
    Case(
        "uid-letters", "Letters in the Study Instance UID",
        cast.FENWICK, cast.HARBOUR, "Coronary angio",
        clean.xa_coronary, "BLOCKED", ("UID-CHARS",), broken.study_uid_with_letters,
    ),
    Case(
        "uid-too-long", "A Study Instance UID of 70 characters",
        cast.CHOI, cast.HANBIT, "흉부 CT",
        partial(clean.ct_chest, slices=16), "BLOCKED", ("UID-TOO-LONG",), broken.study_uid_too_long,
    ),
    Case(
        "uid-leading-zero", "UID components with leading zeros",
        cast.MUELLER, cast.NORDTAL, "CT Leber",
        partial(clean.ct_liver, slices=10), "NEEDS_REVIEW", ("UID-LEADING-ZERO",),
        broken.series_uids_with_leading_zeros,
    ),
    Case(
        "charset-wrong", "A Latin-1 name declared as UTF-8",
        cast.KOENIG, UTF8_NORDTAL, "Röntgen Thorax",
        clean.cr_chest, "NEEDS_REVIEW", ("CHR-REPLACEMENT",),
        broken.with_value("PatientName", "K\ufffdnig^J\ufffdrg"),
        file_values={"00100010": "König^Jörg".encode("latin-1")}, file_rules=("CHR-UNDECODABLE",),
    ),
    Case(
        "charset-double", "A name encoded in UTF-8 twice",
        cast.JAEGER, UTF8_NORDTAL, "Röntgen Hand",
        clean.dx_hand, "NEEDS_REVIEW", ("CHR-REPLACEMENT",), broken.double_encoded_name,
    ),
    Case(
        "cs-lower-case", "Lower case in a code string",
        cast.ZIELINSKA, cast.LIPOWO, "TK wątroby",
        partial(clean.ct_liver, slices=10), "NEEDS_REVIEW", ("VAL-CS",),
        broken.with_value("ScanOptions", "Helical"),
    ),
    Case(
        "ds-too-long", "Decimal strings of more than 16 characters",
        cast.KIM, cast.HANBIT, "요추 MRI",
        partial(clean.mr_spine, slices=11), "NEEDS_REVIEW", ("VAL-IS-DS",), broken.long_decimals,
    ),
    Case(
        "private-no-creator", "A private element without its creator",
        cast.WANG, cast.QINGHE, "肝脏CT",
        partial(clean.ct_liver, slices=8), "READY", ("VAL-PRIVATE-CREATOR",), broken.private_without_creator,
    ),
)  # fmt: skip
