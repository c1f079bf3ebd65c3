"""Grids of hyperparameters as papers print them: a list of values for every method, counted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path

import sympy as sp

from zotheory.evidence.tables import Table, printed_file


@dataclass(frozen=True)
class Grid:
    """A table whose cells are lists of values.

    Attributes:
        about: what the head of the file says: place, title.
        rows, columns: methods and hyperparameters in the paper's order.
        lists: the values by (row, column), as printed; none where the paper lists none.
    """

    about: Mapping[str, str]
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    lists: Mapping[tuple[str, str], tuple[str, ...]]

    @classmethod
    def read(cls, path: Path) -> Grid:
        """The grid of a CSV file, whose cells are values with commas between them.

        Raises ValueError for a head without place, a row of another length, a name that comes
        twice, and for a value that is no number or comes twice in its list.
        """
        about, rows, columns, cells = printed_file(path, "place")
        lists = {}
        for (row, column), cell in cells.items():
            values = tuple(value.strip() for value in cell.split(",") if value.strip())
            try:
                distinct = {Decimal(value) for value in values}
            except InvalidOperation:
                raise ValueError(f"{path}: {cell!r} in row {row!r} lists no numbers") from None
            if len(distinct) < len(values):
                raise ValueError(f"{path}: {cell!r} in row {row!r} lists a value twice")
            lists[row, column] = values
        return cls(about, rows, columns, lists)

    def sizes(self) -> Table:
        """How many values are listed: a table of counts."""
        return self._table("number of values", lambda values: str(len(values)))

    def largest(self) -> Table:
        """The largest value of every list."""
        return self._table("largest value", lambda values: f"{max(map(Decimal, values)):f}")

    def _table(self, told: str, number: Callable[[Sequence[str]], str]) -> Table:
        name = f"{self.about['place'].partition(',')[0]}, {told}"
        cells = {place: number(values) if values else "" for place, values in self.lists.items()}
        about = {**self.about, "unit": told, "exact": ", ".join(self.columns)}
        return Table(name, about, self.rows, self.columns, cells)


def settings(sizes: Table, method: str) -> sp.Expr:
    """How many settings a method's grid has: the product of the numbers of values listed."""
    return sp.prod(sizes[method, c] for c in sizes.columns if sizes.has(method, c))
