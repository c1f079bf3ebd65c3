"""Z isotropic Gaussian within a subspace: from k dimensions to the whole space.

Given the subspace with projection P, Z = L c with L^T L = I and c ~ N(0, I_k); <G, Z> = <P G, Z>,
and the estimate is the Gaussian estimate of P G in k dimensions.
"""

from __future__ import annotations

from collections.abc import Callable

import sympy as sp

from proofs_check.cards.card import Card, Support
from proofs_check.cards.dense import LINEAR, ONE_TENSOR, gaussian
from proofs_check.gaussian import Derivation


def within(name: str, target: str, support: Support) -> Card:
    """The card of <G, Z> Z for one given subspace, target P G."""
    inner = _in_dimensions(support.coordinates)
    steps = (
        *inner.steps,
        "Given the subspace, Z = L c with L^T L = I: the Gaussian estimate of P G in "
        f"k = {support.coordinates} dimensions.",
        f"cos^2(G, g) = cos^2(P G, g) ||P G||^2/||G||^2, with the last ratio {support.share}.",
    )
    return Card(
        name,
        target,
        inner.scale,
        inner.relative_variance,
        cosine_within(support, lambda _: inner.cos2),
        steps,
        (LINEAR, ONE_TENSOR),
        support=support,
    )


def averaged_over(
    name: str,
    support: Support,
    cosine: Derivation | None,
    steps: tuple[str, ...],
    assumptions: tuple[str, ...],
) -> Card:
    """The card of <G, Z> Z averaged over random subspaces with E[P] = share * I.

    With the Gaussian card in k dimensions (scale 1, relative variance v): E g = E[P] G,
    E||g||^2 = (1 + v) E||P G||^2 and E||P G||^2 = <G, E[P] G> = share ||G||^2. ``cosine`` is an
    independent derivation of E cos^2; ArithmeticError if the two disagree.
    """
    inner = _in_dimensions(support.coordinates)
    cos2 = cosine_within(support, lambda _: inner.cos2)
    if cosine is not None and sp.cancel(cosine.value - cos2) != 0:
        raise ArithmeticError(f"{name}: E cos^2 = {cos2} by averaging, {cosine.value} by symmetry")
    variance = (1 + inner.relative_variance) / support.share - 1
    basis = 1 / support.share - 1
    found = (
        f"Averaged over the subspaces: E g = ({support.share}) G, "
        f"E||g||^2 = (1 + {inner.relative_variance})({support.share})||G||^2.",
        f"Basis variance: E||P G||^2 / (share^2 ||G||^2) - 1 = {basis}.",
        f"E cos^2 = E[||P G||^2/||G||^2] E cos^2(P G, g) = {cos2}.",
    )
    return Card(
        name,
        "G",
        support.share * inner.scale,
        sp.expand(variance),
        cos2,
        (*inner.steps, *steps, *found, *(cosine.steps if cosine else ())),
        assumptions,
        basis_variance=sp.expand(basis),
        support=support,
    )


def cosine_within(support: Support | None, cos2: Callable[[sp.Expr], sp.Expr]) -> sp.Expr | None:
    """E cos^2(G, g) = share * cos2(k) from E cos^2(P G, g) in k dimensions; None without support.

    cos^2(P G, g) is independent of the subspace, given that P G is not 0.
    """
    return None if support is None else support.share * cos2(support.coordinates)


def _in_dimensions(k: sp.Expr) -> Card:
    return gaussian(k, 1)  # k entries are a k x 1 matrix
