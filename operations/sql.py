"""Hot statements as plain SQL: the same on SQLite and PostgreSQL, at a fraction of the ORM's cost.

Only for what every server passes several times (claims, quota gates, its own rows); values are always parameters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeVar

from django.db import connection, models
from django.db.models.functions import Now

M = TypeVar("M", bound=models.Model)
N = TypeVar("N", bound=models.Model)
Statement = tuple[str, Sequence[Any]]
"""SQL with its parameters."""
NOW = {"sqlite": "STRFTIME('%%Y-%%m-%%d %%H:%%M:%%f', 'NOW')", "postgresql": "STATEMENT_TIMESTAMP()"}
"""The database's clock, as Django's ``Now()`` writes it."""
LATER = {
    "sqlite": "STRFTIME('%%Y-%%m-%%d %%H:%%M:%%f', 'NOW', %s)",
    "postgresql": "STATEMENT_TIMESTAMP() + CAST(%s AS interval)",
}
CHANGE = {
    "sqlite": "(SELECT COALESCE(MAX(change), 0) + 1 FROM hosts_inventory)",
    "postgresql": "pg_current_xact_id()::text::bigint",
}
"""The number of a change of an inventory, in the order of commits: see ``hosts.models.inventory.NextChange``."""


def seconds(number: float) -> str:
    """The parameter of ``{later}``."""
    return f"{number:+f} seconds"


@lru_cache(maxsize=64)
def _for(statement: str, vendor: str) -> str:
    for mark, meanings in (("{now}", NOW), ("{later}", LATER), ("{change}", CHANGE)):
        statement = statement.replace(mark, meanings[vendor])
    return statement


def update(statement: str, params: Sequence[Any]) -> int:
    """Run it and say how many rows it touched.

    ``{now}`` becomes the database's clock, ``{later}`` that clock moved by its parameter (see ``seconds``),
    ``{change}`` the number of an inventory's change.
    """
    with connection.cursor() as cursor:
        cursor.execute(_for(statement, connection.vendor), params)
        return int(cursor.rowcount)


def each(statements: Sequence[Statement]) -> list[int]:
    """Run them in this order and say how many rows each touched: PostgreSQL is asked once for all of them.

    All are run, whatever the first ones touched: for those that a rollback takes back together. See ``update``.
    https://www.psycopg.org/psycopg3/docs/advanced/pipeline.html
    """
    if connection.vendor != "postgresql":
        return [update(*statement) for statement in statements]
    return [cursor.rowcount for cursor in _in_one_trip(statements)]


def _in_one_trip(statements: Sequence[Statement]) -> list[Any]:
    """PostgreSQL's cursors, with what each statement brought."""
    connection.ensure_connection()
    with connection.wrap_database_errors, connection.connection.pipeline():
        cursors = [connection.create_cursor() for _statement in statements]
        for cursor, (statement, params) in zip(cursors, statements, strict=True):
            cursor.execute(_for(statement, "postgresql"), params)
    return cursors


@lru_cache(maxsize=64)
def _insert(model: type[models.Model], raw: tuple[tuple[str, str], ...], vendor: str) -> tuple[str, list[Any]]:
    """INSERT of a model's columns, without its automatic key and those the database fills in; and their fields."""
    fragments = dict(raw)
    options = model._meta
    fields = [
        field
        for field in options.concrete_fields
        if field.name not in fragments and not isinstance(field, models.AutoField) and not field.has_db_default()
    ]
    by_name = {field.name: field.column for field in options.concrete_fields}
    names = ", ".join(f'"{by_name[name]}"' for name in [*(field.name for field in fields), *fragments])
    marks = ", ".join(["%s"] * len(fields) + [_for(fragment, vendor) for fragment in fragments.values()])
    return f'INSERT INTO "{options.db_table}" ({names}) VALUES ({marks})', fields  # noqa: S608 -- names of columns only


def inserting(row: models.Model, **raw: tuple[str, Any]) -> Statement:
    """What writes a new row, made once for its model; a third of the cost of ``save()``.

    Columns with a database default are left to it. ``raw`` gives columns by SQL: ``x_at=("{later}", parameter)``.
    """
    fragments = tuple((name, fragment) for name, (fragment, _value) in raw.items())
    statement, fields = _insert(type(row), fragments, connection.vendor)
    values = [field.get_db_prep_save(getattr(row, field.attname), connection) for field in fields]
    row._state.adding = False
    row._state.db = connection.alias
    return statement, [*values, *(value for _fragment, value in raw.values())]


@lru_cache(maxsize=64)
def _insert_all(model: type[models.Model], names: tuple[str, ...], rows: int) -> str:
    columns, places = ", ".join(f'"{name}"' for name in names), ", ".join(["%s"] * len(names))
    wanted = ", ".join([f"({places})"] * rows)
    return f'INSERT INTO "{model._meta.db_table}" ({columns}) VALUES {wanted}'  # noqa: S608 -- names of columns only


def insert_all(model: type[models.Model], names: tuple[str, ...], rows: Sequence[Sequence[Any]]) -> None:
    """Write a few plain rows by one statement, compiled once for each number of them.

    ``names``: the columns. What is not named is left to the database's defaults.
    """
    if rows:
        update(_insert_all(model, names, len(rows)), [value for row in rows for value in row])


@lru_cache(maxsize=64)
def _select(model: type[models.Model], alias: str) -> tuple[str, Any, Any, list[str]]:
    """SELECT of a whole row by its key, compiled once, and what turns a database row into the model's values."""
    compiler = model._default_manager.filter(pk="").order_by().query.get_compiler(alias)
    statement, _params = compiler.as_sql()
    converters = compiler.get_converters([column[0] for column in compiler.select])
    return statement, compiler, converters, [field.attname for field in model._meta.concrete_fields]


@lru_cache(maxsize=256)
def _change(
    model: type[models.Model], guards: tuple[tuple[str, int], ...], changes: tuple[tuple[str, bool], ...], vendor: str
) -> str:
    """UPDATE of the columns named, under the guards named: 0 for null, else how many values are allowed."""
    column = {name: f'"{field.column}"' for name, field in _fields(model).items()}
    sets = ", ".join(f"{column[name]} = {NOW[vendor] if is_now else '%s'}" for name, is_now in changes)
    tests = [
        f"{column[name]} IN ({', '.join(['%s'] * size)})" if size else f"{column[name]} IS NULL"
        for name, size in guards
    ]
    return f'UPDATE "{model._meta.db_table}" SET {sets} WHERE {" AND ".join(tests)}'  # noqa: S608 -- names of columns only


@lru_cache(maxsize=64)
def _fields(model: type[models.Model]) -> dict[str, models.Field[Any, Any]]:
    """By name and by attribute: ``host`` and ``host_id`` are the same column."""
    fields = model._meta.concrete_fields
    return {field.attname: field for field in fields} | {field.name: field for field in fields}


def change(model: type[models.Model], guards: Mapping[str, Any], changes: Mapping[str, Any]) -> int:
    """Run ``changing``: how many rows it touched. A third of the cost of the ORM's ``update()``."""
    return update(*changing(model, guards, changes))


def changing(model: type[models.Model], guards: Mapping[str, Any], changes: Mapping[str, Any]) -> Statement:
    """A guarded UPDATE, compiled once for its shape.

    A guard's column must equal its value, be null for None, or be among the values of a tuple. A change is a plain
    value or ``Now()``.
    """
    fields = _fields(model)
    shape = tuple(
        (name, 0 if value is None else len(value) if isinstance(value, tuple) else 1) for name, value in guards.items()
    )
    told = tuple((name, isinstance(value, Now)) for name, value in changes.items())
    values = [
        fields[name].get_db_prep_save(value, connection)
        for name, value in changes.items()
        if not isinstance(value, Now)
    ]
    for name, value in guards.items():
        wanted = () if value is None else value if isinstance(value, tuple) else (value,)
        values += [fields[name].get_db_prep_save(one, connection) for one in wanted]
    return _change(model, shape, told, connection.vendor), values


def rows(statement: str, params: Sequence[Any]) -> list[tuple[Any, ...]]:
    """What a SELECT finds; ``{now}`` as in ``update``."""
    with connection.cursor() as cursor:
        cursor.execute(_for(statement, connection.vendor), params)
        return list(cursor.fetchall())


def find(model: type[M], key: str) -> M | None:
    """A row by its key, at a sixth of the cost of ``get()``."""
    with connection.cursor() as cursor:
        cursor.execute(_select(model, connection.alias)[0], [key])
        return _made(model, cursor.fetchone())


def find_both(model: type[M], key: str, other: type[N], by: str) -> tuple[M | None, N | None]:
    """A row by its key, and the one of ``other`` whose key stands in its column ``by``; PostgreSQL is asked once."""
    if connection.vendor != "postgresql":
        first = find(model, key)
        return first, find(other, getattr(first, by)) if first else None
    both = [(_select(model, connection.alias)[0], [key]), (_named_by(other, model, by, connection.alias), [key])]
    one, two = _in_one_trip(both)
    return _made(model, one.fetchone()), _made(other, two.fetchone())


@lru_cache(maxsize=64)
def _named_by(model: type[models.Model], namer: type[models.Model], by: str, alias: str) -> str:
    """SELECT of a whole row by the key that another row's column holds."""
    names = _fields(namer)
    key = f'(SELECT "{names[by].column}" FROM "{namer._meta.db_table}" WHERE "{names["id"].column}" = %s)'  # noqa: S608 -- names of columns only
    return _select(model, alias)[0].replace("%s", key)


def _made(model: type[M], row: Any) -> M | None:
    if row is None:
        return None
    _statement, compiler, converters, names = _select(model, connection.alias)
    values = next(iter(compiler.apply_converters([row], converters)))
    return model.from_db(connection.alias, names, values)
