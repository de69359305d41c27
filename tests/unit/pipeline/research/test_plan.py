"""The site's plan: what it may say, and what of it is refused at the start."""

from pathlib import Path

import pytest

from heltig.errors import ConfigurationError, UsageError
from heltig.pipeline.research.asked import Asked
from heltig.pipeline.research.plan import Plan, read_plan
from heltig.store.records import Location

WHOLE = """
policy = "select.toml"
default = ["totalsegmentator"]
phase_python = "/opt/phase/bin/python"

[segmenters.classical]

[segmenters.totalsegmentator]
executable = "/opt/ts/TotalSegmentator"
tasks = "total"

[[automatic]]
locations = ["archive:main", "gate:*"]
modalities = ["CT"]
segmenters = ["classical"]
target = "any"
"""


def test_a_plan_is_read(tmp_path: Path) -> None:
    (tmp_path / "select.toml").write_text('version = "site/1"')
    path = tmp_path / "plan.toml"
    path.write_text(WHOLE)
    plan = read_plan(path)
    assert plan.policy == str(tmp_path / "select.toml")
    assert plan.phase_python == "/opt/phase/bin/python"
    assert plan.segmenters_for(Asked(), ["MR"]) == ("totalsegmentator",)
    assert plan.segmenters_for(Asked(segmenters=("classical",)), ["MR"]) == ("classical",)
    [order] = plan.orders_for(["totalsegmentator"])
    assert order.options == {"executable": "/opt/ts/TotalSegmentator", "tasks": "total"}
    wanted = [
        plan.automatic_for(Location(kind, name), modalities) is not None
        for kind, name, modalities in (
            ("archive", "main", ["CT"]),
            ("archive", "other", ["CT"]),
            ("gate", "other", ["CT", "SR"]),
            ("gate", "other", ["MR"]),
        )
    ]
    assert wanted == [True, False, True, False]


def test_without_a_plan_there_is_what_needs_nothing() -> None:
    plan = read_plan(None)
    assert plan == Plan()
    assert plan.segmenters_for(Asked(), ["CT"]) == ("classical",)
    assert plan.segmenters_for(Asked(), ["CT", "SEG"]) == ("byo-dicom-seg",)
    with pytest.raises(UsageError, match="Name one"):
        plan.segmenters_for(Asked(), ["MR"])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("segmenters = 3", "segmenters"),
        ("[segmenters.nothing]", "nothing"),
        ("[segmenters.classical]\npath = '/x'", "segmenters.classical"),
        ("default = ['deepbet']", "deepbet"),
        ("[[automatic]]\nlocations = ['*']", "modalities"),
        ("[[automatic]]\nlocations = ['main']\nmodalities = ['CT']", "locations"),
        ("[[automatic]]\nlocations = []\nmodalities = ['CT']", "locations"),
        ("[[automatic]]\nlocations = ['gate:*']\nmodalities = ['ct']", "modalities"),
        ("segmenters = {}", "no .segmenters.NAME"),
        ("policy = 'plan.toml'", "policy = plan.toml: The selection policy"),
        ("policy = 'away.toml'", "away.toml"),
        ("phase_python = 'bin/python'", "absolute"),
        ("default = ['classical', 'classical']\n[segmenters.classical]", "twice"),
        ("[[automatic]]\nlocations = ['*']\nmodalities = ['CT']\noptional = ['x']", "family 'x'"),
        ("colour = 'red'", "colour"),
        ("not toml", "plan.toml"),
    ],
)
def test_what_makes_no_sense_is_refused(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "plan.toml"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=said):
        read_plan(path)
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_plan(tmp_path / "away.toml")
