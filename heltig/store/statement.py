"""Statements compiled once and sent by the driver.

SQLAlchemy takes two to ten times as long for a statement as the database does. So a statement that is made
once, at import, is made into text once for each database and each number of values in its lists, and goes to
the driver as that: what SQLAlchemy knows of types is kept, what it does for each execution is not done.
"""

from collections import namedtuple
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from sqlalchemy import Dialect, Executable, Insert
from sqlalchemy.sql.compiler import SQLCompiler

Parameters: TypeAlias = Mapping[str, Any]
_Processor: TypeAlias = Callable[[Any], Any]


class Text:
    """A statement as the driver of one database takes it, for lists of certain lengths.

    Attributes:
        sql: The statement.
    """

    def __init__(self, compiled: SQLCompiler, dialect: Dialect, lengths: Mapping[str, int]) -> None:
        state = compiled.construct_expanded_state(
            {
                name: [None] * lengths.get(name, 0) if bind.expanding else None
                for name, bind in _given(compiled)
            }
        )
        self.sql = state.statement
        in_list = {one: name for name, names in state.parameter_expansion.items() for one in names}
        self._places: list[tuple[str, _Processor | None, bool]] = []
        self._constants: dict[int, Any] = {}
        for position in state.positiontup or ():
            name = in_list.get(position, position)
            bind = compiled.binds[name]
            processor = bind.type.dialect_impl(dialect).bind_processor(dialect)
            if not bind.required:
                self._constants[len(self._places)] = processor(bind.value) if processor else bind.value
            elif bind.expanding and self._places and self._places[-1][0] == name:
                continue  # all of a list are one place
            self._places.append((name, processor, bind.expanding))
        self._names = [name for name, _, _ in self._places]
        self._processors = [
            (place, processor) for place, (_, processor, _) in enumerate(self._places) if processor
        ]
        self._is_plain = not self._constants and not any(is_list for _, _, is_list in self._places)

    def values(self, parameters: Parameters) -> list[Any]:
        """The parameters in the order of the text, as the driver takes them."""
        if not self._is_plain:
            return self._values_with_lists(parameters)
        values = [parameters[name] for name in self._names]
        for place, processor in self._processors:
            values[place] = processor(values[place])
        return values

    def _values_with_lists(self, parameters: Parameters) -> list[Any]:
        values: list[Any] = []
        constants = self._constants
        for number, (name, processor, is_list) in enumerate(self._places):
            if number in constants:
                values.append(constants[number])
                continue
            value = parameters[name]
            if is_list:
                values.extend(map(processor, value) if processor else value)
            else:
                values.append(processor(value) if processor else value)
        return values


class Statement:
    """A statement as one database takes it.

    Attributes:
        lists: The names of the parameters that are lists.
    """

    def __init__(self, statement: Executable, dialect: Dialect, columns: tuple[str, ...]) -> None:
        given: dict[str, Any] = {"column_keys": columns} if columns else {}
        compiled: Any = statement.compile(dialect=dialect, **given)  # type: ignore[attr-defined]
        self._compiled: SQLCompiler = compiled
        self._dialect = dialect
        self.lists = [name for name, bind in _given(compiled) if bind.expanding]
        self._texts: dict[tuple[int, ...], Text] = {}
        exported: Any = getattr(statement, "exported_columns", None)
        columns_of_rows = [] if exported is None else exported.items()
        names = [str(name) for name, _ in columns_of_rows]
        row: Any = namedtuple("Row", names, rename=True)  # type: ignore[misc]  # known when it runs
        self._make = row._make
        processors = (
            column.type.dialect_impl(dialect).result_processor(dialect, None) for _, column in columns_of_rows
        )
        self._processors = [(number, one) for number, one in enumerate(processors) if one is not None]

    def text(self, parameters: Parameters) -> tuple[Text, Parameters]:
        """The text for some parameters, and these, with longer lists where there is a text for such.

        A list is as long as the next power of two, its last value said again and again: so there are few
        texts, and the database has their plans at hand.
        """
        if not self.lists:
            return self._texts.get(()) or self._text(()), parameters
        padded = dict(parameters)
        lengths = []
        for name in self.lists:
            values = list(padded[name])
            missing = (1 << (len(values) - 1).bit_length()) - len(values) if values else 0
            padded[name] = values + values[-1:] * missing
            lengths.append(len(values) + missing)
        key = tuple(lengths)
        return self._texts.get(key) or self._text(key), padded

    def rows(self, fetched: Iterable[Sequence[Any]]) -> list[Any]:
        """Rows with the names and types of their columns."""
        return list(map(self._make, self.typed(fetched)))

    def typed(self, fetched: Iterable[Sequence[Any]]) -> Iterable[Sequence[Any]]:
        """Rows with the types of their columns, without names: for many of them."""
        if not self._processors:
            return fetched
        rows = []
        for found in fetched:
            values = list(found)
            for number, processor in self._processors:
                values[number] = processor(values[number])
            rows.append(values)
        return rows

    def _text(self, lengths: tuple[int, ...]) -> Text:
        text = Text(self._compiled, self._dialect, dict(zip(self.lists, lengths, strict=True)))
        return self._texts.setdefault(lengths, text)


def _given(compiled: SQLCompiler) -> list[tuple[str, Any]]:
    return [(name, bind) for name, bind in compiled.binds.items() if bind.required]


_known: Final[dict[tuple[Executable, str, tuple[str, ...]], Statement]] = {}


def compiled(statement: Executable, dialect: Dialect, parameters: Parameters) -> Statement:
    """A statement as a database takes it.

    Args:
        statement: Made at import: what is known of it is kept as long as the process lives.
        dialect: The database's.
        parameters: Those of an insert are its columns.
    """
    key = (statement, dialect.name, tuple(parameters) if isinstance(statement, Insert) else ())
    return _known.get(key) or _known.setdefault(key, Statement(statement, dialect, key[2]))
