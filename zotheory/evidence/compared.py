"""What was found against what is claimed of it: one rule, whatever the numbers are.

A formula relates expressions in quantities. A case says what is known of each of them in one place:
a count, an exact value or what it lies between, an estimate with its interval, or independent
values whose mean or median is meant. Each relation is decided there by `zotheory.statistics.rule`;
what is said of it (verdict, line, certificate, snippet) is written here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from typing import Any, TypeAlias

import numpy as np
import sympy as sp
from sympy.core.relational import Relational

from proofs_check.enclosures import enclose
from zotheory.evidence.exact import Counterexample, conjuncts, refuted
from zotheory.statistics.intervals import median_interval, student
from zotheory.statistics.rule import Ends, decided
from zotheory.vocabulary import Evidence, Kind, Statement, Verdict

Array = np.ndarray
Interval = Callable[[Any, float], tuple[float, float]]  # of values, at an error probability
Witness = Callable[[Statement, Counterexample], str]
LINES = 4  # told in a summary; a certificate tells them all


@dataclass(frozen=True, eq=False)
class Quantity:
    """A number and what it is known to lie between.

    Attributes:
        value: the number itself or its estimate.
        low, high: the interval's ends; fractions and integers are exact.
        values, code: data, and `value` as a numpy expression in ``values``, for a snippet.
    """

    value: Any
    low: Any
    high: Any
    values: Array | None = None
    code: str = ""

    @property
    def ends(self) -> Ends:
        """Of the interval; fractions stay what they are."""
        exact = int | Fraction
        return Ends(*(x if isinstance(x, exact) else float(x) for x in (self.low, self.high)))

    def __str__(self) -> str:
        low, high = (f"{end:.5g}" for end in map(float, self.ends))
        value = _short(self.value)
        return value if low == high else f"{value} in [{low}, {high}]"

    def __mul__(self, scale: float) -> Quantity:
        """A positive multiple."""
        if scale == 1:
            return self
        return Quantity(scale * self.value, scale * self.low, scale * self.high)


@dataclass(frozen=True, eq=False)
class Sample:
    """Independent values of which one number is meant: their law's mean, its median.

    Attributes:
        values: shape (n,).
        estimate: of that number, from the values.
        interval: for it, from the values and an error probability.
        code: the estimate as a numpy expression in ``values``.
        linear: whether it is a mean: then the difference of two is that of their paired values.
    """

    values: Array
    estimate: Callable[[Array], float]
    interval: Interval
    code: str
    linear: bool = False

    def at(self, alpha: float) -> Quantity:
        """The estimate with its interval at error probability alpha."""
        value, ends = float(self.estimate(self.values)), self.interval(self.values, alpha)
        return Quantity(value, *ends, self.values, self.code)


def median(values: Array) -> Sample:
    """The median of independent values of any continuous law."""
    return Sample(np.asarray(values), np.median, median_interval, "np.median(values)")


def mean(values: Array, interval: Interval = student) -> Sample:
    """The mean of independent values; Student's interval unless another is given."""
    return Sample(np.asarray(values), np.mean, interval, "np.mean(values)", linear=True)


Known: TypeAlias = (
    Quantity | Sample | sp.Expr | float | tuple[Any, Any]
)  # a pair: what it lies between


@dataclass(frozen=True, eq=False)
class Case:
    """One place at which the formula is judged.

    Attributes:
        inputs: the place, in names and numbers, or in words.
        values: what is known there of the formula's symbols (or of whole expressions in them).
        notes: further figures worth telling, by name.
        steps: how exact values come about.
        drawn: further figures that only pictures need, by name.
        tolerance: how far the sides of an equation may lie apart; 0 for counts.
        takes: what would decide, told where intervals leave a relation open.
    """

    inputs: Mapping[str, Any] | str
    values: Mapping[sp.Expr, Known]
    notes: Mapping[str, Any] = field(default_factory=dict)
    steps: tuple[str, ...] = ()
    drawn: Mapping[str, Any] = field(default_factory=dict)
    tolerance: float = 0.0
    takes: str = ""

    @property
    def at(self) -> str:
        """The place in a line of text."""
        if isinstance(self.inputs, str):
            return self.inputs
        return ", ".join(f"{name} = {value}" for name, value in self.inputs.items())

    @property
    def named(self) -> dict[str, Any]:
        """The place in names and numbers."""
        return {"setting": self.inputs} if isinstance(self.inputs, str) else dict(self.inputs)

    @property
    def told(self) -> dict[str, Any]:
        """What was counted and noted, without what the inputs say already."""
        values = {str(symbol): value for symbol, value in self.values.items()}
        return {k: v for k, v in {**values, **self.notes}.items() if k not in self.named}


@dataclass(frozen=True, eq=False)
class Comparison:
    """One relation at one place: its two sides, and the verdict on it."""

    relation: Relational
    case: Case
    sides: tuple[Quantity, Quantity]
    verdict: Verdict
    scales: tuple[float, float] = (1.0, 1.0)
    further: str = ""
    snippet: str = ""

    @property
    def line(self) -> str:
        """What was found and what is claimed, each with its interval."""
        sign = {"==": "="}.get(self.relation.rel_op, self.relation.rel_op)
        found, claimed = (
            str(known)
            if side.is_number
            else f"{'' if scale == 1 else f'{scale:g} x '}{side} {known}"
            for side, known, scale in zip(
                (self.relation.lhs, self.relation.rhs), self.sides, self.scales, strict=True
            )
        )
        told = f"{found}, claimed {sign} {claimed}"
        if sign == "=" and self.case.tolerance:
            told += f" to within {self.case.tolerance:.3g}"
        told += self.further
        if self.verdict is Verdict.INCONCLUSIVE:
            told += ", which the intervals leave open"
            told += f"; {self.case.takes}" if self.case.takes else ""
        return f"{self.case.at}: {told}" if self.case.at else told


@dataclass(frozen=True, eq=False)
class Compared:
    """All relations at all places, and what they say together."""

    statement: Statement
    comparisons: tuple[Comparison, ...]
    verdict: Verdict
    alike: bool = True

    @property
    def lines(self) -> list[str]:
        """One a comparison."""
        return [comparison.line for comparison in self.comparisons]

    @property
    def telling(self) -> Comparison:
        """The first that fails, or is open; else the first of all."""
        order = (Verdict.REFUTED, Verdict.INCONCLUSIVE)
        found = (c for verdict in order for c in self.comparisons if c.verdict is verdict)
        return next(found, self.comparisons[0])

    @property
    def summary(self) -> str:
        """A few lines, or the one that tells."""
        if not self.alike:
            return "; ".join(self.lines) + "; they do not say the same"
        if not self.verdict.holds:
            return self.telling.line
        more = f", and {len(self.lines) - 1} more"
        return "; ".join(self.lines) if len(self.lines) <= LINES else self.lines[0] + more

    def evidence(
        self,
        kind: Kind,
        numbers: Mapping[str, Any],
        certificate: Mapping[str, Any],
        witness: Witness | None = None,
    ) -> Evidence:
        """The evidence; a refutation's certificate tells the first comparison that fails.

        `witness` writes the snippet of a counterexample; without it the snippet holds the measured
        values, if there are any.
        """
        if self.verdict is not Verdict.REFUTED:
            return Evidence(kind, self.verdict, self.summary, numbers, certificate)
        actual, claimed = self.telling.sides
        failed = Counterexample(self.telling.case.named, claimed.value, actual.value)
        snippet = self.telling.snippet
        if witness is None and snippet:
            witness = partial(_verbatim, snippet)
        found = refuted(self.statement, failed, self.telling.relation, (), witness, kind)
        told = {**certificate, **found.certificate}
        return Evidence(kind, self.verdict, self.summary, numbers, told)


def compare(
    statement: Statement,
    cases: Iterable[Case],
    alpha: float,
    *,
    margin: float = 1.0,
    sharp: bool = False,
    alike: bool = False,
) -> Compared:
    """The statement's formula at every case.

    One relation that fails at one place refutes it; it is confirmed if all hold everywhere.

    Args:
        statement: its formula is a relation or a conjunction of them.
        cases: the places; each says something of every symbol.
        alpha: error probability, shared equally by all intervals that are taken from samples.
        margin: "a > b", both measured, is judged as a > margin b.
        sharp: whether an equation fails, however near its sides are, if they are not equal.
        alike: whether the places are of one population: what does not hold at all of them, or fail
            at all of them, is not settled.

    Raises ValueError without a case, for a symbol of which a case says nothing, and for a formula
    that is no relation.
    """
    relations, cases = conjuncts(statement.formula), tuple(cases)
    if not cases:
        raise ValueError("a plan yields at least one case")
    taken = [len({key for r in relations for key in _taken(r, case)}) for case in cases]
    share = alpha / max(1, sum(taken))
    found = [[_compare(r, case, share, margin, sharp) for r in relations] for case in cases]
    everywhere = {_all(of) for of in found}
    comparisons = [comparison for of in found for comparison in of]
    if alike and len(everywhere) > 1:
        return Compared(statement, tuple(comparisons), Verdict.INCONCLUSIVE, alike=False)
    return together(statement, comparisons)


def together(
    statement: Statement, found: Sequence[Comparison], holds: Verdict = Verdict.CONFIRMED
) -> Compared:
    """What comparisons say of their conjunction; `holds` is the verdict if all of them hold."""
    return Compared(statement, tuple(found), _all(found, holds))


def _verbatim(snippet: str, _: Statement, __: Counterexample) -> str:
    return snippet


def _all(found: Sequence[Comparison], holds: Verdict = Verdict.CONFIRMED) -> Verdict:
    verdicts = {comparison.verdict for comparison in found}
    return next((v for v in (Verdict.REFUTED, Verdict.INCONCLUSIVE) if v in verdicts), holds)


def _compare(
    relation: Relational, case: Case, alpha: float, margin: float, sharp: bool
) -> Comparison:
    sides, scales, further = (relation.lhs, relation.rhs), [1.0, 1.0], ""
    if relation.rel_op != "==" and all(_measured(side, case) for side in sides):
        scales[relation.rel_op in (">", ">=")] = margin  # of the lesser side
    if interval := _paired(relation, case):
        left, right = (c * _rows(x, case) for x, c in zip(sides, scales, strict=True))
        known = _point(float(np.mean(left))), _point(float(np.mean(right)))
        difference = left - right
        a = Quantity(float(np.mean(difference)), *interval(difference, alpha))
        b, further = Quantity(0, 0, 0), f"; pair by pair the difference is {a}"
    else:
        a, b = (_side(x, case, alpha) * c for x, c in zip(sides, scales, strict=True))
        known = a, b
    holds, fails = decided(relation.rel_op, a.ends, b.ends, Fraction(case.tolerance), sharp)
    verdict = Verdict.INCONCLUSIVE
    if holds or fails:
        verdict = Verdict.CONFIRMED if holds else Verdict.REFUTED
    snippet = _snippet(relation, case, alpha, scales) if fails else ""
    return Comparison(relation, case, known, verdict, (scales[0], scales[1]), further, snippet)


# What is known of one side of a relation.


def _point(value: float) -> Quantity:
    return Quantity(value, value, value)


def _side(side: sp.Expr, case: Case, alpha: float) -> Quantity:
    if side in case.values:
        return _known(case.values[side], alpha)
    parts = {s: case.values[s] for s in _parts(side, case)}
    uncertain = {s: _known(v, alpha) for s, v in parts.items() if _uncertain(v)}
    exact = {s: _exact(v) for s, v in parts.items() if s not in uncertain}
    names = {s: sp.Dummy() for s in uncertain}
    rest = side.xreplace(names).subs(exact)
    if left := rest.free_symbols - set(names.values()):
        told = ", ".join(sorted(map(str, left)))
        raise ValueError(f"the case {case.at or 'that was found'} says nothing of {told}")
    if not names:
        found = _known(rest, alpha)
        rounded = any(isinstance(value, float) for value in parts.values())
        return Quantity(float(rest), *found.ends) if rounded else found
    bounds = {names[s]: (_exact(q.low), _exact(q.high)) for s, q in uncertain.items()}
    estimate = rest.subs({names[s]: _exact(q.value) for s, q in uncertain.items()})
    enclosed = enclose(rest.xreplace({f: _exact(f) for f in rest.atoms(sp.Float)}), bounds)
    return Quantity(float(estimate), enclosed.low, enclosed.high)


def _parts(side: sp.Expr, case: Case) -> list[sp.Expr]:
    """What the case says something of, in a side."""
    if side in case.values:
        return [side]
    return sorted((key for key in case.values if side.has(key)), key=str)


def _uncertain(value: Known) -> bool:
    return isinstance(value, Quantity | Sample | tuple)


def _measured(side: sp.Expr, case: Case) -> bool:
    return any(isinstance(case.values[s], Quantity | Sample) for s in _parts(side, case))


def _known(value: Known, alpha: float) -> Quantity:
    if isinstance(value, Sample):
        return value.at(alpha)
    if isinstance(value, Quantity):
        return value
    if isinstance(value, tuple):
        low, high = (_known(end, alpha) for end in value)
        return Quantity((float(low.low) + float(high.high)) / 2, low.low, high.high)
    number = _exact(value)
    if number.is_Rational:
        exact = Fraction(int(number.p), int(number.q))
        return Quantity(value, exact, exact)
    if number.is_infinite:
        return Quantity(value, float(number), float(number))
    found = enclose(number)
    return Quantity(value, found.low, found.high)


def _exact(value: Any) -> sp.Expr:
    """A number as exactly as it is given: of floats their binary digits."""
    number = sp.Rational(value) if isinstance(value, Fraction) else sp.sympify(value)
    return sp.Rational(number) if number.is_Float and number.is_finite else number


# Means over the same rounds: the difference is taken round by round.


def _paired(relation: Relational, case: Case) -> Interval | None:
    """The interval for the mean difference, if both sides are such means."""
    known = [[case.values[s] for s in _parts(side, case)] for side in (relation.lhs, relation.rhs)]
    sides = [[value for value in values if isinstance(value, Sample)] for values in known]
    found = [sample for side in sides for sample in side]
    if not all(sides) or not all(s.linear for s in found):
        return None
    return found[0].interval if len({len(s.values) for s in found}) == 1 else None


def _rows(side: sp.Expr, case: Case) -> Array:
    """One value of the side a round; it is affine in the samples."""
    parts = {s: case.values[s] for s in _parts(side, case)}
    names = {s: sp.Dummy() for s in parts}
    sampled = {names[s]: v.values for s, v in parts.items() if isinstance(v, Sample)}
    numbers = {names[s]: v for s, v in parts.items() if not isinstance(v, Sample)}
    expression = side.xreplace(names).subs(numbers)
    if sp.Poly(expression, *sampled).total_degree() > 1:
        raise ValueError(f"the mean of {side} is not that of its parts: measure it as a whole")
    return sp.lambdify(list(sampled), expression, "numpy")(*sampled.values())


def _taken(relation: Relational, case: Case) -> list[Any]:
    """What intervals are taken from samples for a relation: so many share the error."""
    if _paired(relation, case):
        return [relation]
    parts = [s for side in (relation.lhs, relation.rhs) for s in _parts(side, case)]
    return [s for s in parts if isinstance(case.values[s], Sample)]


# Snippets: the measured values, and both numbers from them.


def _snippet(relation: Relational, case: Case, alpha: float, scales: Sequence[float]) -> str:
    """Empty where the numbers are all that there is."""
    sides = {"claimed": relation.rhs, "actual": relation.lhs}
    parts = dict.fromkeys(s for side in sides.values() for s in _parts(side, case))
    known = {s: _known(case.values[s], alpha) for s in parts}
    shown = {s: q.values for s, q in known.items() if q.values is not None}
    if not shown:
        return ""
    names = {s: sp.Symbol(name) for s, name in zip(shown, "abcdefgh", strict=False)}
    lines = ["import numpy as np", "", f"# {case.at}"]
    for symbol, name in names.items():
        lines.append(f"values = {_listed(shown[symbol])}  # {symbol}")
        lines.append(f"{name} = {known[symbol].code}")
    for (word, side), scale in zip(sides.items(), reversed(scales), strict=True):
        number = side.xreplace(names).subs({s: q.value for s, q in known.items()})
        code = sp.pycode(number) if number.free_symbols else repr(float(number))
        lines.append(f'print("{word}", float({f"{scale} * ({code})" if scale != 1 else code}))')
    return "\n".join(lines) + "\n"


def _listed(values: Array) -> str:
    """Data as code, numbers to seven digits."""
    if values.dtype == bool:
        return f'np.array(list("{"".join("01"[int(v)] for v in values)}")) == "1"'
    text = np.array2string(
        values,
        separator=", ",
        threshold=values.size + 1,
        formatter={"float_kind": lambda value: f"{value:.7g}"},
    )
    return f"np.array({text})"


def _short(value: Any) -> str:
    """A number in a line of text: exact where that is short."""
    if isinstance(value, int | sp.Integer):
        return f"{int(value):,}"
    text = str(value)
    return f"{float(value):.5g}" if "." in text or len(text) > 16 else text
