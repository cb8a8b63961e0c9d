"""Many rows into a table: COPY on PostgreSQL, long INSERTs elsewhere. Nothing is validated but by the database."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any

from django.core.management.color import no_style
from django.db import connection, models, transaction

BATCH = 2000


def pour(model: type[models.Model], names: Sequence[str], rows: Iterable[Sequence[Any]]) -> int:
    """Write rows of the named fields (by attribute name); all others have their default. Returns how many."""
    fields = {field.attname: field for field in model._meta.concrete_fields}
    rest = {name: _default(field) for name, field in fields.items() if name not in names and not field.generated}
    if model._meta.pk is not None and model._meta.pk.attname not in names:
        rest.pop(model._meta.pk.attname, None)  # the database numbers them
    columns = [str(fields[name].column) for name in (*names, *rest)]
    prepare = [_prepare(fields[name]) for name in names]
    constant = tuple(_prepare(fields[name])(value) for name, value in rest.items())

    def prepared() -> Iterator[tuple[Any, ...]]:
        for row in rows:
            yield tuple(make(value) for make, value in zip(prepare, row, strict=True)) + constant

    with transaction.atomic():
        return _copy(model, columns, prepared()) if _is_postgres() else _insert(model, columns, prepared())


def number_on(model: type[models.Model]) -> None:
    """Let the table number its rows behind those that came with a number."""
    if not _is_postgres():
        return  # SQLite counts on by itself
    with connection.cursor() as cursor:
        for line in connection.ops.sequence_reset_sql(no_style(), [model]):
            cursor.execute(line)


@contextmanager
def without_indexes(*wanted: type[models.Model]) -> Iterator[None]:
    """PostgreSQL: the indexes that hold no constraint are made anew at the end: much faster than row by row."""
    if not _is_postgres():
        yield
        return
    tables = [model._meta.db_table for model in wanted]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT i.indexname, i.indexdef FROM pg_indexes i"
            " WHERE i.schemaname = current_schema() AND i.tablename = ANY(%s)"
            " AND NOT EXISTS (SELECT 1 FROM pg_constraint c WHERE c.conname = i.indexname)"
            " AND i.indexdef NOT LIKE 'CREATE UNIQUE%%'",
            [tables],
        )
        found = cursor.fetchall()
        for name, _ in found:
            cursor.execute(f"DROP INDEX {connection.ops.quote_name(name)}")
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SET maintenance_work_mem = '512MB'")
            for _, definition in found:
                cursor.execute(definition)
            cursor.execute("RESET maintenance_work_mem")


def gather_statistics() -> None:
    """What the planner knows of the tables is that of empty ones until then."""
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE" if _is_postgres() else "ANALYZE")


def _is_postgres() -> bool:
    return connection.vendor == "postgresql"


def _default(field: Any) -> Any:
    if field.has_default():
        return field.get_default()
    return None if field.null else field.get_default()


def _prepare(field: Any) -> Callable[[Any], Any]:
    """From a value of Python's to one that the database's driver takes for this column."""
    if isinstance(field, models.JSONField):
        return lambda value: None if value is None else json.dumps(value)
    if _is_postgres():
        return _same
    if isinstance(field, models.DateTimeField):
        return lambda value: None if value is None else str(connection.ops.adapt_datetimefield_value(value))
    if isinstance(field, models.UUIDField) or (field.is_relation and isinstance(field.target_field, models.UUIDField)):
        return lambda value: None if value is None else value.hex
    return _same


def _same(value: Any) -> Any:
    return value


def _copy(model: type[models.Model], columns: Sequence[str], rows: Iterable[tuple[Any, ...]]) -> int:
    count = 0
    into = f"COPY {_quoted(model)} ({', '.join(connection.ops.quote_name(name) for name in columns)}) FROM STDIN"
    with connection.cursor() as cursor, cursor.copy(into) as copy:
        for row in rows:
            copy.write_row(row)
            count += 1
    return count


def _insert(model: type[models.Model], columns: Sequence[str], rows: Iterable[tuple[Any, ...]]) -> int:
    count = 0
    into = f"INSERT INTO {_quoted(model)} ({', '.join(connection.ops.quote_name(name) for name in columns)})"
    values = f" VALUES ({', '.join(['%s'] * len(columns))})"
    source = iter(rows)
    with connection.cursor() as cursor:
        while batch := list(islice(source, BATCH)):
            cursor.executemany(into + values, batch)
            count += len(batch)
    return count


def _quoted(model: type[models.Model]) -> str:
    return connection.ops.quote_name(model._meta.db_table)
