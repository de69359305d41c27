"""A real Orthanc that gives a summary instead of metadata: nothing is held against its studies for that."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from integration.test_orthanc_pull import Heltig, rules, series, shipped
from servers.orthanc import Metadata, Orthanc, OrthancNotInstalledError, running_orthanc

from heltig.rules.catalogue import catalogue
from heltig.store.records import StoredVerdict

pytestmark = pytest.mark.orthanc

STUDIES = ("1.2.826.77", "1.2.826.78", "1.3.6.1.4.1.5962.1.2.1.20040119072730.12322")


@pytest.fixture(scope="module", params=["MainDicomTags", "Extrapolate"])
def summary(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    metadata: Metadata = request.param
    try:
        with running_orthanc(tmp_path_factory.mktemp("summary"), metadata=metadata) as server:
            yield server
    except OrthancNotInstalledError as missing:
        pytest.skip(f"needs {missing}")


def pulled(orthanc: Orthanc, home: Path) -> tuple[Heltig, dict[str, StoredVerdict]]:
    orthanc.store([*series(STUDIES[0]), *series(STUDIES[1], count=5), shipped("CT_small.dcm")])
    heltig = Heltig(orthanc, home)
    heltig("archives", "test", "main")
    heltig("pull", "main")
    kept = heltig.kept(*STUDIES)
    return heltig, {uid: verdict for uid, (_, verdict) in zip(STUDIES, kept, strict=True)}


def test_a_summary_is_seen_and_no_absence_is_held_against_a_study(
    orthanc: Orthanc, summary: Orthanc, tmp_path: Path
) -> None:
    heltig, of_whole = pulled(orthanc, tmp_path / "whole")
    told = heltig("archives", "test", "main")
    assert "  Its metadata has every attribute (seen in 3 studies)." in told.lines
    heltig, of_summary = pulled(summary, tmp_path / "summary")
    told = heltig("archives", "test", "main")
    assert "  Its metadata is a summary (seen in 3 studies)." in told.lines
    assert any("Metadata lacks" in line for line in told.lines)
    of_absence = {id for id, rule in catalogue().items() if "all_attributes" in rule.needs}
    assert of_absence
    for uid in STUDIES:
        gained = rules(of_summary[uid]) - rules(of_whole[uid])
        assert not gained
        assert not rules(of_summary[uid]) & of_absence


def test_what_is_known_of_an_orthanc(orthanc: Orthanc, tmp_path: Path) -> None:
    heltig, _ = pulled(orthanc, tmp_path / "home")
    told = heltig("archives", "test", "main").lines
    assert told[0] == "Archive main answers."
    assert "  Pages with offset." in told
    assert "  Searches by UID." in told
    assert "  A search that finds nothing is answered 200." in told
    assert any(line.startswith("  Does not decode what is percent-encoded") for line in told)
    assert "  Gives metadata a study at a time." in told
    assert "  Tells what changed, as Orthanc does (/changes)." in told
