"""Printed evidence: arithmetic on the numbers that a paper's own tables print.

A table is a CSV file beside its paper's claims. Its first lines say after `#` what it is
(`# place: Table 7, App. A.4`, `# title: ...`, `# unit: GB`, any `# note: ...`); then come the names
of the columns and one row a row of the paper. A cell is kept as printed, `93.4`, or with its
deviation, `93.4 (0.5)`. An empty cell is one that the paper leaves out, `?` one that the scan
garbled, `>80` a bound: none of the three is a number.

Every number is a SymPy symbol, ``table["TeZO", "13B"]``, so that a claim is a formula over cells,
and counts, means and ratios of cells. It is evaluated exactly on the printed decimals. A printed
3.4 may stand for any number in [3.35, 3.45]: whether that could turn the verdict is told beside it,
by bounds over all such numbers or, where a function computes from them, by trying some; and so is a
change of one cell that turns it. `# exact: AVG, steps` names columns whose numbers
stand for themselves: counts, and averages and ratios that are what a claim is about.
"""

from __future__ import annotations

import csv
import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cache, cached_property
from html import escape
from itertools import islice, product
from operator import attrgetter
from pathlib import Path
from typing import Any

import sympy as sp
from sympy.core.relational import Relational
from sympy.printing.str import StrPrinter

from zotheory.context import Context
from zotheory.evidence.exact import conjuncts
from zotheory.vocabulary import Check, Evidence, Kind, Statement, Verdict, written

BY_THE_NUMBERS = "by the printed numbers"
CHANGED = "printed otherwise"  # in a statement's setting: cells that have other numbers
NUMBER = re.compile(r"(-?[\d,]*\.?\d+)(?:\s*\((\d*\.?\d+)\))?")
ROUNDED = 6  # cells of which what rounds to them is tried in all combinations
TRIES = 200  # changes of one cell that are tried

Interval = tuple[sp.Expr, sp.Expr]


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


@dataclass(frozen=True, eq=False)
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
        """The table of a file; `name` where the place's own ("Table 7") would not be enough.

        Raises ValueError for a head without place and unit or with an unknown exact column, a row
        of another length, a name that comes twice, or a cell that is neither a number, nor a bound,
        nor garbled, nor empty.
        """
        lines = path.read_text(encoding="utf-8").splitlines()
        head = [line[1:] for line in lines if line.startswith("#")]
        about = {key.strip(): value.strip() for key, _, value in (h.partition(":") for h in head)}
        header, *body = csv.reader(line for line in lines if line and not line.startswith("#"))
        columns, rows = tuple(header[1:]), tuple(row[0] for row in body)
        if not {"place", "unit"} <= about.keys():
            raise ValueError(f"{path} must say its place and unit: `# place: Table 7`")
        if len(set(columns)) < len(columns) or len(set(rows)) < len(rows):
            raise ValueError(f"{path}: every row and every column needs a name of its own")
        cells = {}
        for row, *texts in body:
            if len(texts) != len(columns):
                raise ValueError(f"{path}: row {row!r} has {len(texts)} cells, not {len(columns)}")
            for column, text in zip(columns, map(str.strip, texts), strict=True):
                bound = text[:1] in ("<", ">") and NUMBER.fullmatch(text[1:])
                if not (text in ("", "?") or bound or NUMBER.fullmatch(text)):
                    raise ValueError(f"{path}: {text!r} in row {row!r} is no printed number")
                cells[row, column] = text
        table = cls(name or about["place"].partition(",")[0], about, rows, columns, cells)
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

    def html(self, marked: Iterable[str] = ()) -> str:
        """The table for a page; cells whose symbols are called as in `marked` stand out."""
        decisive = set(marked)

        def cell(row: str, column: str) -> str:
            name = f"{self.name}: {row}, {column}"
            text = escape(self.cells[row, column]) or "·"
            return f"<td>{f'<mark>{text}</mark>' if name in decisive else text}</td>"

        head = "".join(f'<th scope="col">{escape(c)}</th>' for c in self.columns)
        body = "".join(
            f'<tr><th scope="row">{escape(row)}</th>{"".join(cell(row, c) for c in self.columns)}'
            "</tr>"
            for row in self.rows
        )
        unit = f", {self.about['unit']}" if self.about["unit"] else ""
        caption = escape(self.about["place"] + unit)
        return (
            f"<table><caption>{caption}</caption><thead><tr><td></td>{head}</tr></thead>"
            f"<tbody>{body}</tbody></table>"
        )

    def _repr_html_(self) -> str:
        return self.html()


def mean(cells: Sequence[sp.Expr]) -> sp.Expr:
    """The mean of numbers of a table."""
    return sp.Add(*cells) / len(cells)


def above(a: sp.Expr, b: sp.Expr) -> sp.Expr:
    """1 if a > b, else 0: to count with."""
    return _one_if(sp.Gt, a, b)


def at_least(a: sp.Expr, b: sp.Expr) -> sp.Expr:
    """1 if a >= b, else 0: to count with."""
    return _one_if(sp.Ge, a, b)


def _one_if(relation: type[Relational], a: sp.Expr, b: sp.Expr) -> sp.Expr:
    """Unevaluated: what SymPy could find out of sums of unknown cells takes long and is nothing."""
    condition = relation(a, b, evaluate=False)
    return sp.Piecewise((1, condition), (0, True), evaluate=False)


@dataclass(frozen=True)
class Computed:
    """A number that is no formula: `function` of these arguments, each an expression in cells.

    The function stands alone (NumPy at most): the snippet carries its source.
    """

    function: Callable[..., float]
    arguments: tuple[sp.Expr, ...]

    def __init__(self, function: Callable[..., float], *arguments: sp.Expr) -> None:
        object.__setattr__(self, "function", function)
        object.__setattr__(self, "arguments", tuple(map(sp.sympify, arguments)))

    @property
    def free_symbols(self) -> set[sp.Symbol]:
        """The cells it is computed from."""
        return set().union(*(a.free_symbols for a in self.arguments))


Quantities = Mapping[sp.Symbol, "sp.Expr | Computed"]


def changed(statement: Statement, cells: Mapping[sp.Symbol, str | float]) -> Statement:
    """The same statement about tables that print other numbers in these cells."""
    told = ", ".join(f"{text} at {cell}" for cell, text in cells.items())
    setting = {**statement.setting, CHANGED: {cell: str(text) for cell, text in cells.items()}}
    return replace(statement, says=f"The same with {told} printed.", setting=setting)


def printed(
    *tables: Table, derive: Callable[[Statement], Quantities] = lambda statement: {}
) -> Check:
    """A check that evaluates the formula on the numbers that the tables print.

    derive: gives the quantities that the formula names (counts, means, p values) as expressions in
    cells and in each other, or as `Computed`.

    Raises ValueError for tables with cells of the same name and for a formula that names anything
    else.
    """
    numbers: dict[sp.Symbol, Number] = {}
    for table in tables:
        if twice := numbers.keys() & table.numbers.keys():
            raise ValueError(f"two tables have cells called {min(map(str, twice))!r}: name them")
        numbers |= table.numbers

    def judge(statement: Statement, context: Context) -> Evidence:
        context.tell(f"{context.claim}  reading tables")
        relations = conjuncts(statement.formula)
        others = statement.setting.get(CHANGED, {})
        if strange := others.keys() - numbers.keys():
            raise ValueError(f"no table prints {min(map(str, strange))!r}")
        quantities = derive(statement)
        known = numbers | {c: replace(numbers[c], text=text) for c, text in others.items()}
        cases = [_Case(relation, quantities, known) for relation in relations]
        return _evidence(statement, cases, known, tables)

    return Check(Kind.PRINTED, judge)


@dataclass(frozen=True)
class _Case:
    """One relation over cells."""

    relation: Relational
    quantities: Quantities
    numbers: Mapping[sp.Symbol, Number] = field(repr=False)

    @cached_property
    def names(self) -> list[sp.Symbol]:
        """The quantities that it names, and those that they are made of."""
        found, left = set(), self.relation.free_symbols & self.quantities.keys()
        while left:
            found |= left
            left = set().union(*(self.quantities[s].free_symbols for s in left))
            left = (left & self.quantities.keys()) - found
        return sorted(found, key=attrgetter("name"))

    @cached_property
    def cells(self) -> list[sp.Symbol]:
        """The cells it depends on, as called."""
        inside = (self.quantities[s].free_symbols for s in self.names)
        cells = self.relation.free_symbols.union(*inside) - self.quantities.keys()
        if strange := cells - self.numbers.keys():
            raise ValueError(f"no table prints {min(map(str, strange))!r}")
        return sorted(cells, key=attrgetter("name"))

    @cached_property
    def printed(self) -> dict[sp.Symbol, sp.Expr]:
        return {cell: self.numbers[cell].value for cell in self.cells}

    @cached_property
    def computed(self) -> list[Callable[..., float]]:
        """The functions that give quantities it names."""
        quantities = (self.quantities[s] for s in self.names)
        found = {q.function for q in quantities if isinstance(q, Computed)}
        return sorted(found, key=lambda function: function.__name__)

    @cached_property
    def named(self) -> dict[sp.Symbol, sp.Expr]:
        """The values of the quantities that it names."""
        return dict(zip(self.names, self._compiled(self.names)(self.printed), strict=True))

    def sides(self, cells: Mapping[sp.Symbol, sp.Expr]) -> tuple[sp.Expr, sp.Expr]:
        """Left and right with these numbers in the cells."""
        left, right = self._both(cells)
        return left, right

    @cached_property
    def code(self) -> list[str]:
        """Left and right as Python on fractions c[0], c[1], ..., the cells in their order."""
        return [_Python(self).doprint(side) for side in self.relation.args]

    @cached_property
    def _both(self) -> Callable[[Mapping[sp.Symbol, sp.Expr]], list[sp.Expr]]:
        return self._compiled(self.relation.args)

    def _compiled(
        self, wanted: Sequence[sp.Expr]
    ) -> Callable[[Mapping[sp.Symbol, sp.Expr]], list[sp.Expr]]:
        """The values of expressions by those of the cells: as exact as SymPy, and much faster."""
        code = "".join(f"{_Python(self).doprint(expr)}, " for expr in wanted)
        scope = {"F": Fraction, **{f.__name__: cache(f) for f in self.computed}}
        function = eval(f"lambda c: ({code})", scope)

        def values(cells: Mapping[sp.Symbol, sp.Expr]) -> list[sp.Expr]:
            numbers = [Fraction(cells[cell].p, cells[cell].q) for cell in self.cells]
            return [_sympy(number) for number in function(numbers)]

        return values

    def holds(self, cells: Mapping[sp.Symbol, sp.Expr] | None = None) -> bool:
        """Whether it is so: exactly for rational numbers, to 1e-9 for an equation of others."""
        left, right = self.sides(self.printed if cells is None else cells)
        if isinstance(self.relation, sp.Eq) and self.computed:
            return bool(abs(left - right) <= 1e-9)
        return bool(self.relation.func(left, right))

    def may_turn(self) -> bool:
        """Whether it is not excluded that rounding of its cells turns it."""
        if self.bounds is None:
            return self._some_turns()
        low, high = self.bounds
        if isinstance(self.relation, sp.Eq):
            return low < high if self.holds() else bool(low <= 0 <= high)
        return any(bool(self.relation.func(end, 0)) is not self.holds() for end in self.bounds)

    @property
    def bounded(self) -> bool:
        """Whether `may_turn` speaks of all that may have been rounded, not only of what is tried.

        What a function gives at a few numbers does not bound it in between.
        """
        return self.bounds is not None and not self.computed

    @cached_property
    def bounds(self) -> Interval | None:
        """Bounds of left - right over all that may have been rounded; None if none are known."""
        gap = sp.Add(self.relation.lhs, -self.relation.rhs)
        formulas = {s: q for s, q in self.quantities.items() if not isinstance(q, Computed)}
        while gap.free_symbols & formulas.keys():
            gap = gap.xreplace(formulas)
        computed = {s: self._tried(s) for s in gap.free_symbols & self.quantities.keys()}
        ends = {cell: self.numbers[cell].ends for cell in self.cells}
        return None if None in computed.values() else _bounds(sp.expand(gap), ends | computed)

    def _tried(self, name: sp.Symbol) -> Interval | None:
        """The least and the largest that a function gives; None if too much would be tried."""
        alone = replace(self, relation=sp.Le(name, 0, evaluate=False))
        try:
            values = [alone.sides(cells)[0] for cells in alone._rounded()]
        except (ValueError, ZeroDivisionError):  # no such numbers can be
            return None
        return (min(values), max(values)) if values else None

    def _some_turns(self) -> bool:
        """Whether something tried turns it; taken for so if too much would be."""
        try:
            found = [self.holds(cells) is not self.holds() for cells in self._rounded()]
        except (ValueError, ZeroDivisionError):
            return True
        return any(found) or not found

    def _rounded(self) -> list[dict[sp.Symbol, sp.Expr]]:
        """The ends of rounding and the printed numbers in all combinations; none if many."""
        choices = [sorted({*self.numbers[c].ends, self.numbers[c].value}) for c in self.cells]
        if sum(len(choice) > 1 for choice in choices) > ROUNDED:
            return []
        return [dict(zip(self.cells, chosen, strict=True)) for chosen in product(*choices)]

    def changes(self) -> Iterator[tuple[sp.Symbol, int]]:
        """Cells and changes of them in units of the last place that might turn it, small first."""
        left, right = self.sides(self.printed)
        values = list(self.printed.values())
        gap, spread = abs(left - right), max(values) - min(values)
        shifts = [gap, gap * len(values), spread, 2 * spread, 10 * spread + 10]
        for shift in sorted({sp.Rational(s) for s in shifts}):
            for cell, sign in product(self.cells, (1, -1)):
                place = self.numbers[cell].place
                steps = sp.floor(shift / place) + 1  # a number of as many decimals, just beyond
                if self.printed[cell] + sign * steps * place >= 0 or self.printed[cell] < 0:
                    yield cell, int(sign * steps)  # few tables print both signs


def _sympy(number: Fraction | float) -> sp.Expr:
    exact = isinstance(number, Fraction | int)
    return sp.Rational(number.numerator, number.denominator) if exact else sp.Float(number)


def _bounds(expr: sp.Expr, ends: Mapping[sp.Symbol, Interval]) -> Interval | None:
    """Bounds of an expression whose symbols lie between these ends, sharp if it is linear."""
    if not expr.free_symbols:
        return (expr, expr) if expr.is_Rational else None
    if expr.is_Symbol:
        return ends[expr]
    if expr.is_Add:
        rest = [term for term in expr.args if not _is_linear(term)]
        linear = sp.Add(*(term for term in expr.args if _is_linear(term)))
        slopes = linear.as_coefficients_dict()
        constant = slopes.pop(sp.S.One, sp.S.Zero)
        reach = [sorted((slope * ends[s][0], slope * ends[s][1])) for s, slope in slopes.items()]
        return _sum([(constant, constant), *reach, *(_bounds(term, ends) for term in rest)])
    if isinstance(expr, sp.Piecewise):
        return _either(expr, ends)
    inside = [_bounds(argument, ends) for argument in expr.args]
    if None in inside:
        return None
    if expr.is_Mul:
        corners = [sp.Mul(*corner) for corner in product(*inside)]
        return min(corners), max(corners)
    if expr.is_Pow and expr.exp.is_Integer:
        low, high = inside[0]
        if low <= 0 <= high and expr.exp < 0:
            return None
        powers = [low**expr.exp, high**expr.exp, *([sp.S.Zero] if low <= 0 <= high else [])]
        return min(powers), max(powers)
    if isinstance(expr, sp.Abs):
        low, high = inside[0]
        least = sp.S.Zero if low <= 0 <= high else min(abs(low), abs(high))
        return least, max(abs(low), abs(high))
    if isinstance(expr, sp.Max | sp.Min):
        lows, highs = zip(*inside, strict=True)
        return expr.func(*lows), expr.func(*highs)
    return None


def _is_linear(term: sp.Expr) -> bool:
    """A number, or a number times a cell."""
    return len(term.free_symbols) <= 1 and term.as_independent(*term.free_symbols)[1].is_Symbol


def _sum(intervals: Sequence[Interval | None]) -> Interval | None:
    if None in intervals:
        return None
    lows, highs = zip(*intervals, strict=True)
    return sp.Add(*lows), sp.Add(*highs)


def _either(expr: sp.Piecewise, ends: Mapping[sp.Symbol, Interval]) -> Interval | None:
    """A count's 1 or 0: one of them if rounding leaves no doubt, else both."""
    (first, condition), (second, _) = expr.args
    if len(expr.args) != 2 or not (first.is_Rational and second.is_Rational):
        return None
    left, right = condition.args
    gap = _bounds(sp.expand(left - right), ends)
    if gap is None:
        return min(first, second), max(first, second)
    met = {bool(condition.func(end, 0)) for end in gap}
    values = [value for value, so in ((first, True), (second, False)) if so in met]
    return min(values), max(values)


def _evidence(
    statement: Statement,
    cases: Sequence[_Case],
    numbers: Mapping[sp.Symbol, Number],
    tables: Sequence[Table],
) -> Evidence:
    failing = sorted(
        (c for c in cases if not c.holds()), key=lambda c: (c.may_turn(), -_closeness(c))
    )
    verdict = Verdict.REFUTED if failing else Verdict.CONFIRMED
    if failing:
        turns = all(case.may_turn() for case in failing)
    else:
        turns = any(case.may_turn() for case in cases)
    firm = [case for case in failing or cases if not case.may_turn()]
    bounded = any(case.bounded for case in firm) if failing else all(c.bounded for c in firm)
    telling = failing[0] if failing else min(cases, key=_closeness)
    left, right = telling.sides(telling.printed)
    cells = {str(c): numbers[c].text for c in telling.cells}
    told = {str(s): _short(v) for case in cases for s, v in case.named.items()}
    certificate: dict[str, Any] = {
        "relation": written(telling.relation),
        "cells": cells,
        "arithmetic": [f"{_named(case)}" for case in cases],
        "rounding": (
            "what the cells were rounded from may turn it"
            if turns
            else "nothing that rounds to the printed numbers turns it"
            if bounded
            else "nothing tried that rounds to the printed numbers turns it"
        ),
        "one cell": _one_cell(cases, failing, numbers),
        "claimed": float(right),
        "actual": float(left),
        "snippet": _snippet(telling, numbers, tables),
    }
    return Evidence(
        Kind.PRINTED,
        verdict,
        _summary(cases, failing, telling, told),
        {"quantities": told, "cells": cells, "tables": [table.name for table in tables]},
        certificate,
        BY_THE_NUMBERS if turns else "",
    )


def _closeness(case: _Case) -> sp.Expr:
    left, right = case.sides(case.printed)
    return abs(left - right)


def _named(case: _Case) -> str:
    """A relation as called, and as the numbers have it."""
    left, right = map(_short, case.sides(case.printed))
    sign = {"==": "="}.get(case.relation.rel_op, case.relation.rel_op)
    so = "holds" if case.holds() else "fails"
    return f"{written(case.relation)}: {left} {sign} {right} {so}"


def _summary(
    cases: Sequence[_Case], failing: Sequence[_Case], telling: _Case, told: Mapping[str, str]
) -> str:
    quantities = "; ".join(f"{name} = {value}" for name, value in told.items())
    left, right = map(_short, telling.sides(telling.printed))
    if failing:
        count = f" ({len(failing)} of {len(cases)} relations fail)" if len(cases) > 1 else ""
        line = f"{telling.relation.lhs}: claimed {telling.relation.rel_op} {right}, printed {left}"
        return f"{line}{count}" + (f"; {quantities}" if quantities and len(told) > 1 else "")
    if quantities and len(told) <= 6:
        return quantities
    so = f"all {len(cases)} relations hold, the closest: " if len(cases) > 1 else ""
    return so + _named(telling)


def _one_cell(
    cases: Sequence[_Case], failing: Sequence[_Case], numbers: Mapping[sp.Symbol, Number]
) -> str:
    """A change of one cell that turns the verdict: the check could have said the other thing."""
    source = failing[0] if failing else min(cases, key=_closeness)
    everywhere = [case for case in failing if case is not source]  # all have to turn at once

    def turned(cell: sp.Symbol, steps: int) -> bool:
        value = numbers[cell].value + steps * numbers[cell].place
        try:
            now = [
                c.holds({**c.printed, cell: value}) if cell in c.cells else c.holds() for c in cases
            ]
        except (ValueError, ZeroDivisionError):  # no such number can be: a deviation below 0
            return False
        return all(now) is bool(failing)

    for cell, steps in islice(source.changes(), TRIES):
        if all(cell in case.cells for case in everywhere) and turned(cell, steps):
            before = 0  # as printed it does not turn: the change is halved as long as it does
            while abs(steps - before) > 1:
                middle = (before + steps) // 2
                before, steps = (before, middle) if turned(cell, middle) else (middle, steps)
            other = _as_printed(numbers[cell].value + steps * numbers[cell].place, numbers[cell])
            return f"{cell}: {other} in place of {numbers[cell].text} turns it"
    return "no change of one cell that was tried turns it"


def _as_printed(value: sp.Expr, number: Number) -> str:
    """A number with as many decimals as the one it stands in for."""
    return f"{float(value):.{len(number.text.partition('.')[2])}f}"


def _short(number: sp.Expr) -> str:
    return str(number) if number.is_Integer else f"{float(number):.6g}"


class _Python(StrPrinter):
    """A side of a case as Python on fractions c[0], c[1], ..., quantities written out."""

    def __init__(self, case: _Case) -> None:
        super().__init__({"order": "none"})
        self._quantities = case.quantities
        self._cells = {cell: f"c[{i}]" for i, cell in enumerate(case.cells)}

    def _print_Symbol(self, expr: sp.Symbol) -> str:
        if expr in self._cells:
            return self._cells[expr]
        quantity = self._quantities[expr]
        if isinstance(quantity, Computed):
            arguments = ", ".join(f"float({self._print(a)})" for a in quantity.arguments)
            return f"F({quantity.function.__name__}({arguments}))"
        return f"({self._print(sp.sympify(quantity))})"

    def _print_Integer(self, expr: sp.Integer) -> str:
        return str(expr.p)

    def _print_Rational(self, expr: sp.Rational) -> str:
        return f"F({expr.p}, {expr.q})"

    def _print_Piecewise(self, expr: sp.Piecewise) -> str:
        (first, condition), (second, _) = expr.args
        return f"({self._print(first)} if {self._print(condition)} else {self._print(second)})"

    def _print_Function(self, expr: sp.Function) -> str:
        names = {sp.Abs: "abs", sp.Max: "max", sp.Min: "min"}
        return f"{names.get(expr.func, expr.func)}({', '.join(map(self._print, expr.args))})"

    _print_Abs = _print_Max = _print_Min = _print_Function

    def _print_Mul(self, expr: sp.Mul) -> str:
        return "*".join(f"({self._print(factor)})" for factor in expr.args)

    def _print_Pow(self, expr: sp.Pow, rational: bool = False) -> str:
        return f"({self._print(expr.base)})**({self._print(expr.exp)})"


def _snippet(case: _Case, numbers: Mapping[sp.Symbol, Number], tables: Sequence[Table]) -> str:
    """Both sides from the printed numbers, in plain Python."""
    names = [t for t in tables if t.numbers.keys() & set(case.cells)]
    lines = ["from fractions import Fraction as F", ""]
    lines += [
        re.sub(r'\n    """.*?"""\n', "\n", inspect.getsource(function), flags=re.DOTALL)
        for function in case.computed
    ]
    lines += [f"# {table.about['place']}, {table.about['unit']}" for table in names]
    lines += ["cells = {"]
    lines += [f'    "{cell}": "{numbers[cell].text}",' for cell in case.cells]
    lines += ["}", 'c = [F(text.replace(",", "")) for text in cells.values()]']
    left, right = case.code
    lines += [f'print("claimed", float({right}))', f'print("actual", float({left}))', ""]
    return "\n".join(lines)
