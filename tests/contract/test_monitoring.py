"""What deploy/ gives to Prometheus and Grafana names nothing that Heltig does not tell."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import promql_parser
import pytest
import yaml
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, InfoMetricFamily

from heltig.api.metric_families import Figures, families
from heltig.api.request_counts import RequestCounts
from heltig.pipeline.archives.status import STATES, ServiceStatus
from heltig.store.jobs import JobState
from heltig.store.measurements import Outcome
from heltig.store.records import StudyState
from heltig.verdict import Readiness

DEPLOY = Path(__file__).parents[2] / "deploy"
DASHBOARD = json.loads((DEPLOY / "grafana/heltig.json").read_bytes())
ALARMS = yaml.safe_load((DEPLOY / "prometheus/heltig-alerts.yml").read_bytes())["groups"][0]["rules"]
OF_PROMETHEUS = {"up": {"job", "instance"}}
BUILD = ("version", "ruleset", "standard", "python")
VALUES = {
    ("heltig_archive_state", "state"): set(STATES),
    ("heltig_archive_requests_total", "outcome"): set(get_args(Outcome)),
    ("heltig_jobs", "state"): set(get_args(JobState)),
    ("heltig_archive_jobs", "state"): set(get_args(JobState)),
    ("heltig_studies", "state"): set(get_args(StudyState)),
    ("heltig_studies", "readiness"): {*get_args(Readiness), "none"},
}


def told() -> dict[str, set[str]]:
    """The names of all figures of `/metrics`, with their labels."""
    nothing = Figures(
        now=datetime(2026, 1, 1, tzinfo=UTC),
        build=dict.fromkeys(BUILD, ""),
        status=ServiceStatus(archives=[], workers=[], jobs=[], oldest_queued=None, changes=0),
        answers={},
        standing=[],
        requests=RequestCounts(),
        alerts={},
        analyses={},
    )
    found = dict(OF_PROMETHEUS)
    for family in families(nothing):
        labels = set(getattr(family, "_labelnames", ()))
        match family:
            case CounterMetricFamily():
                found[f"{family.name}_total"] = labels
            case InfoMetricFamily():
                found[f"{family.name}_info"] = set(BUILD)
            case HistogramMetricFamily():
                found[f"{family.name}_bucket"] = labels | {"le"}
            case _:
                found[family.name] = labels
    return found


TOLD = told()


def panels() -> Iterator[dict[str, Any]]:
    yield from (panel for panel in DASHBOARD["panels"] if panel["type"] != "row")


def expressions() -> Iterator[tuple[str, str, str]]:
    """What each is for, the expression, and the texts that show its labels."""
    for alarm in ALARMS:
        yield alarm["alert"], alarm["expr"], " ".join(alarm["annotations"].values())
    for panel in panels():
        for target in panel["targets"]:
            plain = target["expr"].replace("$__rate_interval", "5m").replace("$archive", ".*")
            yield panel["title"], plain, target.get("legendFormat", "")
    for annotation in DASHBOARD["annotations"]["list"]:
        yield annotation["name"], annotation["expr"], annotation["textFormat"]


CASES = list(expressions())


def nodes(expression: str) -> list[Any]:
    found: list[Any] = []
    promql_parser.walk(promql_parser.parse(expression), found.append)
    return found


def selectors(expression: str) -> list[Any]:
    return [node for node in nodes(expression) if isinstance(node, promql_parser.VectorSelector)]


@pytest.mark.parametrize(("name", "expression", "texts"), CASES, ids=[name for name, _, _ in CASES])
def test_every_figure_label_and_state_is_told(name: str, expression: str, texts: str) -> None:
    found = selectors(expression)
    assert found
    labels: set[str] = set(re.findall(r'label_replace\(.*?, "(\w+)", "\$1"', expression))
    for selector in found:
        assert selector.name in TOLD
        labels |= TOLD[selector.name]
        for matcher in selector.matchers.matchers:
            assert matcher.name in TOLD[selector.name] | {"job", "instance"}
            values = VALUES.get((selector.name, matcher.name))
            if values is not None:
                assert set(matcher.value.split("|")) <= values
    grouped = re.findall(r"\b(?:by|on)\s*\(([^)]*)\)", expression)
    assert {label.strip() for group in grouped for label in group.split(",")} <= labels
    shown = re.findall(r"\$labels\.(\w+)", texts) + re.findall(r"\{\{\s*(\w+)\s*\}\}", texts)
    assert set(shown) <= labels


def test_every_figure_is_on_the_dashboard() -> None:
    used = {selector.name for _, expression, _ in CASES for selector in selectors(expression)}
    dates = {"heltig_archive_polled_timestamp_seconds", "heltig_archive_succeeded_timestamp_seconds"}
    assert set(TOLD) - dates == used


def test_panels_do_not_overlap() -> None:
    places = [
        (place["x"] + x, place["y"] + y)
        for place in (panel["gridPos"] for panel in DASHBOARD["panels"])
        for x in range(place["w"])
        for y in range(place["h"])
    ]
    assert len(places) == len(set(places))
    assert max(x for x, _ in places) < 24
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])


def test_every_alarm_says_what_to_do() -> None:
    for alarm in ALARMS:
        assert set(alarm["annotations"]) == {"summary", "action"}
        assert alarm["labels"]["severity"] in ("info", "warning", "critical")


HAPPENS = {
    "a first job is dead": ("HeltigJobsGivenUp", {"heltig_jobs{kind='pull',state='dead'}": "_x60 1x840"}, 70),
    "its archive rests, others' jobs are well": (
        None,
        {"heltig_jobs{kind='pull',state='queued'}": "5x900"},
        70,
    ),
    "studies come, none of them BLOCKED": (
        None,
        {
            "heltig_archive_state{archive='main',state='current'}": "1x900",
            "heltig_studies{kind='archive',place='main',state='JUDGED',readiness='READY'}": "100+1x900",
            "heltig_studies{kind='archive',place='main',state='JUDGED',readiness='BLOCKED'}": "3x900",
        },
        800,
    ),
    "the first study comes": (
        None,
        {
            "heltig_archive_state{archive='main',state='current'}": "1x900",
            "heltig_studies{kind='archive',place='main',state='JUDGED',readiness='READY'}": "_x700 1x200",
        },
        800,
    ),
    "nothing comes, elsewhere it does": (
        "HeltigSilentArchive",
        {
            "heltig_archive_state{archive='main',state='current'}": "1x900",
            "heltig_archive_state{archive='other',state='current'}": "1x900",
            "heltig_studies{kind='archive',place='main',state='JUDGED',readiness='READY'}": "100x900",
            "heltig_studies{kind='archive',place='other',state='JUDGED',readiness='READY'}": "100+1x900",
        },
        800,
    ),
    "it was watched for an hour": (
        None,
        {
            "heltig_archive_state{archive='main',state='current'}": "1x60",
            "heltig_studies{kind='archive',place='main',state='JUDGED',readiness='READY'}": "100x60",
        },
        60,
    ),
}
"""What happens, a minute a value; the alarm that it leads to, by a minute."""


def test_alarms_are_raised_when_they_should_be(tmp_path: Path) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("needs promtool (Debian: prometheus)")
    looked_at = ("HeltigJobsGivenUp", "HeltigSilentArchive")
    of = {alarm["alert"]: alarm for alarm in ALARMS}
    labels = {
        "HeltigJobsGivenUp": {"kind": "pull"},
        "HeltigSilentArchive": {"archive": "main", "state": "current"},
    }
    tests = []
    for name, (raised, series, minute) in HAPPENS.items():
        expected: dict[str, list[dict[str, Any]]] = {alarm: [] for alarm in looked_at}
        if raised:
            shown = dict(of[raised]["annotations"])
            for label, value in labels[raised].items():
                shown = {
                    key: text.replace("{{ $labels." + label + " }}", value) for key, text in shown.items()
                }
            expected[raised] = [
                {"exp_labels": labels[raised] | of[raised]["labels"], "exp_annotations": shown}
            ]
        tests.append(
            {
                "name": name,
                "interval": "1m",
                "input_series": [
                    {"series": one.replace("'", '"'), "values": values} for one, values in series.items()
                ],
                "alert_rule_test": [
                    {"eval_time": f"{minute}m", "alertname": alarm, "exp_alerts": alerts}
                    for alarm, alerts in expected.items()
                ],
            }
        )
    file = tmp_path / "tests.yml"
    rules = str(DEPLOY / "prometheus/heltig-alerts.yml")
    file.write_text(
        yaml.safe_dump({"rule_files": [rules], "evaluation_interval": "1m", "tests": tests}), "utf-8"
    )
    ran = subprocess.run(
        [promtool, "test", "rules", file], capture_output=True, text=True, check=False, timeout=120
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
