"""How the clean studies are made: complete and consistent, each a list of instances."""

from heltig.demo.attributes import Attributes, code
from heltig.demo.cast import (
    CARDIOGRAPH,
    CATH_LAB,
    CR_READER,
    CT_FAST,
    CT_SCANNER,
    DX_ROOM,
    GAMMA_CAMERA,
    MAMMOGRAPH,
    MR_OPEN,
    MR_SCANNER,
    PET_SCANNER,
    PLANNING,
    ULTRASOUND,
    WORKSTATION,
)
from heltig.demo.exam import Exam, Series
from heltig.demo.modalities.documents import captured_screen, text_report, twelve_lead_ecg
from heltig.demo.modalities.functional import nm_whole_body, us_image
from heltig.demo.modalities.multiframe import enhanced_ct, enhanced_mr
from heltig.demo.modalities.projection import CC, MLO, cr_image, dx_image, mg_image, xa_run
from heltig.demo.modalities.radiotherapy import dose, plan, structure_set
from heltig.demo.modalities.segmentation import segmentation
from heltig.demo.modalities.tomography import (
    DIFFUSION,
    FLAIR,
    T1,
    T2,
    ct_localizer,
    ct_slices,
    mr_slices,
    pet_slices,
)
from heltig.demo.modalities.volume import Grid

BRAIN = code("12738006", "SCT", "Brain")
CHEST = code("51185008", "SCT", "Chest")
HAND = code("85562004", "SCT", "Hand")


def ct_chest(exam: Exam, *, slices: int = 40) -> list[Attributes]:
    """Chest CT: two localizers and one axial series."""
    frame = exam.uid("frame")
    scout = Series(exam, 1, "CT", CT_SCANNER, "Scout", 0, "CHEST", "Thorax nativ")
    axial = Series(exam, 2, "CT", CT_SCANNER, "Thorax 5.0", 90, "CHEST", "Thorax nativ")
    return ct_localizer(scout, frame=frame) + ct_slices(axial, Grid(slices, 5.0, 384.0), frame=frame)


def ct_liver(exam: Exam, *, slices: int = 36) -> list[Attributes]:
    """Upper abdomen CT in an arterial and a portal venous phase."""
    frame = exam.uid("frame")
    made: list[Attributes] = []
    for number, (phase, delay) in enumerate([("Arterial", 35), ("Venous", 75)], start=2):
        series = Series(exam, number, "CT", CT_FAST, f"Liver {phase}", 120 + delay, "ABDOMEN", "Liver 2P")
        made += ct_slices(series, Grid(slices, 3.0, 360.0), frame=frame, contrast=True)
    return made


def mr_brain(exam: Exam, *, slices: int = 24) -> list[Attributes]:
    """Brain MR: T1, T2, FLAIR and diffusion with three b-values."""
    frame, grid = exam.uid("frame"), Grid(slices, 5.0, 224.0)
    made: list[Attributes] = []
    for number, (name, weighting) in enumerate([("t1_se", T1), ("t2_tse", T2), ("flair", FLAIR)], start=1):
        series = _mr(exam, number, name, "BRAIN")
        made += mr_slices(series, grid, weighting, frame=frame)
    diffusion = _mr(exam, 4, "dwi_b0_b500_b1000", "BRAIN")
    return made + mr_slices(diffusion, grid, DIFFUSION, frame=frame, b_values=(0, 500, 1000))


def mr_spine(exam: Exam, *, slices: int = 15) -> list[Attributes]:
    """Lumbar spine MR, sagittal T1 and T2."""
    frame, grid = exam.uid("frame"), Grid(slices, 4.4, 288.0, orientation="sagittal")
    made: list[Attributes] = []
    for number, (name, weighting) in enumerate([("t1_sag", T1), ("t2_sag", T2)], start=1):
        made += mr_slices(_mr(exam, number, name, "LSPINE"), grid, weighting, frame=frame)
    return made


def _mr(exam: Exam, number: int, description: str, body_part: str) -> Series:
    device = MR_SCANNER if body_part == "BRAIN" else MR_OPEN
    return Series(exam, number, "MR", device, description, number * 300, body_part, description)


def cr_chest(exam: Exam) -> list[Attributes]:
    """Chest radiographs from behind and from the left, a series each."""
    frontal = Series(exam, 1, "CR", CR_READER, "Chest PA", 30, "CHEST")
    lateral = Series(exam, 2, "CR", CR_READER, "Chest LL", 90, "CHEST")
    return [
        cr_image(frontal, 1, view="PA", orientation=["L", "F"]),
        cr_image(lateral, 1, view="LL", orientation=["A", "F"]),
    ]


def dx_hand(exam: Exam) -> list[Attributes]:
    """Radiographs of the right hand in two projections."""
    series = Series(exam, 1, "DX", DX_ROOM, "Hand R", 30, "HAND")
    views = [("PA", ["R", "F"]), ("AP", ["L", "F"])]
    return [
        dx_image(series, number, view=view, orientation=orientation, laterality="R", region=HAND)
        for number, (view, orientation) in enumerate(views, start=1)
    ]


def mg_screening(exam: Exam) -> list[Attributes]:
    """Screening mammography: both breasts, cranio-caudal and medio-lateral oblique."""
    series = Series(exam, 1, "MG", MAMMOGRAPH, "Screening 4 views", 60, "BREAST")
    views = [("R", CC), ("L", CC), ("R", MLO), ("L", MLO)]
    return [
        mg_image(series, number, laterality=side, view=view)
        for number, (side, view) in enumerate(views, start=1)
    ]


def us_abdomen(exam: Exam) -> list[Attributes]:
    """Abdominal ultrasound: stills and two cine loops."""
    stills = Series(exam, 1, "US", ULTRASOUND, "Abdomen", 20, "ABDOMEN")
    loops = Series(exam, 2, "US", ULTRASOUND, "Abdomen cine", 240, "ABDOMEN")
    return [us_image(stills, number) for number in range(1, 7)] + [
        us_image(loops, number, frames=8) for number in (1, 2)
    ]


def pet_ct(exam: Exam, *, slices: int = 36) -> list[Attributes]:
    """Whole-body PET with its low-dose CT, in one frame of reference."""
    frame, grid = exam.uid("frame"), Grid(slices, 5.0, 480.0)
    ct = Series(exam, 2, "CT", PET_SCANNER, "CT AC", 60, "WHOLEBODY", "PET WB")
    pet = Series(exam, 3, "PT", PET_SCANNER, "PET WB AC", 300, "WHOLEBODY", "PET WB")
    return ct_slices(ct, grid, frame=frame) + pet_slices(pet, grid, frame=frame)


def nm_bone(exam: Exam) -> list[Attributes]:
    """Bone scintigraphy, whole body from the front and from behind."""
    return [nm_whole_body(Series(exam, 1, "NM", GAMMA_CAMERA, "WB bone", 60, "WHOLEBODY", "Bone WB"))]


def xa_coronary(exam: Exam) -> list[Attributes]:
    """Coronary angiography, three runs."""
    series = Series(exam, 1, "XA", CATH_LAB, "Left coronary", 600, "HEART", "Coronary")
    angles = [(-30.0, 0.0), (30.0, 25.0), (45.0, -20.0)]
    return [
        xa_run(series, number, frames=12, primary=primary, secondary=secondary)
        for number, (primary, secondary) in enumerate(angles, start=1)
    ]


def rt_plan(exam: Exam, *, slices: int = 30) -> list[Attributes]:
    """Radiotherapy: planning CT, structure set, plan and dose."""
    frame, grid = exam.uid("frame"), Grid(slices, 3.0, 480.0)
    images = ct_slices(
        Series(exam, 1, "CT", CT_FAST, "Planning CT", 0, "CHEST", "RT Thorax"),
        grid, frame=frame,
    )  # fmt: skip
    structures = structure_set(Series(exam, 2, "RTSTRUCT", PLANNING, "Structures", 3600), images, grid)
    treatment = plan(Series(exam, 3, "RTPLAN", PLANNING, "Plan AP", 5400), structures)
    return [
        *images,
        structures,
        treatment,
        dose(Series(exam, 4, "RTDOSE", PLANNING, "Dose", 5500), treatment, grid),
    ]


def ct_lungs_segmented(exam: Exam, *, slices: int = 24) -> list[Attributes]:
    """Chest CT with a segmentation of the lungs, a captured screen and a report."""
    frame, grid = exam.uid("frame"), Grid(slices, 5.0, 384.0)
    images = ct_slices(
        Series(exam, 1, "CT", CT_FAST, "Chest", 0, "CHEST", "Chest"),
        grid,
        frame=frame,
    )
    lungs = segmentation(Series(exam, 2, "SEG", WORKSTATION, "Lungs", 900, "CHEST"), images, grid)
    screen = captured_screen(Series(exam, 3, "OT", WORKSTATION, "Key view", 1000, "CHEST"), 1)
    finding = "No focal consolidation, no pleural effusion."
    report = text_report(Series(exam, 4, "SR", WORKSTATION, "Report", 1800), images[10:12], finding)
    return [*images, lungs, screen, report]


def resting_ecg(exam: Exam) -> list[Attributes]:
    """A resting ECG."""
    return [twelve_lead_ecg(Series(exam, 1, "ECG", CARDIOGRAPH, "12-lead ECG", 10))]


def enhanced_brain(exam: Exam) -> list[Attributes]:
    """One enhanced MR object: 20 frames with functional groups."""
    series = Series(exam, 1, "MR", MR_SCANNER, "t2_enhanced", 300, "BRAIN", "t2_enhanced")
    return [enhanced_mr(series, Grid(20, 5.0, 224.0), T2, frame=exam.uid("frame"), region=BRAIN)]


def enhanced_chest(exam: Exam) -> list[Attributes]:
    """One enhanced CT object: 30 frames with functional groups."""
    series = Series(exam, 1, "CT", CT_SCANNER, "Chest enhanced", 60, "CHEST", "Chest")
    return [enhanced_ct(series, Grid(30, 5.0, 384.0), frame=exam.uid("frame"), region=CHEST)]
