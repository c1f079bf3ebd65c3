"""Tables that a paper prints, read from data and shown.

A table is a CSV file beside its paper's claims. Its first lines say after `#` what it is
(`# place: Table 7, App. A.4`, `# title: ...`, `# unit: GB`, any `# note: ...`, and a `# name: ...`
where "Table 7" would not be its own); then come the names of the columns and one row a row of the
paper. A cell is kept as printed, `93.4`, or with its deviation, `93.4 (0.5)`. An empty cell is one
that the paper leaves out, `?` one that the scan garbled, `>80` a bound: none of the three is a
number.

Every number is a SymPy symbol, ``table["TeZO", "13B"]``. `# exact: AVG, steps` names columns whose
numbers stand for themselves: counts, and averages and ratios that are what a claim is about; what
else is printed was rounded.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import sympy as sp

from zotheory.views import as_html

NUMBER = re.compile(r"(-?[\d,]*\.?\d+)(?:\s*\((\d*\.?\d+)\))?")

Interval = tuple[sp.Expr, sp.Expr]


Cells = dict[tuple[str, str], str]


def printed_file(
    path: Path, *told: str
) -> tuple[dict[str, str], tuple[str, ...], tuple[str, ...], Cells]:
    """What the head of a file says, the names of its rows and columns, and its cells.

    Raises ValueError for a head that does not tell all of `told`, a row of another length and a
    name that comes twice.
    """
    lines = path.read_text(encoding="utf-8").splitlines()
    head = (line[1:].partition(":") for line in lines if line.startswith("#"))
    about = {key.strip(): value.strip() for key, _, value in head}
    header, *body = csv.reader(line for line in lines if line and not line.startswith("#"))
    columns, rows = tuple(header[1:]), tuple(row[0] for row in body)
    if not set(told) <= about.keys():
        raise ValueError(f"{path} must say its {' and '.join(told)}: `# place: Table 7`")
    if len(set(columns)) < len(columns) or len(set(rows)) < len(rows):
        raise ValueError(f"{path}: every row and every column needs a name of its own")
    cells: Cells = {}
    for row, *texts in body:
        if len(texts) != len(columns):
            raise ValueError(f"{path}: row {row!r} has {len(texts)} cells, not {len(columns)}")
        cells |= {(row, c): text.strip() for c, text in zip(columns, texts, strict=True)}
    return about, rows, columns, cells


@dataclass(frozen=True)
class Number:
    """A printed decimal: its text, and whether it stands for itself alone or was rounded.

    A deviation is not below 0, whatever was rounded.
    """

    text: str
    exact: bool = False
    deviation: bool = False

    @cached_property
    def value(self) -> sp.Rational:
        return sp.Rational(self.text.replace(",", ""))

    @cached_property
    def place(self) -> sp.Rational:
        """The unit of its last place."""
        _, _, decimals = self.text.partition(".")
        return sp.Rational(1, 10 ** len(decimals))

    @property
    def half(self) -> sp.Rational:
        """How far it may be from what it was rounded from."""
        return sp.S.Zero if self.exact else self.place / 2

    @property
    def ends(self) -> Interval:
        """What may have been rounded to it, from least to largest."""
        low = self.value - self.half
        return max(sp.S.Zero, low) if self.deviation else low, self.value + self.half


@dataclass(frozen=True, eq=False, repr=False)
class Table:
    """A table of a paper, cell by cell as printed.

    Attributes:
        name: what its cells are called by: "Table 7".
        about: what the head of the file says: place, title, unit, notes.
        rows, columns: their names in the paper's order.
        cells: the printed texts by (row, column).
    """

    name: str
    about: Mapping[str, str]
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    cells: Mapping[tuple[str, str], str]

    @classmethod
    def read(cls, path: Path, name: str = "") -> Table:
        """The table of a file, called by `name`, else by the file's own, else by its place.

        Raises ValueError for a head without place and unit or with an unknown exact column, a row
        of another length, a name that comes twice, or a cell that is neither a number, nor a bound,
        nor garbled, nor empty.
        """
        about, rows, columns, cells = printed_file(path, "place", "unit")
        for (row, _), text in cells.items():
            bound = text[:1] in ("<", ">") and NUMBER.fullmatch(text[1:])
            if not (text in ("", "?") or bound or NUMBER.fullmatch(text)):
                raise ValueError(f"{path}: {text!r} in row {row!r} is no printed number")
        name = name or about.get("name") or about["place"].partition(",")[0]
        table = cls(name, about, rows, columns, cells)
        if strange := table.exact - set(columns):
            raise ValueError(f"{path} calls {min(strange)!r} exact, which is no column of it")
        return table

    def __getitem__(self, place: tuple[str, str]) -> sp.Symbol:
        """The number in (row, column). Raises ValueError where none is printed and legible."""
        return self._symbol(place, "", 1)

    def deviation(self, row: str, column: str) -> sp.Symbol:
        """The deviation printed with a number. Raises ValueError where there is none."""
        return self._symbol((row, column), ", deviation", 2)

    def has(self, row: str, column: str) -> bool:
        """Whether a number is printed there and legible."""
        return bool(NUMBER.fullmatch(self.cells[row, column]))

    def row(self, name: str, columns: Iterable[str] = ()) -> list[sp.Symbol]:
        """The numbers of a row in these columns, in all of them by default."""
        return [self[name, column] for column in columns or self.columns]

    def column(self, name: str, rows: Iterable[str] = ()) -> list[sp.Symbol]:
        """The numbers of a column in these rows, in all of them by default."""
        return [self[row, name] for row in rows or self.rows]

    def _symbol(self, place: tuple[str, str], suffix: str, group: int) -> sp.Symbol:
        if place not in self.cells:
            raise ValueError(f"{self.name} has no cell {place}; see its rows and columns")
        found = NUMBER.fullmatch(self.cells[place])
        if not found or found[group] is None:
            raise ValueError(f"{self.name} prints no number at {place}: {self.cells[place]!r}")
        row, column = place
        return sp.Symbol(f"{self.name}: {row}, {column}{suffix}", real=True)

    @cached_property
    def exact(self) -> set[str]:
        """The columns whose numbers stand for themselves."""
        return {name.strip() for name in self.about.get("exact", "").split(",")} - {""}

    @cached_property
    def numbers(self) -> dict[sp.Symbol, Number]:
        """All printed numbers and deviations."""
        found = {}
        for place, text in self.cells.items():
            if number := NUMBER.fullmatch(text):
                exact = place[1] in self.exact
                found[self[place]] = Number(number[1], exact)
                if number[2]:
                    found[self.deviation(*place)] = Number(number[2], exact, deviation=True)
        return found

    @cached_property
    def places(self) -> dict[str, tuple[str, str]]:
        """Where the printed numbers and deviations stand, by the names of their symbols."""
        found: dict[str, tuple[str, str]] = {}
        for place in self.cells:
            if self.has(*place):
                name = self[place].name
                found |= {name: place, f"{name}, deviation": place}
        return {symbol.name: found[symbol.name] for symbol in self.numbers}

    def _repr_html_(self) -> str:
        """The table as a notebook shows it."""
        return as_html(self)

    def __repr__(self) -> str:
        """Name, title, unit, and the cells row by row as printed."""
        lines = [("", *self.columns)]
        lines += [(row, *(self.cells[row, column] for column in self.columns)) for row in self.rows]
        widths = [max(map(len, texts)) for texts in zip(*lines, strict=True)]
        head = ", ".join(filter(None, (self.name, self.about.get("title"), self.about["unit"])))
        rows = ("  ".join(map(str.ljust, texts, widths)).rstrip() for texts in lines)
        return "\n".join((head, *rows))
