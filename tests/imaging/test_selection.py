"""Which series is measured: phantom P13 (twelve series), the policy of a site, images, real series."""

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heltig.errors import ConfigurationError
from heltig.imaging.reading import survey
from heltig.imaging.selection.candidates import Candidate, Phase, Reason
from heltig.imaging.selection.codes import REJECTIONS
from heltig.imaging.selection.policy import shipped, site_policy
from heltig.imaging.selection.request import Request
from heltig.imaging.selection.selecting import Audit, select, select_series
from heltig.imaging.volume import Technique

from .candidates import a_series, reasons
from .phantom import Box, Phantom, encode, series

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
