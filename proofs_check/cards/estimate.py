"""Mean and second moment of <G, Z> Z by the Gaussian engine, for Z made of Gaussian factors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import sympy as sp

from proofs_check.gaussian import Fixed, Index, TensorSum, derive
from proofs_check.matrices import G_NORM2, GH, G, H, M, N, R

Entry = Callable[[Index, Index], TensorSum]  # Z_ij, with summation indices of its own


@dataclass(frozen=True)
class Moments:
    """E[<G, Z> Z] = scale * G and E||<G, Z> Z||^2 = second * ||G||^2."""

    scale: sp.Expr
    second: sp.Expr
    steps: tuple[str, ...]

    @property
    def relative_variance(self) -> sp.Expr:
        """E||<G, Z> Z / scale - G||^2 / ||G||^2 = second / scale^2 - 1."""
        return sp.expand(self.second / self.scale**2 - 1)


def moments(entry: Entry) -> Moments:
    """The moments of <G, Z> Z, both derived with symbolic dimensions.

    Raises ValueError if the mean is no multiple of G or the second moment none of ||G||^2.
    """
    mean = derive(inner(G, entry), inner(H, entry))
    second = derive(inner(G, entry), inner(G, entry), norm2(entry))
    scale = multiple(mean.value, GH)
    factor = multiple(second.value, G_NORM2)
    steps = (
        "Mean, seen along a test matrix H: E[<G, Z><H, Z>].",
        *mean.steps,
        f"For all H, hence E[<G, Z> Z] = ({scale}) G.",
        "Second moment: E||<G, Z> Z||^2 = E[<G, Z>^2 ||Z||^2].",
        *second.steps,
        f"Relative variance = second moment / scale^2 - 1 = {factor}/({scale})^2 - 1.",
    )
    return Moments(scale, factor, steps)


def inner(fixed: Fixed, entry: Entry) -> TensorSum:
    """<X, Z> for a fixed matrix X."""
    i, j = Index("i", M), Index("j", N)
    return fixed[i, j] * entry(i, j)


def norm2(entry: Entry) -> TensorSum:
    """||Z||^2."""
    i, j = Index("i", M), Index("j", N)
    return entry(i, j) * entry(i, j)


def multiple(value: sp.Expr, of: sp.Expr) -> sp.Expr:
    """The polynomial in m, n, r that ``value`` is of the contraction ``of``, or ValueError."""
    factor = sp.expand(sp.cancel(value / of))
    if not factor.free_symbols <= {M, N, R}:
        raise ValueError(f"{value} is no multiple of {of}")
    return factor
