"""Queries that return whole rows as JSON.

Every decision reads whole rows. So SQLite returns each row as JSON, which msgspec decodes: Python
handles one value for a row, instead of a name and an object for each of about thirty columns. The
text of such a query is made once, from the models.
"""

from functools import cache
from typing import Any

import msgspec
from peewee import FloatField, Model

from bus import questions, rows
from store.tables import Merge, Question, Task, Terminal, Workflow


def _pairs(row: type[msgspec.Struct], table: type[Model]) -> list[str]:
    """Return `'name', value` for each field of `row` that is a column of `table`."""
    found = {name: table._meta.columns.get(name) for name in row.__struct_fields__}  # noqa: SLF001
    return [f"'{name}', {_value(column)}" for name, column in found.items() if column is not None]


def _value(column: Any) -> str:
    name = f'"{column.column_name}"'
    if column.column_name in _JSON:
        return f"json({name})"
    if isinstance(column, FloatField):  # SQLite's JSON would have 15 digits only
        return f"printf('%!.17g', {name})"
    return f"ifnull({name}, '')" if column.null else name


_JSON = {"forecast", "files", "after", "causes", "proposal"}
"""Columns whose values are JSON text."""


def _object(*pairs: str) -> str:
    return f"json_object({', '.join(pairs)})"


def _rows(table: type[Model], key: str, *pairs: str) -> str:
    """Return a query for the table's name and the JSON of each row whose `key` is its value.

    The JSON comes as bytes, which msgspec decodes without making a string first.
    """
    name = table._meta.table_name  # noqa: SLF001
    return f"SELECT '{name}', CAST({_object(*pairs)} AS BLOB) FROM {name} WHERE {key} = ?1"


def _of_terminal() -> list[str]:
    fenced = "json_extract(CAST(plan AS TEXT), '$.sandbox') IS 'worktree'"
    unfenced = "ifnull(json_extract(CAST(plan AS TEXT), '$.unfenced'), '')"
    fence = "ifnull(json_extract(CAST(plan AS TEXT), '$.fence'), '')"
    more = (f"'fenced', {fenced}", f"'unfenced', {unfenced}", f"'fence', {fence}")
    return [*_pairs(rows.Terminal, Terminal), *more]


@cache
def whole_workflow() -> str:
    """Return one statement, which sees one committed state; its rows have no order."""
    return " UNION ALL ".join(
        [
            without_tasks(),
            _rows(Task, "workflow", *_pairs(rows.Task, Task)),
            _rows(Terminal, "workflow", *_of_terminal()),
        ]
    )


@cache
def without_tasks() -> str:
    """Return the statement of `whole_workflow`, without tasks and terminals."""
    own = _pairs(rows.Workflow, Workflow)
    return " UNION ALL ".join(
        [
            _rows(Workflow, "id", *own, "'address', id || '/'"),
            _rows(Merge, "workflow", *_pairs(rows.Merge, Merge)),
            _rows(Question, "workflow", *_pairs(questions.Question, Question)),
        ]
    )


@cache
def one_task() -> str:
    """Return the query of one task by its address."""
    return _rows(Task, "address", *_pairs(rows.Task, Task))


@cache
def one_terminal() -> str:
    """Return the query of one terminal by its address."""
    return _rows(Terminal, "address", *_of_terminal())
