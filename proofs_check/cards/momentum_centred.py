"""Card of directions with a mean, Z = mu + sigma N(0, I): ZO-AdaMU's, given its momentum."""

from __future__ import annotations

from functools import cache

import sympy as sp

from proofs_check.cards.card import Card, M, N, count
from proofs_check.cards.dense import LINEAR
from proofs_check.cards.estimate import inner, norm2
from proofs_check.gaussian import Derivation, Fixed, Gaussian, Index, TensorSum, contraction, derive
from proofs_check.matrices import G_NORM2, GH, G, H

MU, X = Fixed("mu"), Gaussian("x")
SIGMA2 = sp.Symbol("sigma2", positive=True)
MU_NORM2, SLOPE2 = sp.symbols("mu2 slope2", nonnegative=True)


def momentum_centred(
    m: sp.Expr | int = M,
    n: sp.Expr | int = N,
    sigma2: sp.Expr | float = SIGMA2,
    mu2: sp.Expr | float = MU_NORM2,
    slope2: sp.Expr | float = SLOPE2,
) -> Card:
    """mu2 = ||mu||^2, slope2 = <G, mu>^2 / ||G||^2 (at most mu2), sigma2 = the entries' variance.

    ZO-AdaMU: mu = (1 - beta1) m, sigma2 = beta1^2 alpha + (1 - beta1)^2 (1 - alpha). The mean is
    sigma2 G + <G, mu> mu, biased towards the old direction. cos2 is known at mu = 0 only, where
    the card is that of `gaussian` but for its scale.
    """
    sizes = {"sigma2": sigma2, "mu2": mu2, "slope2": slope2}
    return _momentum_centred().at(m=count("m", m), n=count("n", n), **sizes)


@cache
def _momentum_centred() -> Card:
    mean, second = _moments()
    target2 = 1 + 2 * SLOPE2 / SIGMA2 + SLOPE2 * MU_NORM2 / SIGMA2**2
    return Card(
        "momentum_centred",
        "G + <G, mu> mu / sigma2",
        SIGMA2,
        second.value / (SIGMA2**2 * target2) - 1,
        None,
        (
            *mean.steps,
            f"For all H, hence the mean sigma2 T, T = G + <G, mu> mu/sigma2, ||T||^2 = {target2}"
            " (||G||^2 = 1).",
            *second.steps,
            "Relative variance: second moment / (sigma2^2 ||T||^2) - 1.",
        ),
        (LINEAR, "mu is given and independent of the noise"),
        gaussian=False,
    )


def _moments() -> tuple[Derivation, Derivation]:
    """E[<G, Z><H, Z>] and, in units of ||G||^2, E||<G, Z> Z||^2."""
    sigma = sp.sqrt(SIGMA2)

    def entry(i: Index, j: Index) -> TensorSum:
        return MU[i, j] + sigma * X[i, j]

    mean = derive(inner(G, entry), inner(H, entry))
    i, j = Index("i", M), Index("j", N)
    mu2 = contraction(MU[i, j] * MU[i, j])
    along = {x: contraction(x[i, j] * MU[i, j]) for x in (G, H)}
    if sp.expand(mean.value - SIGMA2 * GH - along[G] * along[H]) != 0:
        raise ArithmeticError(f"the mean is not sigma2 G + <G, mu> mu: {mean.value}")
    found = derive(inner(G, entry), inner(G, entry), norm2(entry))
    value = found.value.subs({G_NORM2: 1, along[G]: sp.sqrt(SLOPE2), mu2: MU_NORM2})
    return mean, Derivation(sp.expand(value), found.steps)
