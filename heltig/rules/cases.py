"""Cases of rules as data, and the runner that tries them: for the catalogue's own rules and for a site's.

A case is a mapping (in the project's tests a YAML file a rule, `tests/rules/ID.yml`):

    name: a letter that is not in the enumeration
    outcome: fail                       # pass, fail, not_applicable, not_evaluable, error
    study:                              # instances; attributes by keyword, or by tag
      - {PatientSex: X}
      - {PatientSex: F, times: 3}       # three more instances
    findings:                           # with `fail`: all of them, each with what is worth saying
      - {observed: X, count: 1, tags: ["00100040"]}

An instance has Study, Series and SOP Instance UIDs of its own unless the case gives them; `null` takes one
away. A value may be text, a number, a list of them, a list of mappings (a sequence), or the element itself:
`{vr: DS, Value: [1]}` as DICOM JSON, `{vr: LO, bytes: "4D FC"}` as the bytes of a Part 10 element. Beside
`study` a case may have `syntax` (`json`, `explicit`, `implicit`), `shows` (what the source can show, all by
default), `facts` (what the index says, for context rules: mappings with the fields of `IndexFact`),
`asked_for`, `query` and `series_query` (QIDO-RS rows, as instances), `failures` and, in an instance, `faults`
(lists of kind and detail), `package` (lists of kind, origin, detail), `reference_date`, `parameters` and
`deidentified`.
"""

import struct
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any, get_args

import msgspec

from heltig.dicom.cell import DataSet, Encoding, Fault
from heltig.dicom.source import SHOWS, PackageFact, Source
from heltig.dicom.study import StudyTable
from heltig.rules.engine import Ruleset, evaluate, evaluate_package
from heltig.rules.finding import Evaluation, Finding, Outcome
from heltig.rules.index_facts import IndexFact
from heltig.rules.parameters import Parameters
from heltig.rules.profile import Profile
from heltig.rules.rule import Rule
from heltig.rules.views import Context, PackageView
from heltig.standard.dictionary import lookup, tag_of

STUDY_UID = "1.2.826.0.1.3680043.10.999.1"
_OWN_KEYS = frozenset({"times", "faults", "origin"})
_NUMBERS = {"US": "<H", "SS": "<h", "UL": "<I", "SL": "<i", "FL": "<f", "FD": "<d", "UV": "<Q", "SV": "<q"}
_LONG = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"})


def try_case(rule: Rule, case: Mapping[str, Any]) -> list[str]:
    """Run one rule over one case.

    Returns:
        What came out otherwise than the case says; empty when all is as it says.

    Raises:
        ValueError: The case expects an outcome that there is not.
    """
    if case["outcome"] not in get_args(Outcome):
        raise ValueError(f"outcome {case['outcome']!r}; there are {', '.join(get_args(Outcome))}")
    evaluation = evaluate_case(Ruleset([rule], Profile()), case)
    outcome = evaluation.outcomes.get(rule.id)
    if outcome != case["outcome"]:
        return [f"outcome {outcome}, not {case['outcome']}: {evaluation.errors or evaluation.findings}"]
    if outcome != "fail":
        return []
    expected = case.get("findings", [])
    problems = [f"no finding like {e}" for e in expected if not any(_like(f, e) for f in evaluation.findings)]
    if len(evaluation.findings) != len(expected) or problems:
        problems.extend(
            f"found {f.tags} {f.observed!r} ({f.count}): {f.message}" for f in evaluation.findings
        )
    return problems


def evaluate_case(ruleset: Ruleset, case: Mapping[str, Any]) -> Evaluation:
    """Run a ruleset, which may be that of other cases, over the study or package of a case."""
    context = Context(
        date.fromisoformat(str(case.get("reference_date", "2026-01-01"))),
        msgspec.convert(case.get("parameters", {}), Parameters),
        bool(case.get("deidentified", False)),
    )
    if "package" in case:
        package = tuple(PackageFact(*fact) for fact in case["package"])
        return evaluate_package(ruleset, PackageView(package, context))
    facts = msgspec.convert(case.get("facts", ()), tuple[IndexFact, ...])
    return evaluate(ruleset, study_of(case), context, facts=facts)


def _like(finding: Finding, expected: Mapping[str, Any]) -> bool:
    found = msgspec.structs.asdict(finding)
    return all(
        list(found[key]) == list(value) if isinstance(found[key], tuple) else found[key] == value
        for key, value in expected.items()
    )


def study_of(case: Mapping[str, Any]) -> StudyTable:
    """The study of a case, arranged."""
    source = Source(
        shows=frozenset(case.get("shows", SHOWS)),
        asked_for=case.get("asked_for"),
        study_rows=tuple(_dataset(row, "json") for row in case.get("query", ())),
        series_rows=tuple(_dataset(row, "json") for row in case.get("series_query", ())),
        failures=tuple(Fault(*fault) for fault in case.get("failures", ())),
    )
    table = StudyTable(STUDY_UID, STUDY_UID, source)
    for number, instance in enumerate(_repeated(case["study"]), 1):
        uids = {
            "SOPInstanceUID": f"{STUDY_UID}.1.{number}",
            "StudyInstanceUID": STUDY_UID,
            "SeriesInstanceUID": f"{STUDY_UID}.1",
        }
        given = {key: value for key, value in (uids | dict(instance)).items() if value is not None}
        table.add(_dataset(given, case.get("syntax", "json")))
    table.arrange()
    return table


def _repeated(instances: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    for instance in instances:
        for _ in range(instance.get("times", 1)):
            yield instance


def _dataset(attributes: Mapping[str, Any], syntax: str) -> DataSet:
    elements = {_tag(key): value for key, value in attributes.items() if key not in _OWN_KEYS}
    charset = elements.get("00080005", ())
    encoding = Encoding(
        syntax=msgspec.convert(syntax, Any),
        charset=(charset,) if isinstance(charset, str) else tuple(charset) if syntax != "json" else (),
        signed=elements.get("00280103") == 1,
    )
    tags = tuple(sorted(elements))
    write = _json if syntax == "json" else _part10
    raws = [write(tag, elements[tag], syntax) for tag in tags]
    faults = tuple(Fault(*fault) for fault in attributes.get("faults", ()))
    return DataSet(tags, raws, encoding, faults, attributes.get("origin", ""))


def _tag(key: str) -> str:
    return key if len(key) == 8 and key[0].isdigit() else tag_of(key)


def _vr(tag: str) -> str:
    entry = lookup(tag)
    return (entry.vr.split(" or ")[0] if entry else "") or "UN"


def _json(tag: str, value: Any, syntax: str) -> bytes:
    return msgspec.json.encode(_element(tag, value))


def _element(tag: str, value: Any) -> Any:
    if isinstance(value, Mapping) and "vr" in value:
        return value
    vr = _vr(tag)
    values = value if isinstance(value, list) else [] if value == "" else [value]
    if vr == "SQ":
        values = [{_tag(k): _element(_tag(k), v) for k, v in item.items()} for item in values]
    if vr == "PN":
        groups = ("Alphabetic", "Ideographic", "Phonetic")
        values = [dict(zip(groups, str(name).split("="), strict=False)) for name in values]
    return {"vr": vr, "Value": values} if values else {"vr": vr}


def _part10(tag: str, value: Any, syntax: str) -> bytes:
    vr = value["vr"] if isinstance(value, Mapping) else _vr(tag)
    data = bytes.fromhex(value["bytes"]) if isinstance(value, Mapping) else _bytes(vr, value, syntax)
    if syntax == "implicit" and tag[:4] != "0002":
        return struct.pack("<I", len(data)) + data
    return vr.encode() + struct.pack("<xxI" if vr in _LONG else "<H", len(data)) + data


def _bytes(vr: str, value: Any, syntax: str) -> bytes:
    values = value if isinstance(value, list) else [value]
    if vr == "SQ":
        return b"".join(_item(item, syntax) for item in values)
    if vr in _NUMBERS:
        return b"".join(struct.pack(_NUMBERS[vr], number) for number in values)
    text = "\\".join(map(str, values)).encode("latin-1")
    return text + (b"\0" if vr == "UI" else b" ") * (len(text) % 2)


def _item(item: Mapping[str, Any], syntax: str) -> bytes:
    elements = sorted((_tag(key), value) for key, value in item.items())
    body = b"".join(
        struct.pack("<HH", int(tag[:4], 16), int(tag[4:], 16)) + _part10(tag, value, syntax)
        for tag, value in elements
    )
    return struct.pack("<HHI", 0xFFFE, 0xE000, len(body)) + body
