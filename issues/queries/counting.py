"""Counts that stay cheap: exact up to a bound, then "more than"."""

from collections.abc import Mapping
from typing import Any

from django.db.models import IntegerField, QuerySet, Subquery
from django.utils.formats import number_format

# Further than this nobody reads a count as anything but "many"; up to it an index is read, whatever the table's size.
BOUND = 10_000


def bounded_count(rows: QuerySet[Any]) -> int:
    """How many rows there are; BOUND + 1 stands for any number beyond the bound."""
    return rows.order_by()[: BOUND + 1].count()


def bounded_counts(one_row: QuerySet[Any], wanted: Mapping[str, QuerySet[Any]]) -> dict[str, int]:
    """Several of them in one query, which needs `one_row` to stand on."""
    if not wanted:
        return {}
    asked = {f"count_{name}": _Counted(rows.order_by().values("pk")[: BOUND + 1]) for name, rows in wanted.items()}
    found = one_row.values(**asked).get()
    return {name: int(found[f"count_{name}"]) for name in wanted}


class _Counted(Subquery):
    template = "(SELECT COUNT(*) FROM (%(subquery)s) AS counted)"
    output_field = IntegerField()


def count_text(count: int) -> str:
    """`312`, or `10,000+` as the page's language writes it."""
    return str(count) if count <= BOUND else f"{number_format(BOUND, force_grouping=True)}+"
