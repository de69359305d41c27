"""The report as one HTML file: to be read in a browser, sent to someone, or printed."""

from collections import Counter
from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from typing import IO

from jinja2 import Template

from heltig.pipeline.report import CheckedStudy, CheckReport
from heltig.reports import reasons
from heltig.reports.charts import verdict_bar
from heltig.reports.reasons import Unseen
from heltig.reports.rendering import BASE_STYLE, LISTED, SHOWN, environment, running_head
from heltig.reports.wording import counted
from heltig.rules.finding import NotEvaluable
from heltig.verdict import READINESS

MEMBERS_SHOWN = 200
"""Files set aside that are listed for each input; the JSON report has all of them."""


def write(report: CheckReport, file: IO[str]) -> None:
    """Write the report.

    It loads nothing and runs nothing, and has no time of its own: the same report gives the same bytes.
    """
    studies = report.studies
    verdicts = Counter(study.readiness for study in studies)
    shown = [study for study in studies[:LISTED] if _speaks(study)][:SHOWN]
    file.writelines(
        _template().generate(
            report=report,
            style=_style() + running_head(f"Heltig: {_title(report)}", f"{report.reference_date}"),
            title=_title(report),
            listed=studies[:LISTED],
            shown=shown,
            numbers={readiness: verdicts[readiness] for readiness in READINESS},
            shares=verdict_bar(verdicts),
            anchors={study.key: f"study-{number}" for number, study in enumerate(shown, start=1)},
            more=sum(map(_speaks, studies)) - len(shown),
            speaks=_speaks,
            why=_why,
            headline=_headline,
            of_inputs=reasons.of_inputs(report.inputs),
            together=reasons.together,
            required=_required,
            not_evaluable=reasons.unseen(_optional(studies)),
            members_shown=MEMBERS_SHOWN,
        )
    )
    file.write("\n")


def _title(report: CheckReport) -> str:
    """What the report is about: the study, where it is one."""
    if len(report.studies) == 1:
        return f"Study {report.studies[0].key}"
    return f"{counted(len(report.studies), 'study', 'studies')} judged"


def _why(study: CheckedStudy) -> str:
    return reasons.why(
        study.readiness, study.findings, not_evaluable=study.not_evaluable, errors=study.errors
    )


def _headline(study: CheckedStudy) -> str:
    return reasons.headline(study.findings, not_evaluable=study.not_evaluable, errors=study.errors)


def _speaks(study: CheckedStudy) -> bool:
    """There is more to say of it than its verdict."""
    return bool(study.findings or study.errors or _required(study) or not study.study_instance_uid)


def _required(study: CheckedStudy) -> list[Unseen]:
    return reasons.unseen(rule for rule in study.not_evaluable if rule.required)


def _optional(studies: Iterable[CheckedStudy]) -> set[NotEvaluable]:
    """Once for all studies: it is the same wherever the source is."""
    return {rule for study in studies for rule in study.not_evaluable if not rule.required}


@cache
def _template() -> Template:
    return environment().get_template("report.html")


@cache
def _style() -> str:
    own = files("heltig.reports") / "style"
    sheets = (BASE_STYLE, own / "report.css", own / "paper.css")
    return "".join(sheet.read_text("utf-8") for sheet in sheets)
