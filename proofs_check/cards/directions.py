"""Cards of directions: what is done with several draws of Z, on the card of one.

The draws of a step share what the perturbation keeps (factors, masks, layers) and are otherwise
independent. With v the relative variance of one draw and b the part of it that is due to what is
kept, g = <G, Z> Z with mean s T has E||g||^2 = s^2 (1 + v) ||T||^2 and
E||E[g | kept]||^2 = s^2 (1 + b) ||T||^2.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import sympy as sp

from proofs_check.cards.card import Card, M, N, Q, count
from proofs_check.cards.dense import LINEAR
from proofs_check.cards.order_statistics import Selection, minimum, split
from proofs_check.cards.ratio import cosine_of_chi2
from proofs_check.cards.subspace import projection_share
from proofs_check.cards.support import cosine_within
from proofs_check.gaussian import Derivation, Fixed, Gaussian, Index, TensorSum, contraction, derive


def averaged(inner: Card, q: sp.Expr | int = Q) -> Card:
    """The mean of q two-point estimates, or of q one-sided differences round a shared point.

    Raises ValueError unless q >= 1.
    """
    q = count("q", q)
    basis = inner.basis_variance
    cos2 = cosine_within(inner.support, lambda k: cosine_of_chi2(q, k))
    return replace(
        inner,
        name=f"averaged({inner.name})",
        relative_variance=basis + (inner.relative_variance - basis) / q,
        cos2=inner.cos2 if q == 1 else cos2,
        steps=(
            *inner.steps,
            f"Given what is kept the {q} estimates are independent: the relative variance is "
            f"b + (v - b)/{q} (total variance).",
            "Within k dimensions, with y_i = <G, Z_i>/||G||: sum_i y_i Z_i is ||y||^2 along G and "
            "N(0, ||y||^2 I) across it, so that cos^2 = A/(A + chi2_(k-1)), A = ||y||^2 ~ chi2_q.",
        ),
    )


def nes(inner: Card, q: sp.Expr | int = Q) -> Card:
    """(1/(q-1)) sum_i (y_i - mean y) Z_i, y_i = <G, Z_i>: q losses with their mean as baseline.

    An orthogonal (Helmert) matrix turns q independent Gaussian draws into q others, one of them
    their mean times sqrt(q): the estimate is the average over the other q - 1. Raises ValueError
    unless q >= 2 and Z is Gaussian given what is kept.
    """
    q = count("q", q, 2)
    _require_gaussian("nes", inner)
    second = _nes_second_moment()
    expected = 1 + (_DIMENSION + 1) / (Q - 1)
    if sp.simplify(second.value - expected) != 0:
        raise ArithmeticError(f"the engine gives {second.value}, the rotation {expected}")
    card = averaged(inner, q - 1)
    steps = (
        f"Rotation of the draws: the average over {q - 1} independent draws.",
        f"The same from the definition, Gaussian Z in d dimensions: E||g||^2 = ({second.value})"
        "||G||^2.",
        *second.steps,
    )
    return replace(card, name=f"nes({inner.name})", steps=(*card.steps, *steps))


def orthonormal(m: sp.Expr | int = M, n: sp.Expr | int = N, q: sp.Expr | int = Q) -> Card:
    """q one-sided differences along orthonormalised Gaussian directions times sqrt(mn).

    g = (mn/q) Q Q^T G with a Haar frame Q of q columns: the best q + 1 losses can do. Gaussian
    draws over one vector of mn entries only. Raises ValueError if q > mn.
    """
    m, n, q = count("m", m), count("n", n), count("q", q)
    if (m * n - q).is_negative:
        raise ValueError(f"{q} directions cannot be orthogonal in {m * n} weights")
    dimension = sp.Dummy("d", integer=True, positive=True)
    frame = projection_share(q, dimension)
    share = frame.value.subs(dimension, m * n)
    return Card(
        "orthonormal",
        "G",
        share * m * n / q,
        sp.expand((m * n / q) ** 2 * share - 1),
        share,
        (
            *(step.replace(str(dimension), "mn") for step in frame.steps),
            "g = (mn/q) Q Q^T G, ||g||^2 = (mn/q)^2 ||Q^T G||^2, E||Q^T G||^2 = (q/mn) ||G||^2.",
            "cos^2(G, g) = ||Q^T G||^2/||G||^2.",
        ),
        (LINEAR, "Gaussian draws, orthonormalised over all weights together"),
        gaussian=False,
    )


def greedy(inner: Card, candidates: int = 4) -> Card:
    """The two-point estimate along the one of M draws with the lowest loss (eps -> 0).

    Raises ValueError unless M >= 1 and Z is Gaussian given what is kept.
    """
    selection = minimum(int(count("candidates", candidates)))
    return _selected("greedy", inner, selection)


def guiding_vector(inner: Card, candidates: int = 4, best: int = 2) -> Card:
    """The two-point estimate along v, mean of the best draws minus mean of the others (GV).

    best = floor(alpha M). Raises ValueError unless 1 <= best < M and Z is Gaussian given what is
    kept.
    """
    candidates = int(count("candidates", candidates, 2))
    best = int(count("best", best))
    if best >= candidates:
        raise ValueError(f"{best} best of {candidates} candidates leave no others")
    return _selected("guiding_vector", inner, split(candidates, best))


def _selected(name: str, inner: Card, selection: Selection) -> Card:
    """<G, v> v for a selected direction v.

    Given what is kept, Z = L c, h = L^T G, C = L^T L, and v = L c' where c' is A along h and
    N(0, spread I) across it: the mean is E A^2 L h, and
    E||g||^2 = E A^4 h^T C h + spread E A^2 (||h||^2 tr C - h^T C h). For one draw, A ~ N(0, 1):
    h^T C h is (1 + b) and ||h||^2 tr C + 2 h^T C h is (1 + v), in units of s^2 ||T||^2.
    """
    _require_gaussian(name, inner)
    along = 1 + inner.basis_variance
    across = 1 + inner.relative_variance - 3 * along
    second = selection.fourth * along + selection.spread * selection.second * across
    cos2 = None
    if selection.beta is not None or selection.density is not None:
        cos2 = cosine_within(inner.support, selection.cos2)
    return replace(
        inner,
        name=f"{name}({inner.name})",
        scale=selection.second * inner.scale,
        relative_variance=second / selection.second**2 - 1,
        cos2=cos2,
        steps=(
            *inner.steps,
            *selection.steps,
            f"E||g||^2 = E A^4 (1 + b) + ({selection.spread}) E A^2 (1 + v - 3 (1 + b)), in units "
            "of s^2 ||T||^2; the mean is E A^2 s T.",
        ),
        assumptions=(*inner.assumptions, "the candidates are ordered by <G, Z>: eps -> 0"),
    )


def _require_gaussian(name: str, inner: Card) -> None:
    if not inner.gaussian:
        raise ValueError(f"no exact card of {name} over {inner.name}: its draws are not Gaussian")


_DIMENSION = sp.Symbol("d", integer=True, positive=True)


@cache
def _nes_second_moment() -> Derivation:
    """E||g||^2 / ||G||^2 of NES from its definition, by the engine, q and d symbolic."""
    x, gradient = Gaussian("x"), Fixed("G")

    def slope(i: Index) -> TensorSum:
        a = Index("a", _DIMENSION)
        return gradient[a] * x[i, a]

    def entry(a: Index) -> TensorSum:
        i, k, j = (Index(name, Q) for name in "ikj")
        return slope(i) * x[i, a] - slope(k) * x[j, a] / Q

    a, b = Index("a", _DIMENSION), Index("b", _DIMENSION)
    found = derive(entry(a) * entry(a) / (Q - 1) ** 2)
    norm2 = contraction(gradient[b] * gradient[b])
    return Derivation(sp.factor(sp.cancel(found.value / norm2)), found.steps)
