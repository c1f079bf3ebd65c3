"""Printed evidence: arithmetic on the numbers that a paper's own tables print.

A claim is a formula over cells of tables (see `tables`), and counts, means and ratios of cells. It
is evaluated exactly on the printed decimals. A printed 3.4 may stand for any number in
[3.35, 3.45]: whether that could turn the verdict is told beside it, by bounds over all such numbers
or, where a function computes from them, by trying some; and so is a change of one cell that turns
it.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cache, cached_property
from itertools import islice, product
from operator import attrgetter
from typing import Any

import sympy as sp
from sympy.core.relational import Relational
from sympy.printing.precedence import PRECEDENCE
from sympy.printing.str import StrPrinter

from zotheory.context import Context
from zotheory.evidence import rounding
from zotheory.evidence.exact import conjuncts
from zotheory.evidence.tables import Interval, Number, Table
from zotheory.vocabulary import Check, Evidence, Kind, Statement, Verdict, written

BY_THE_NUMBERS = "by the printed numbers"
CHANGED = "printed otherwise"  # in a statement's setting: cells that have other numbers
ROUNDED = 6  # cells of which what rounds to them is tried in all combinations
QUANTITIES = 6  # more are left to the numbers
TERMS = 4  # of a longer sum, only the ends are told
TRIES = 200  # changes of one cell that are tried


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
        ends |= {name: interval for name, interval in computed.items() if interval is not None}
        return None if None in computed.values() else rounding.bounds(sp.expand(gap), ends)

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
    if isinstance(number, Fraction | int):
        return sp.Rational(number.numerator, number.denominator)
    return sp.Float(number)


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
    cells, decisive = (
        {str(c): numbers[c].text for case in some for c in case.cells}
        for some in ([telling], failing or cases)
    )
    words = _Words(cases, tables)
    arithmetic = [
        (words.doprint(case.relation), _in_numbers(case))
        for case in sorted(cases, key=lambda c: (c is not telling, words.order(c.relation)))
    ]
    told = {str(s): _short(v) for case in cases for s, v in case.named.items()}
    certificate: dict[str, Any] = {
        "relation": written(telling.relation),
        "cells": cells,
        "arithmetic": arithmetic,  # the telling relation first
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
        _summary(cases, failing, told, words.place(telling.relation) + ": ".join(arithmetic[0])),
        {"quantities": told, "cells": decisive, "tables": [table.name for table in tables]},
        certificate,
        BY_THE_NUMBERS if turns else "",
    )


def _closeness(case: _Case) -> sp.Expr:
    left, right = case.sides(case.printed)
    return abs(left - right)


def _in_numbers(case: _Case) -> str:
    """A relation as the numbers have it."""
    left, right = map(_short, case.sides(case.printed))
    sign = {"==": "="}.get(case.relation.rel_op, case.relation.rel_op)
    return f"{left} {sign} {right} {'holds' if case.holds() else 'fails'}"


def _summary(
    cases: Sequence[_Case], failing: Sequence[_Case], told: Mapping[str, str], telling: str
) -> str:
    quantities = "; ".join(f"{name} = {value}" for name, value in told.items())
    few = bool(told) and len(told) <= QUANTITIES
    if failing:
        count = f" ({len(failing)} of {len(cases)} relations fail)" if len(cases) > 1 else ""
        return f"{telling}{count}" + (f"; {quantities}" if few and len(told) > 1 else "")
    if few:
        return quantities
    return f"all {len(cases)} relations hold, the closest: {telling}" if len(cases) > 1 else telling


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


class _Words(StrPrinter):
    """Relations as one reads them: `[TeZO, OPT-13B] < [MeZO, OPT-13B]`.

    Cells stand in brackets, in the order of their table, and behind its name where there are
    several. Long sums are told by their ends.
    """

    def __init__(self, cases: Sequence[_Case], tables: Sequence[Table]) -> None:
        super().__init__({"order": "none"})
        cells = {cell for case in cases for cell in case.cells}
        self._tables = [table for table in tables if cells & table.numbers.keys()]
        self._cells = {
            cell: self._name(table) + f"[{cell.name[len(table.name) + 2 :]}]"
            for table in self._tables
            for cell in table.numbers
        }
        self._order = {cell: i for i, cell in enumerate(self._cells)}

    def _name(self, table: Table) -> str:
        return f"{table.name} " if len(self._tables) > 1 else ""

    def place(self, relation: Relational) -> str:
        """The table, if a relation names cells of the only one."""
        named = relation.free_symbols & self._cells.keys()
        return f"{self._tables[0].name}: " if named and len(self._tables) == 1 else ""

    def order(self, expr: sp.Expr) -> list[int]:
        """To sort by: the places of the cells that are named."""
        return sorted(self._order.get(s, len(self._order)) for s in expr.free_symbols)

    def _print_Symbol(self, expr: sp.Symbol) -> str:
        return self._cells.get(expr, expr.name)

    def _print_Rational(self, expr: sp.Rational) -> str:
        decimal = _short(expr)
        return decimal if sp.Rational(decimal) == expr else str(expr)

    def _print_Relational(self, expr: Relational) -> str:
        sign = {"==": "="}.get(expr.rel_op, expr.rel_op)
        return f"{self._print(expr.lhs)} {sign} {self._print(expr.rhs)}"

    def _print_Add(self, expr: sp.Add, order: str | None = None) -> str:
        """What is taken away stands last, and a mean is a sum over its number."""
        by_factor: dict[sp.Rational, list[sp.Expr]] = {}
        for term in sorted(expr.args, key=self.order):
            factor, rest = term.as_coeff_Mul()
            if rest is sp.S.One:
                factor, rest = sp.sign(term), abs(term)
            by_factor.setdefault(factor, []).append(rest)
        told = ""
        for factor, terms in sorted(by_factor.items(), reverse=True):
            inner = [self.parenthesize(term, PRECEDENCE["Add"]) for term in terms]
            inner = inner if len(inner) <= TERMS else [*inner[:1], "...", *inner[-1:]]
            text = " + ".join(inner)
            text = f"({text})" if len(inner) > 1 and factor != 1 else text
            if abs(factor) != 1:
                ratio = abs(factor)
                text = f"{text}/{ratio.q}" if ratio.p == 1 else f"{self._print(ratio)}*{text}"
            sign = "-" if factor < 0 else "+"
            told += f" {sign} {text}" if told else f"{sign}{text}".removeprefix("+")
        return told


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
        if expr.func not in names:
            raise ValueError(
                f"{expr} is no arithmetic on printed numbers: there are sums, products, powers, "
                "Abs, Max, Min, floor and ceiling; compute it by a function (`Computed`)"
            )
        return f"{names[expr.func]}({', '.join(map(self._print, expr.args))})"

    _print_Abs = _print_Max = _print_Min = _print_Function

    def _print_floor(self, expr: sp.floor) -> str:
        return f"(({self._print(expr.args[0])})//1)"

    def _print_ceiling(self, expr: sp.ceiling) -> str:
        return f"(-((-({self._print(expr.args[0])}))//1))"

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
