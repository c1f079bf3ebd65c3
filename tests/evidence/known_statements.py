"""Statements whose truth is known by the way they are made."""

from __future__ import annotations

from dataclasses import dataclass

import sympy as sp
from hypothesis import strategies as st

from proofs_check.gaussian import Fixed, Index, contraction
from zotheory.vocabulary import Statement

KINDS = {
    "real": ({"real": True}, (-2, -1, 0, 1, 3)),
    "positive": ({"positive": True}, (1, 2, 3)),
    "nonnegative": ({"nonnegative": True}, (0, 1, 3)),
    "negative": ({"negative": True}, (-3, -1)),
    "nonzero": ({"real": True, "nonzero": True}, (-1, 1, 2)),
    "integer": ({"integer": True}, (-2, 0, 1, 3)),
    "whole": ({"integer": True, "nonnegative": True}, (0, 1, 4)),
    "counting": ({"integer": True, "positive": True}, (1, 2, 5)),
}


@dataclass(frozen=True)
class Known:
    """A statement, and whether it is true."""

    statement: Statement
    true: bool

    def __repr__(self) -> str:
        return f"{self.statement.formula} on {self.statement.domain}: {self.true}"


def unevaluated(kind: type, lhs: sp.Expr, rhs: sp.Expr) -> sp.Basic:
    return kind(sp.sympify(lhs), sp.sympify(rhs), evaluate=False)


@st.composite
def points(draw, most: int = 4, kinds=tuple(KINDS)):
    """{symbol: a number that it may be}, of one to `most` symbols, and a domain round it."""
    count = draw(st.integers(1, most))
    point, domain = {}, []
    for name in "xyzw"[:count]:
        assumptions, numbers = KINDS[draw(st.sampled_from(kinds))]
        symbol, number = sp.Symbol(name, **assumptions), draw(st.sampled_from(numbers))
        point[symbol] = sp.Integer(number)
        if draw(st.booleans()):
            below, above = draw(st.integers(0, 2)), draw(st.integers(0, 2))
            domain += [
                unevaluated(sp.Ge, symbol, number - below),
                unevaluated(sp.Le, symbol, number + above),
            ]
    return point, tuple(domain)


def _square(draw, atoms: list[tuple[sp.Expr, sp.Expr]]) -> sp.Expr:
    """(a linear form in the atoms that vanishes where they have these values)^2."""
    weights = draw(st.lists(st.integers(-2, 2), min_size=len(atoms), max_size=len(atoms)))
    terms = (w * (e - value) for w, (e, value) in zip(weights, atoms, strict=True))
    return sp.Add(*terms) ** 2


@st.composite
def touching(draw, rewrite=lambda draw, symbol: symbol, most: int = 4):
    """lhs <= lhs + squares + c, with squares that vanish at a point of the domain.

    As <= it is true if and only if c >= 0, as < if and only if c > 0. `rewrite` puts functions of
    the symbols in their place.
    """
    point, domain = draw(points(most))
    atoms = []
    for symbol, number in point.items():
        atom = rewrite(draw, symbol)
        atoms.append((atom, atom.subs(symbol, number) if atom != symbol else number))
    squares = sum((_square(draw, atoms) for _ in range(draw(st.integers(1, 2)))), sp.S.Zero)
    c = draw(st.sampled_from([sp.S.Zero, sp.S.Zero, sp.Rational(1, 7), sp.Rational(-1, 1000)]))
    extra = draw(st.sampled_from([sp.S.Zero, sp.Integer(5), *(a for a, _ in atoms)]))
    strict, turned = draw(st.booleans()), draw(st.booleans())
    kinds = (sp.Lt, sp.Gt) if strict else (sp.Le, sp.Ge)
    lesser, greater = sp.expand(extra), sp.expand(extra + squares + c)
    sides = (greater, lesser) if turned else (lesser, greater)
    statement = Statement("so", unevaluated(kinds[turned], *sides), domain)
    return Known(statement, c > 0 or (c == 0 and not strict))


def function_of(draw, symbol: sp.Symbol) -> sp.Expr:
    """A function of the symbol that is defined wherever it is."""
    positive = symbol.is_positive
    choices = [symbol, sp.exp(symbol), sp.Abs(symbol), sp.floor(symbol / 2), sp.Mod(symbol, 3)]
    choices += [sp.Max(symbol, 1), sp.Min(symbol, 2), sp.sqrt(symbol**2 + 1), sp.cos(symbol)]
    choices += [sp.log(symbol), sp.sqrt(symbol)] if positive else []
    choices += [2**symbol, sp.factorial(symbol)] if symbol.is_integer and positive else []
    return draw(st.sampled_from(choices))


@st.composite
def undefined_somewhere(draw):
    """True wherever it is defined; at one point of the domain it is not."""
    point, domain = draw(points(2))
    symbol, number = next(iter(point.items()))
    gap = symbol - number
    term = draw(
        st.sampled_from(
            [1 / gap**2, sp.Abs(1 / gap), -sp.log(gap**2 / (1 + gap**2)), 1 / sp.sqrt(gap**2)]
        )
    )
    lesser = draw(st.sampled_from([sp.S.Zero, -(symbol**2)]))
    kind = draw(st.sampled_from([sp.Le, sp.Lt]))
    return Statement("so", unevaluated(kind, lesser, term + 1), domain)


@st.composite
def of_integers(draw):
    """(a k - b)(a k - b - 1) >= 0: true of integers; of real numbers it is not."""
    whole = draw(st.booleans())
    k = sp.Symbol("k", integer=True) if whole else sp.Symbol("k", real=True)
    form = draw(st.integers(2, 5)) * k - draw(st.integers(-3, 3))
    formula = unevaluated(sp.Ge, sp.expand(form * (form - 1)), 0)
    return Known(Statement("so", formula), whole)


def _templates():
    """(lesser, greater): lesser <= greater for all tensors, equal at some that are not 0."""
    n, m = sp.symbols("n m", integer=True, positive=True)
    g, h, G, H, A = (Fixed(name) for name in ("g", "h", "G", "H", "A"))
    i, j, k, p = (Index(name, n) for name in "ijkp")
    a, b = (Index(name, m) for name in "ab")
    gg, hh, gh = (contraction(x[i] * y[i]) for x, y in ((g, g), (h, h), (g, h)))
    one = contraction(G[a, i] * G[a, i])
    two = contraction(G[a, i] * G[b, i] * G[b, j] * G[a, j])
    fourth = contraction(G[a, i] * G[a, i] * G[a, i] * G[a, i])
    rows, total = contraction(G[a, i] * G[a, j]), contraction(G[a, i] * 1)
    other, inner = contraction(H[a, i] * H[a, i]), contraction(G[a, i] * H[a, i])
    mixed = contraction(G[a, i] * G[b, i] * H[b, j] * H[a, j])
    trace, size = contraction(A[i, i] * 1), contraction(A[i, j] * A[i, j])
    form = contraction(g[i] * A[i, j] * h[j])
    return (
        (gh**2, gg * hh),
        (2 * gh, gg + hh),
        (-2 * gh, gg + hh),
        (gh, sp.sqrt(gg) * sp.sqrt(hh)),
        (gg + 2 * gh + hh, 2 * gg + 2 * hh),
        (two, one**2),
        (one**2, m * two),
        (one**2, n * two),
        (fourth, one**2),
        (fourth, two),
        (one**2, m * n * fourth),
        (rows, n * one),
        (total**2, m * n * one),
        (total**2, m * rows),
        (inner**2, one * other),
        (mixed, one * other),
        (trace**2, n * size),
        (contraction(A[i, j] * A[j, i]), size),
        (form**2, gg * hh * size),
        (contraction(A[i, j] * A[j, k] * A[k, p] * A[p, i]), size**2),
    )


TEMPLATES = _templates()


@st.composite
def of_tensors(draw):
    """lesser <= c greater: true if and only if c >= 1; lesser < c greater never, as 0 shows."""
    lesser, greater = draw(st.sampled_from(TEMPLATES))
    c = draw(st.sampled_from([sp.S.One, sp.S.One, sp.Integer(2), sp.Rational(9, 10)]))
    strict = draw(st.booleans())
    kind = sp.Lt if strict else sp.Le
    return Known(Statement("so", unevaluated(kind, lesser, c * greater)), c >= 1 and not strict)
