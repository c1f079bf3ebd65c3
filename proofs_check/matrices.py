"""Fixed m x n matrices, and the moments of quantities that are made of them and of noise.

A `Quantity` is a sum of products of entries, with the pairs of indices that must differ: the
definition, not its expectation. It is a function, so that each call has its own indices and two
calls can be multiplied.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from types import MappingProxyType

import sympy as sp

from proofs_check.gaussian import (
    Derivation,
    Distinct,
    Fixed,
    Index,
    TensorSum,
    contraction,
    derive,
)

Quantity = Callable[[], tuple[TensorSum, Distinct]]

M, N, R = sp.symbols("m n r", integer=True, positive=True)
G, H = Fixed("G"), Fixed("H")


def indices() -> tuple[Index, Index]:
    """Fresh indices of a row and a column."""
    return Index("i", M), Index("j", N)


G_NORM2 = contraction(*(G[i, j] * G[i, j] for i, j in [indices()]))
GH = contraction(*(G[i, j] * H[i, j] for i, j in [indices()]))


def bounded(expression: sp.Expr, m: int, n: int, r: int) -> float:
    """An upper bound on a sum of contractions with nonnegative coefficients, ||G|| = ||H|| = 1.

    Every contraction in which each matrix occurs within traces is at most the product of the
    norms (Cauchy-Schwarz). Raises ValueError for a negative coefficient.
    """
    sized = sp.expand(expression.subs({M: m, N: n, R: r}))
    if any(term.as_coeff_Mul()[0] < 0 for term in sp.Add.make_args(sized)):
        raise ValueError("a bound needs nonnegative coefficients")
    return float(sized.subs(dict.fromkeys(sized.free_symbols, 1)))


@cache
def mean(quantity: Quantity) -> Derivation:
    """E of a quantity, with the derivation's steps."""
    total, distinct = quantity()
    return derive(total, distinct=distinct)


@cache
def variance(quantity: Quantity) -> sp.Expr:
    """Var of a quantity, exactly, as an expression in the dimensions and contractions."""
    (a, first), (b, second) = quantity(), quantity()
    square = derive(a, b, distinct=(*first, *second)).value
    return sp.expand(square - mean(quantity).value ** 2)


def at(
    expression: sp.Expr,
    m: int,
    n: int,
    r: int,
    sigma: Sequence[sp.Expr | int] = (1,),
    known: Mapping[sp.Expr, sp.Expr] = MappingProxyType({}),
) -> sp.Expr:
    """An expression's value where G has the singular values `sigma`, and further `known` values.

    Raises ValueError if a contraction remains that these do not determine.
    """
    (i, j), (a, b) = indices(), indices()
    word = G[i, j] * G[a, j] * G[a, b] * G[i, b]
    sizes = {M: m, N: n, R: r}
    norms = {G_NORM2: sum(s**2 for s in sigma), contraction(word): sum(s**4 for s in sigma)}
    value = expression.subs({**sizes, **norms, **known})
    if value.free_symbols:
        raise ValueError(f"not determined: {sorted(map(str, value.free_symbols))}")
    return value
