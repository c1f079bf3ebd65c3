"""Cards for given factors: Z = L c with a given linear map L and c ~ N(0, I).

With h = L^T G (the inner products of G with the images of the coordinates) and C = L^T L, the
estimate is <G, Z> Z = (h . c) L c and its mean is L h = L L^T G, which is what no averaging with
these factors gets past. In an eigenbasis of C, with eigenvalues l_a and components h_a of h,
everything depends on l_a and h_a^2 only; `copies` coordinates share an eigenvalue in LOZO, where
h_a^2 is their sum.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import sympy as sp

from proofs_check.cards.card import Card, M, N, count
from proofs_check.cards.dense import LINEAR, ONE_TENSOR
from proofs_check.cards.estimate import inner, norm2
from proofs_check.gaussian import Derivation, Fixed, Gaussian, Index, TensorSum, contraction, derive
from proofs_check.matrices import G_NORM2, GH, G, H

Numbers = Sequence[sp.Expr | float]
NORM2 = sp.Symbol("||G||^2", positive=True)
EIGENVALUES = sp.symbols("lambda_1:3", positive=True)
WEIGHTS = sp.symbols("w_1:3", nonnegative=True)
TIME = sp.Symbol("t", nonnegative=True)


def cp_given(
    eigenvalues: Numbers = EIGENVALUES, weights: Numbers = WEIGHTS, norm2: sp.Expr | float = NORM2
) -> Card:
    """CP with given factors (TeZO within a run): the noise is tau alone.

    C_st = (u_s . u_t)(v_s . v_t) with eigenvalues l_a and eigenvectors e_a;
    w_a = (h . e_a)^2, h_s = <G, u_s v_s^T>; norm2 = ||G||^2.
    """
    return _linear_image("cp_given", "sum_s <G, u_s v_s^T> u_s v_s^T", eigenvalues, weights, norm2)


def low_rank_given(
    m: sp.Expr | int = M,
    eigenvalues: Numbers = EIGENVALUES,
    weights: Numbers = WEIGHTS,
    norm2: sp.Expr | float = NORM2,
) -> Card:
    """U V^T with given V (LOZO between refreshes): the noise is U (m x r) alone.

    V^T V has eigenvalues l_a and eigenvectors e_a; w_a = ||G V e_a||^2; norm2 = ||G||^2.
    """
    rows = count("m", m)
    return _linear_image("low_rank_given", "G V V^T", eigenvalues, weights, norm2, rows)


def hessian_scaled(
    eigenvalues: Numbers = EIGENVALUES, weights: Numbers = WEIGHTS, norm2: sp.Expr | float = NORM2
) -> Card:
    """Z = H^(-1/2) N(0, I) with a given diagonal H (HiZOO): one eigenvalue l = 1/H an entry.

    w = G^2 / H, entry by entry; norm2 = ||G||^2.
    """
    return _linear_image("hessian_scaled", "G / H", eigenvalues, weights, norm2)


def _linear_image(
    name: str,
    target: str,
    eigenvalues: Numbers,
    weights: Numbers,
    norm2: sp.Expr | float,
    copies: sp.Expr = sp.S.One,
) -> Card:
    spectrum, weights = _spectrum(eigenvalues, weights)
    norm2 = sp.sympify(norm2)
    second, target2 = _second_moment()
    values = {
        TRACE: copies * sum(spectrum),
        H_NORM2: sum(weights),
        FORM: sum(a * w for a, w in zip(spectrum, weights, strict=True)),
    }
    variance = (second.value / target2 - 1).subs(values, simultaneous=True)
    cosine = _cosine(spectrum, weights, norm2, copies)
    return Card(
        name,
        target,
        sp.S.One,
        variance,
        cosine,
        (
            "Z = L c, h = L^T G, C = L^T L: E||g||^2 = E[(h . c)^2 c^T C c].",
            *second.steps,
            f"Mean L h, ||L h||^2 = {FORM}: relative variance ({second.value})/({target2}) - 1.",
            f"{H_NORM2} = sum_a w_a, {TRACE} = {copies} sum_a l_a, {FORM} = sum_a l_a w_a.",
            "E cos^2 = sum_a w_a int_0^oo E[c_a^2 exp(-t c^T C c)] dt / ||G||^2, from "
            "1/x = int_0^oo exp(-t x) dt; each Gaussian integral is a product of powers of "
            "1 + 2 t l_a.",
        ),
        (LINEAR, ONE_TENSOR, "the factors are given and independent of the noise"),
    )


def _spectrum(eigenvalues: Numbers, weights: Numbers) -> tuple[list[sp.Expr], list[sp.Expr]]:
    spectrum, squares = [sp.sympify(x) for x in eigenvalues], [sp.sympify(x) for x in weights]
    if len(spectrum) != len(squares) or not spectrum:
        raise ValueError(f"{len(spectrum)} eigenvalues and {len(squares)} weights: one each needed")
    if any(x.is_positive is False for x in spectrum):
        raise ValueError(f"eigenvalues must be positive, got {spectrum}")
    if any(w.is_negative for w in squares) or all(w.is_zero for w in squares):
        raise ValueError(f"weights are squares and not all zero, got {squares}")
    return spectrum, squares


_SIZE = sp.Symbol("k", integer=True, positive=True)
_H, _C, _X = Fixed("h"), Fixed("C", symmetric=True), Gaussian("c")


def _forms() -> tuple[sp.Expr, sp.Expr, sp.Expr]:
    a, b = Index("a", _SIZE), Index("b", _SIZE)
    return contraction(_C[a, a]), contraction(_H[a] * _H[a]), contraction(_H[a] * _C[a, b] * _H[b])


TRACE, H_NORM2, FORM = _forms()


@cache
def _second_moment() -> tuple[Derivation, sp.Expr]:
    """E[(h . c)^2 c^T C c] and the square of the mean L h, which is h^T C h."""
    a, b, d, e = (Index(x, _SIZE) for x in "abde")
    form = _X[d] * _C[d, e] * _X[e]
    return derive(_H[a] * _X[a] * _H[b] * _X[b] * form), FORM


def _cosine(
    spectrum: list[sp.Expr], weights: list[sp.Expr], norm2: sp.Expr, copies: sp.Expr
) -> sp.Expr:
    """E[(h . c)^2 / c^T C c] / ||G||^2; a closed form where all eigenvalues are equal."""
    if len(set(spectrum)) == 1:
        return sum(weights) / (spectrum[0] * copies * len(spectrum) * norm2)
    decay = sp.Mul(*[(1 + 2 * TIME * a) ** (-copies / 2) for a in spectrum])
    terms = [w / (1 + 2 * TIME * a) for a, w in zip(spectrum, weights, strict=True)]
    return sp.Integral(sp.Add(*terms) * decay, (TIME, 0, sp.oo)) / norm2


# Card of directions with a mean, Z = mu + sigma N(0, I): ZO-AdaMU's, given its momentum.


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
