"""What the audit trail records is declared, recorded somewhere, and told to auditors."""

import ast
from pathlib import Path
from typing import get_args

import heltig
from heltig.store import audit_actions
from heltig.store.audit_actions import ACTIONS, Action, table

PACKAGE = Path(heltig.__file__).parent
DOCUMENT = Path(__file__).parents[3] / "docs/audit.md"


def test_every_action_is_described() -> None:
    assert set(ACTIONS) == set(get_args(Action))
    assert list(ACTIONS) == sorted(ACTIONS)


def test_every_declared_action_is_recorded_somewhere() -> None:
    """The other way round a type checker sees to it."""
    said = {
        node.value
        for file in PACKAGE.rglob("*.py")
        if file != Path(audit_actions.__file__)
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert set(ACTIONS) - said == set()


def test_the_table_stands_in_the_documentation() -> None:
    assert table() in DOCUMENT.read_text("utf-8"), f"Put this into {DOCUMENT}:\n{table()}"
