"""A column compared with what another query finds, without the planner's guesses about how much that is."""

from typing import Any

from sqlalchemy import Boolean, ColumnElement, Select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement


class Among(FunctionElement[bool]):
    """Whether a column of integers has one of the values that a query gives, which is answered once, before.

    As a plain `IN (SELECT …)`, either database may begin with the query: SQLite then reads every study by an
    index of the column in the place of the worklist's, and PostgreSQL, in a prepared statement whose values
    it does not know yet, compares every study with every row of the query.
    """

    type = Boolean()
    inherit_cache = True

    def __init__(self, column: ColumnElement[Any], found: Select[Any]) -> None:
        super().__init__(column, found.scalar_subquery())


@compiles(Among, "sqlite")
def _on_sqlite(element: Among, compiler: SQLCompiler, **given: Any) -> str:
    column, found = (compiler.process(part, **given) for part in element.clauses)
    return f"({column} + 0 IN {found})"  # + 0: no index is looked for


@compiles(Among, "postgresql")
def _on_postgresql(element: Among, compiler: SQLCompiler, **given: Any) -> str:
    column, found = (compiler.process(part, **given) for part in element.clauses)
    return f"{column} = ANY (ARRAY{found})"
