"""Route (c): z3 as an independent second opinion, first over the reals, then over the integers.

z3 looks for a point of the domain that violates the statement. "unsat" over the reals proves it,
over the integers too. A model is only a suggestion: the caller confirms it exactly. Effort is
limited by z3's own resource counter, so that an answer does not depend on the machine's speed.
"""

from __future__ import annotations

from collections.abc import Sequence

import sympy as sp
import z3

from proofs_check.domain import Condition, Domain
from proofs_check.results import Point

# z3 resource units per query. A unit costs more time as degrees grow (algebraic numbers): this is
# about a second for three variables of degree 3 each, and tenfold more units could be minutes.
RESOURCES = 100_000


def refute(
    domain: Domain, negation: Sequence[Condition], resources: int = RESOURCES
) -> bool | Point:
    """Does no point of the domain satisfy ``negation``? True: none does. A point: perhaps this one.

    False: z3 gave up.
    """
    outcome: bool | Point = False
    for whole in (False, True) if domain.integers else (False,):
        # A context of its own: the answer must not depend on what was asked before.
        context = z3.Context()
        symbols = {s: _variable(s, whole and s in domain.integers, context) for s in domain.symbols}
        solver = _solver(domain, whole, context)
        solver.set("rlimit", resources)
        for c in (*domain.conditions, *negation):
            value = _translate(c.polynomial, symbols, context)
            solver.add(value > 0 if c.strict else value >= 0)
        answer = solver.check()
        if answer == z3.unsat:
            return True
        if answer == z3.sat:
            point = _point(solver.model(), symbols)
            outcome = point or outcome
            if point and all(point[s].q == 1 for s in domain.integers):
                return point
    return outcome


def witness(domain: Domain, resources: int = RESOURCES) -> bool | Point:
    """True if the domain is empty, a point that may lie in it, or False if z3 gave up."""
    return refute(domain, (), resources)


def combination(
    products: Sequence[sp.Poly], target: sp.Poly, strict: Sequence[bool] | None
) -> list[sp.Rational] | None:
    """Nonnegative rationals c with ``sum_k c_k products[k] = target``, or None.

    With ``strict``, the c of at least one product marked True must be positive. Linear arithmetic
    (exact simplex); the caller multiplies out and compares.
    """
    context = z3.Context()
    unknowns = [z3.Real(f"c{k}", context) for k in range(len(products))]
    solver = z3.SolverFor("QF_LRA", context)
    solver.set("rlimit", RESOURCES)
    solver.add([c >= 0 for c in unknowns])
    if strict is not None:
        chosen = [c for c, marked in zip(unknowns, strict, strict=True) if marked]
        if not chosen:
            return None
        solver.add(z3.Sum(chosen) > 0)
    rows: dict[tuple[int, ...], list] = {monomial: [] for monomial in target.monoms()}
    for c, product in zip(unknowns, products, strict=True):
        for monomial, coefficient in product.terms():
            rows.setdefault(monomial, []).append(_number(coefficient, context) * c)
    wanted = dict(target.terms())
    for monomial, row in rows.items():
        number = _number(wanted.get(monomial, 0), context)
        solver.add(z3.Sum([z3.RealVal(0, context), *row]) == number)
    if solver.check() != z3.sat:
        return None
    model = solver.model()
    return [_rational(model.eval(c, model_completion=True)) for c in unknowns]


def _solver(domain: Domain, whole: bool, context: z3.Context) -> z3.Solver:
    if not whole:
        return z3.SolverFor("QF_NRA", context)
    if domain.integers == frozenset(domain.symbols):
        return z3.SolverFor("QF_NIA", context)
    return z3.Solver(ctx=context)


def _variable(symbol: sp.Symbol, integer: bool, context: z3.Context) -> z3.ArithRef:
    return z3.Int(symbol.name, context) if integer else z3.Real(symbol.name, context)


def _number(value: sp.Rational | int, context: z3.Context) -> z3.RatNumRef:
    return z3.RealVal(str(sp.Rational(value)), context)


def _translate(
    polynomial: sp.Expr, symbols: dict[sp.Symbol, z3.ArithRef], context: z3.Context
) -> z3.ArithRef:
    if polynomial.is_number:
        return z3.IntVal(int(polynomial), context)
    used = sorted(polynomial.free_symbols, key=lambda s: s.name)
    total = []
    for exponents, coefficient in sp.Poly(polynomial, *used).terms():
        term = z3.IntVal(int(coefficient), context)
        for s, e in zip(used, exponents, strict=True):
            for _ in range(e):
                term = term * symbols[s]
        total.append(term)
    return z3.Sum(total)


def _point(model: z3.ModelRef, symbols: dict[sp.Symbol, z3.ArithRef]) -> Point | None:
    values = {s: model.eval(v, model_completion=True) for s, v in symbols.items()}
    return {s: _rational(value) for s, value in values.items()}


def _rational(value: z3.ExprRef) -> sp.Rational:
    """The value, or a rational next to an algebraic one."""
    if z3.is_algebraic_value(value):
        value = value.approx(30)
    if z3.is_int_value(value):
        return sp.Integer(value.as_long())
    return sp.Rational(value.numerator_as_long(), value.denominator_as_long())
