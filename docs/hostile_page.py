"""The page of hostile requests, from the table that tests send: tests/contract/hostile_requests.yml."""

import re
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any

import yaml

TABLE = Path(__file__).parents[1] / "tests/contract/hostile_requests.yml"


def hostile_page() -> Mapping[str, str]:
    """What each request of the table gets."""
    groups: Mapping[str, list[dict[str, Any]]] = yaml.safe_load(TABLE.read_text("utf-8"))
    number = sum(map(len, groups.values()))
    lines = [
        "# Hostile requests",
        "",
        f"{number} requests that nobody sends who means well, by the numbers of the OWASP API Security",
        "Top 10 (2023). `tests/contract/test_hostile_requests.py` sends each to a real server that asks",
        "for API keys, tokens and logins at an OpenID provider, and fails where it gets another answer than",
        "the one here, or one without the headers of [security.md](security.md#headers). The same test asks",
        "every route that is not public",
        "in the name of nobody and of every role that it is not open to, about objects that there are:",
        "401 and 403, all of them. `tests/contract/test_openapi_fuzz.py` sends whatever else OpenAPI allows",
        "and forbids, in the name of every role: no 500, nothing undocumented.",
        "",
    ]
    for group, requests in groups.items():
        lines += [f"## {group}", "", "| request | sent by | what is sent | answer |", "|---|---|---|---|"]
        lines += map(_row, requests)
        lines.append("")
    return {"hostile-requests.md": "\n".join(lines)}


def _row(request: Mapping[str, Any]) -> str:
    who = request.get("who", "nobody")
    return f"| {request['name']} | {who} | {_sent(request)} | {_answer(request)} |"


def _sent(request: Mapping[str, Any]) -> str:
    shown = request.get("send") or request["raw"].partition("\r\n\r\n")[0].replace("\r\n", " ⏎ ")
    parts = [shown, *(f"{name}: {value}" for name, value in request.get("headers", {}).items())]
    if body := request.get("body"):
        parts.append(body)
    text = " ⏎ ".join(parts)
    text = re.sub(r"[\x00-\x1f\x7f-\xff]", lambda found: f"\\x{ord(found[0]):02x}", text)
    times = f" × {request['times']}" if "times" in request else ""
    return "`" + text.replace("|", "\\|").replace("`", "'") + "`" + times


def _answer(request: Mapping[str, Any]) -> str:
    return ", ".join(_said(request))


def _said(request: Mapping[str, Any]) -> Iterator[str]:
    status = HTTPStatus(request["expect"])
    yield f"{status.value} {status.phrase}"
    if rule := request.get("rule"):
        yield f"by the rule `{rule}`"
    if lacks := request.get("lacks"):
        yield f"without `{lacks.strip()}`"
