"""Which series is measured: phantom P13 (a zoo of twelve series), every rejection, every level, languages."""

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heltig.errors import ConfigurationError
from heltig.imaging.planes import LEFT_OUT
from heltig.imaging.reading import survey
from heltig.imaging.refusal import CODES
from heltig.imaging.selection.candidates import Candidate, Phase, Reason
from heltig.imaging.selection.codes import POLICY_CODES, REJECTIONS, WARNINGS
from heltig.imaging.selection.policy import shipped, site_policy
from heltig.imaging.selection.preferring import preference_of, sequence_rank
from heltig.imaging.selection.ranking import LEVELS
from heltig.imaging.selection.request import Request
from heltig.imaging.selection.selecting import Audit, Entry, select, select_series
from heltig.imaging.volume import Technique

from .phantom import Box, Phantom, encode, series


def a_series(uid: str = "1.2.3", **what: Any) -> Candidate:
    """140 axial slices of 1 mm by a kernel that says nothing; what a test names is otherwise."""
    technique = {name: what.pop(name) for name in list(what) if name in Technique.__dataclass_fields__}
    facts: dict[str, Any] = {
        "study_instance_uid": "1.2",
        "series_instance_uid": uid,
        "first_sop_instance_uid": f"{uid}.1",
        "technique": Technique(**{"modality": "CT", "series_number": 1, **technique}),
        "image_types": (("ORIGINAL", "PRIMARY", "AXIAL"),),
        "slices": 140,
        "spacing": (0.8, 0.8, 1.0),
    }
    return Candidate(**facts | what)


def reasons(audit: Audit) -> set[str]:
    return {reason.code for entry in audit.entries for reason in entry.reasons}


ZOO = [
    a_series("1.1", series_number=1, series_description="Topogram 0.6 T20s", slices=25),
    a_series("1.2", series_number=2, series_description="Abdomen p. moles 1.0 Br38", kernel="Br38f\\3"),
    a_series("1.3", series_number=3, series_description="Abdomen osso 1.0 Br64", kernel="Br64f\\3"),
    a_series("1.4", series_number=4, series_description="PULMÃO 1.0 Bl57", kernel="Bl57f\\3"),
    a_series(
        "1.5", series_number=5, series_description="Abdomen 5.0 Br38", slices=28, spacing=(0.8, 0.8, 5.0)
    ),
    a_series(
        "1.6", series_number=6, series_description="Abdomen 1.0 kurz Br38", kernel="Br38f\\3", slices=60
    ),
    a_series("1.7", series_number=7, image_types=(("DERIVED", "PRIMARY", "MIP"),)),
    a_series("1.8", series_number=8, series_description="Perfusion 4D", volumes=20),
    a_series("1.9", series_number=9, image_types=(("DERIVED", "SECONDARY", "AXIAL"),)),
    a_series("1.10", series_number=10, refused=(Reason("GEOMETRY_MISSING_SLICE", "1 missing in 1 gaps"),)),
    a_series(
        "1.11", series_number=11, series_description="Abdomen 0.6 Br64", slices=234, spacing=(0.8, 0.8, 0.6)
    ),
    a_series("1.12", technique=Technique(modality=""), refused=(Reason("NO_SLICE", "3 objects"),), slices=0),
]
"""P13. None of them is surveyed from images: a candidate is all that the policy looks at."""


# -- P13: one winner, the whole order, whatever the order of the series


def test_zoo_has_one_winner_and_an_entry_of_every_series() -> None:
    audit = select(ZOO, request=Request(slice_metrics=True))
    outcomes = [(entry.series_instance_uid, entry.outcome, entry.decided_by) for entry in audit.entries]
    assert outcomes == [
        ("1.2", "selected", "preference"),
        ("1.11", "ranked", "preference"),
        ("1.3", "ranked", "preference"),
        ("1.5", "ranked", "slice_mm"),
        ("1.6", "ranked", "coverage_tier"),
        ("1.1", "rejected", ""),
        ("1.4", "rejected", ""),
        ("1.7", "rejected", ""),
        ("1.8", "rejected", ""),
        ("1.9", "rejected", ""),
        ("1.10", "rejected", ""),
        ("1.12", "rejected", ""),
    ]
    assert [entry.rank for entry in audit.entries][:6] == [1, 2, 3, 4, 5, None]
    assert audit.policy == "select/1"
    assert audit.winner is audit.entries[0]
    assert audit.winner.hints == ("br3[0-9]*", "moles")


def test_rejected_of_the_zoo_have_their_reasons() -> None:
    found = {entry.series_instance_uid: entry.reasons for entry in select(ZOO).entries if entry.reasons}
    assert {uid: [reason.code for reason in given] for uid, given in found.items()} == {
        "1.1": ["DESCRIPTION_UNWANTED"],
        "1.4": ["DESCRIPTION_LUNG"],
        "1.7": ["IMAGE_REFORMATTED"],
        "1.8": ["SEVERAL_VOLUMES"],
        "1.9": ["IMAGE_DERIVED"],
        "1.10": ["GEOMETRY_MISSING_SLICE"],
        "1.12": ["NO_SLICE"],
    }


@settings(max_examples=40)
@given(st.permutations(ZOO))
def test_order_of_series_changes_nothing(shuffled: list[Candidate]) -> None:
    assert select(shuffled) == select(ZOO)


@settings(max_examples=40)
@given(st.lists(st.sampled_from(ZOO), unique_by=lambda one: one.series_instance_uid), st.data())
def test_some_of_the_zoo_in_any_order(chosen: list[Candidate], data: st.DataObject) -> None:
    audit = select(chosen)
    assert select(data.draw(st.permutations(chosen))) == audit
    assert len(audit.entries) == len(chosen)
    assert [entry.outcome for entry in audit.entries].count("selected") == any(e.rank for e in audit.entries)


def test_audit_is_json_and_comes_back() -> None:
    audit = select(ZOO)
    assert msgspec.json.decode(msgspec.json.encode(audit), type=Audit) == audit


def test_no_series_is_no_winner() -> None:
    assert select([]).winner is None


# -- hard rejections

REJECTED = {
    "OWN_RESULT": a_series(manufacturer="Heltig"),
    "MODALITY_NOT_WANTED": a_series(modality="PT"),
    "IMAGE_DERIVED": a_series(image_types=(("DERIVED", "SECONDARY"),)),
    "IMAGE_REFORMATTED": a_series(image_types=(("DERIVED", "PRIMARY", "CSA MPR"),)),
    "DESCRIPTION_UNWANTED": a_series(series_description="Dose Report"),
    "DESCRIPTION_LUNG": a_series(series_description="Tórax PULMAO"),
    "SLICES_TOO_FEW": a_series(slices=19),
    "PIXELS_COARSE": a_series(spacing=(3.1, 3.1, 3.0)),
    "SLICES_FAR_APART": a_series(spacing=(0.8, 0.8, 10.1)),
    "ORIENTATION_OFF_AXIS": a_series(degrees_off_axis=15.1),
    "NOT_HOUNSFIELD": a_series(hounsfield=False),
    "SEVERAL_VOLUMES": a_series(volumes=2),
    "GEOMETRY_GANTRY_TILT": a_series(tilted=True),
}


@pytest.mark.parametrize("code", REJECTED)
def test_each_rejection(code: str) -> None:
    audit = select([REJECTED[code], a_series("1.2.4")], request=Request(slice_metrics=True))
    assert reasons(audit) == {code}
    assert [entry.outcome for entry in audit.entries] == ["selected", "rejected"]


def test_every_code_of_the_policy_is_tried_and_said_in_words() -> None:
    assert set(POLICY_CODES) <= set(REJECTED)
    assert set(REJECTIONS) == {*LEFT_OUT, *CODES, *POLICY_CODES}
    assert not set(POLICY_CODES) & {*LEFT_OUT, *CODES}


def test_limits_themselves_are_allowed() -> None:
    at_the_limits = [
        a_series("1.1", slices=20),
        a_series("1.2", spacing=(3.0000001, 3.0, 10.0)),
        a_series("1.3", modality="MR", slices=10, hounsfield=False),
        a_series("1.4", degrees_off_axis=15.0),
    ]
    assert not reasons(select(at_the_limits, request=Request(slice_metrics=True)))


def test_slices_need_be_straight_only_where_single_ones_are_measured() -> None:
    leaning = [a_series(tilted=True, degrees_off_axis=40)]
    assert select(leaning).winner
    assert not select(leaning, request=Request(slice_metrics=True)).winner


def test_all_reasons_are_given() -> None:
    [entry] = select([a_series(slices=3, volumes=2, series_description="MIP 10mm")]).entries
    assert [reason.code for reason in entry.reasons] == [
        "DESCRIPTION_UNWANTED",
        "SEVERAL_VOLUMES",
        "SLICES_TOO_FEW",
    ]
    assert entry.reasons[2].observed == "3 of 20"


def test_modalities_of_the_request_are_the_only_ones() -> None:
    both = [a_series("1.1"), a_series("1.2", modality="MR")]
    [first, second] = select(both).entries
    assert (first.modality, second.decided_by) == ("CT", "modality")
    [first, second] = select(both, request=Request(modalities=("MR",))).entries
    assert (first.modality, [reason.code for reason in second.reasons]) == ("MR", ["MODALITY_NOT_WANTED"])


def test_phase_images_and_maps_are_no_anatomy() -> None:
    for kind in ("P", "PHASE MAP", "ADC", "PERFUSION_FFE"):
        assert reasons(select([a_series(image_types=(("ORIGINAL", "PRIMARY", kind),))])) == {"IMAGE_DERIVED"}


def test_body_part_only_warns() -> None:
    for part, warnings in {"CHEST": ("BODY_PART_DIFFERS",), "ABDOMEN": (), "X": ()}.items():
        winner = select([a_series(body_part=part)], request=Request(region="abdomen")).winner
        assert winner
        assert winner.warnings == warnings
    winner = select([a_series(in_parts=True)]).winner
    assert winner
    assert winner.warnings == ("SERIES_IN_PARTS",)
    winner = select(
        [a_series(modality="MR", series_description="T2 tse")], request=Request(target="brain")
    ).winner
    assert winner
    assert winner.warnings == ("SEQUENCE_OTHER",)
    assert set(WARNINGS) == {"BODY_PART_DIFFERS", "SEQUENCE_OTHER", "SERIES_IN_PARTS"}


# -- words

UNWANTED = (
    "SCOUT", "Surview", "3-plane loc", "Localizador", "Lokalisator Localizer", "Survey", "Exam Summary",
    "Relatório", "AX MIP 10x3", "COR_MPR", "Réformations", "Patient Dose", "ResUMÉN", "Smartprep Series",
    "Test Bolus",
)  # fmt: skip
LUNG = (
    "Lung 1.0", "TORAX PULMAO", "Tórax_Pulmão", "PULMÓN", "Pulmonar", "chest pulmonary", "Lungenfenster",
    "Poumons", "Polmone", "Лёгкие", "легочный", "胸部肺窗", "płuca", "ＬＵＮＧ",
)  # fmt: skip
INNOCENT = (
    "Low Dose Chest", "Tórax baixa dose", "Abdomen postop", "Abdomen Scoutfield2", "Summaryless",
    "Prolonged", "ramipril", None, "", "1.5",
)  # fmt: skip


@pytest.mark.parametrize("description", UNWANTED)
def test_unwanted_words(description: str) -> None:
    assert reasons(select([a_series(series_description=description)])) == {"DESCRIPTION_UNWANTED"}


def test_words_for_lung_in_several_languages() -> None:
    for description in LUNG:
        candidate = [a_series(series_description=description)]
        assert reasons(select(candidate)) == {"DESCRIPTION_LUNG"}, description
        assert select(candidate, request=Request(target="any")).winner, description


def test_words_that_only_look_alike() -> None:
    for description in INNOCENT:
        assert not reasons(select([a_series(series_description=description)])), description


def test_siemens_t1_mpr_is_a_sequence_and_no_reformation() -> None:
    candidate = a_series(modality="MR", series_description="t1_mpr_ns_sag_p2", mr_acquisition_type="3D")
    assert select([candidate]).winner
    assert sequence_rank(candidate.technique, shipped()) == 0


@pytest.mark.parametrize(
    ("score", "manufacturer", "kernel", "description"),
    [
        (-1, "Canon Medical Systems", "BODY_SHARP", None),
        (-1, "TOSHIBA", "FC08", None),
        (-1, None, "FC13", None),
        (1, "TOSHIBA", "FC51", "Thorax"),
        (1, "Other", "sharp", None),
        (-1, "SIEMENS", "Br38f\\3", "Br38f"),
        (-1, "Siemens Healthineers", "I30f\\3", None),
        (-1, None, "B30f", "Abdomen B30f"),
        (1, None, "H70h", None),
        (1, "SIEMENS", "Bl57f\\3", None),
        (-1, "Philips", "UB", None),
        (1, "Philips Medical Systems", "YA", None),
        (0, "SIEMENS", "YA", None),
        (0, "SIEMENS", "B", None),
        (-1, "GE MEDICAL SYSTEMS", "STANDARD", None),
        (1, "GE MEDICAL SYSTEMS", "BONEPLUS", None),
        (0, "GE MEDICAL SYSTEMS", "DETAIL", None),
        (-1, None, None, "TC ABDOMEN TEJIDOS BLANDOS"),
        (-1, None, None, "Partes_Moles"),
        (-1, None, None, "Médiastin"),
        (-1, None, None, "Weichteilfenster"),
        (-1, None, None, "мягкие ткани"),
        (1, None, None, "ÓSSEO"),
        (1, None, None, "Knochenfenster"),
        (1, None, None, "кости"),
        (1, None, None, "骨条件"),
        (0, None, None, "soft bone"),
        (0, None, None, "Nosocomial edges"),
        (0, None, None, None),
    ],
)
def test_kernels_and_words(
    score: int, manufacturer: str | None, kernel: str | None, description: str | None
) -> None:
    candidate = a_series(manufacturer=manufacturer, kernel=kernel, series_description=description)
    assert preference_of(candidate, shipped()).score == score


def test_windows() -> None:
    for window, score in {(40.0, 400.0): -1, (-600.0, 1600.0): 1, (500.0, 2000.0): 0}.items():
        assert preference_of(a_series(window=window), shipped()).score == score


# -- the levels of the key, one at a time: the better of two differs in this one, and loses all that follow

SHORT = {"slices": 139, "series_number": 9}
LEVEL_PAIRS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "modality": ({"modality": "CT", **SHORT}, {"modality": "MR"}),
    "sequence": (
        {"modality": "MR", "series_description": "MPRAGE", "mr_acquisition_type": "3D", **SHORT},
        {"modality": "MR", "series_description": "FLAIR 3D", "mr_acquisition_type": "3D"},
    ),
    "phase": ({"phase": Phase("native"), **SHORT}, {"phase": Phase("arterial", 1.0)}),
    "tilt": (SHORT, {"tilted": True}),
    "elongation": (
        {"modality": "MR", "spacing": (1.0, 1.0, 1.5), "slices": 90, "series_number": 9},
        {"modality": "MR", "spacing": (0.5, 0.5, 1.0)},
    ),
    "coverage_tier": ({"slices": 130, "spacing": (0.8, 0.8, 5.0), "series_number": 9}, {"slices": 540}),
    "slice_mm": (
        {"spacing": (0.8, 0.8, 1.2), "slices": 146, "series_number": 9},
        {"spacing": (0.8, 0.8, 1.3)},
    ),
    "preference": ({"kernel": "soft", **SHORT}, {"kernel": "bone"}),
    "coverage_mm": ({"slices": 141, "series_number": 9}, {"phase": Phase("unknown", 1.0)}),
    "phase_probability": (
        {"phase": Phase("native", 0.9), "series_number": 9},
        {"phase": Phase("native", 0.8)},
    ),
    "slices": (
        {"spacing": (0.8, 0.8, 0.7), "slices": 160, "series_number": 9},
        {"spacing": (0.8, 0.8, 0.8), "slices": 140},
    ),
    "series_number": ({"uid": "9"}, {"series_number": None, "uid": "1"}),
    "series_instance_uid": ({"uid": "1", "study_instance_uid": "9"}, {"uid": "2"}),
    "study_instance_uid": ({"first_sop_instance_uid": "9"}, {"study_instance_uid": "9"}),
    "first_sop_instance_uid": ({"first_sop_instance_uid": "1"}, {"first_sop_instance_uid": "2"}),
}


@pytest.mark.parametrize("level", LEVEL_PAIRS)
def test_each_level_decides(level: str) -> None:
    better, worse = (a_series(**what) for what in LEVEL_PAIRS[level])
    for pair in ([better, worse], [worse, better]):
        audit = select(pair, request=Request(target="brain"))
        assert [entry.decided_by for entry in audit.entries] == [level, level]
        assert audit.winner
        assert _identity(audit.winner) == _identity(better)


def test_every_level_is_tried() -> None:
    assert tuple(LEVEL_PAIRS) == LEVELS


def test_thin_sharp_slices_do_not_win_by_being_thinner() -> None:
    audit = select(
        [
            a_series("1.1", kernel="Br64f", spacing=(0.8, 0.8, 0.6), slices=234),
            a_series("1.2", kernel="Br38f"),
        ]
    )
    assert audit.winner
    assert audit.winner.series_instance_uid == "1.2"


def test_one_slice_more_of_the_lung_kernel_does_not_win() -> None:
    audit = select([a_series("1.1", kernel="lung", slices=141), a_series("1.2", kernel="soft")])
    assert audit.winner
    assert audit.winner.series_instance_uid == "1.2"


def test_coverage_is_compared_within_a_phase() -> None:
    """The long portal venous series does not put the short native one into another tier."""
    audit = select(
        [
            a_series("1.1", phase=Phase("native"), slices=60),
            a_series("1.2", phase=Phase("portal_venous"), slices=700),
        ]
    )
    assert [entry.key and entry.key.coverage_tier for entry in audit.entries] == [0, 0]


def test_mr_sequences() -> None:
    cases: list[tuple[int, dict[str, Any]]] = [
        (0, {"series_description": "SAG 3D BRAVO", "mr_acquisition_type": "3D"}),
        (0, {"protocol": "T1W_3D_TFE", "mr_acquisition_type": "3D"}),
        (0, {"scanning_sequence": "GR\\IR", "mr_acquisition_type": "3D", "echo_time": 2.9}),
        (1, {"series_description": "t1_se_tra", "mr_acquisition_type": "2D"}),
        (2, {"scanning_sequence": "GR", "mr_acquisition_type": "3D", "echo_time": 25.0}),
        (2, {"series_description": "epilepsy", "scanning_sequence": "SE"}),
        (3, {"series_description": "T2*_swi", "scanning_sequence": "GR", "mr_acquisition_type": "3D"}),
    ]
    for rank, said in cases:
        assert sequence_rank(Technique(modality="MR", **said), shipped()) == rank, said


# -- the policy


def test_site_replaces_what_it_names() -> None:
    policy = site_policy('version = "site/1"\nmost_slice_mm = 4\n[min_slices]\nCT = 60\n')
    assert policy.min_slices == {"CT": 60, "MR": 10}
    assert policy.kernels == shipped().kernels
    assert policy.digest != shipped().digest
    audit = select([a_series(slices=59, spacing=(0.8, 0.8, 4.1))], policy=policy)
    assert reasons(audit) == {"SLICES_TOO_FEW", "SLICES_FAR_APART"}
    assert (audit.policy, audit.policy_digest) == ("site/1", policy.digest)
    assert site_policy("") == shipped()


def test_words_of_a_site_may_have_accents_and_capitals() -> None:
    policy = site_policy('version = "site/1"\n[descriptions.unwanted]\nCT = ["Próstata*"]\n')
    assert reasons(select([a_series(series_description="PROSTATA hoch")], policy=policy)) == {
        "DESCRIPTION_UNWANTED"
    }


@pytest.mark.parametrize(
    "text",
    [
        "most_slice_mm = 4",
        "version = 'site/1'\nmost = 1",
        "version = 'mine'",
        "= 1",
        "phases = 'x'",
        "phases = ['[z-a]']",
    ],
)
def test_site_policy_that_cannot_be(text: str) -> None:
    with pytest.raises(ConfigurationError, match="selection policy"):
        site_policy(text)


# -- from images


def _slices(name: str, tilt: float = 0.0, **attributes: Any) -> Iterator[bytes]:
    body = Phantom.of((8, 8, 20), (2.0, 2.0, 3.0), [Box("liver", (2, 2, 2), (6, 6, 18), 60)])
    for ds in series(body.tilted(tilt) if tilt else body, name=name, **attributes):
        ds.StudyInstanceUID = "1.2.3"
        yield encode(ds)


def test_series_of_images() -> None:
    """What the policy looks at is read from headers."""
    files = [
        *_slices("soft", SeriesNumber=4, WindowCenter=[40, 500], WindowWidth=[400, 2000]),
        *_slices("bone", SeriesNumber=3, ConvolutionKernel=["Br64f", "3"]),
        *_slices("tilted", SeriesNumber=5, tilt=12),
        *_slices("derived", SeriesNumber=6, ImageType=["DERIVED", "SECONDARY", "AXIAL"]),
        *_slices("us", SeriesNumber=7, RescaleType="US"),
        *_slices("gap", SeriesNumber=8),
    ]
    del files[-10]
    files += list(_slices("localizer", ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"]))[:2]
    request = Request(slice_metrics=True)
    selection = select_series(survey(files).series, request=request)
    said = {
        entry.series_number: [reason.code for reason in entry.reasons] for entry in selection.audit.entries
    }
    assert said == {
        4: [],
        3: [],
        5: ["GEOMETRY_GANTRY_TILT"],
        6: ["IMAGE_DERIVED"],
        7: ["NOT_HOUNSFIELD"],
        8: ["GEOMETRY_MISSING_SLICE"],
        None: ["LOCALIZER"],
    }
    winner = selection.audit.winner
    assert winner
    assert selection.stack
    assert (winner.series_number, winner.decided_by) == (4, "preference")
    assert winner.hints == ("br4[0-4]*", "window of soft tissue")
    assert winner.key
    assert (winner.key.coverage_mm, winner.key.slice_mm, winner.key.slices) == (60.0, 3.0, 20)
    assert selection.stack.technique.series_number == 4
    assert select_series(survey(reversed(files)).series, request=request).audit == selection.audit
    phases = {entry.series_instance_uid: Phase("native", 0.9) for entry in selection.audit.entries[1:2]}
    other = select_series(survey(files).series, request=request, phases=phases)
    assert other.audit.winner
    assert other.audit.winner.series_number == 3
    assert other.phase == Phase("native", 0.9)


@pytest.mark.corpus
def test_real_series(corpus: Path) -> None:
    """Every series has an entry; what is chosen is a volume of the study, and for a brain the MPRAGE."""
    small = site_policy('version = "small/1"\n[min_slices]\nCT = 2\nMR = 2\n')
    found = survey(sorted(path for path in corpus.rglob("*") if path.is_file())).series
    chosen: list[str | None] = []
    for _, study in groupby(found, key=lambda one: one.study_instance_uid):
        of_study = list(study)
        selection = select_series(of_study, request=Request(target="brain"), policy=small)
        uids = {entry.series_instance_uid for entry in selection.audit.entries}
        assert uids == {one.series_instance_uid for one in of_study}
        assert {reason.code for e in selection.audit.entries for reason in e.reasons} <= set(REJECTIONS)
        if selection.stack:
            chosen.append(selection.stack.technique.series_description)
    assert "SAG MPRAGE 220 FOV" in chosen
    assert not {"3D_pCASL_6mm", "FAST LOCALIZER", "func_task-oneback_run-1"} & set(chosen)


def _identity(one: Candidate | Entry) -> tuple[str, str, str]:
    return one.study_instance_uid, one.series_instance_uid, one.first_sop_instance_uid
