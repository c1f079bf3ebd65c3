"""Cards of dense directions: Gaussian, Rademacher, sphere."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import sympy as sp
from sympy.utilities.iterables import multiset_partitions

from proofs_check.cards.card import Card, M, N, Support, count
from proofs_check.cards.estimate import moments
from proofs_check.cards.invariance import Factor, isotropic
from proofs_check.gaussian import Derivation, Gaussian
from proofs_check.moments import norm_moment

X = Gaussian("x")
LINEAR = "the loss is linear, or eps -> 0"
ONE_TENSOR = "one tensor: with several, <G, Z> runs over all of them"


def gaussian(m: sp.Expr | int = M, n: sp.Expr | int = N) -> Card:
    """Z with iid N(0, 1) entries (MeZO). Several tensors are one vector: use n = 1."""
    return _gaussian().at(m=count("m", m), n=count("n", n))


def rademacher(m: sp.Expr | int = M, n: sp.Expr | int = N) -> Card:
    """Z with independent signs (SPSA). Several tensors are one vector: use n = 1."""
    return _rademacher().at(m=count("m", m), n=count("n", n))


def sphere(m: sp.Expr | int = M, n: sp.Expr | int = N) -> Card:
    """vec(Z) uniform on the sphere of radius sqrt(mn)."""
    return _sphere().at(m=count("m", m), n=count("n", n))


@cache
def _gaussian() -> Card:
    found = moments(lambda i, j: X[i, j])
    cosine = isotropic(lambda X: X, {"X": Factor(("m", "n"), "Gaussian")})
    return Card(
        "gaussian",
        "G",
        found.scale,
        found.relative_variance,
        cosine.value,
        (*found.steps, *cosine.steps),
        (LINEAR,),
        support=Support(M * N, sp.S.One),
    )


@cache
def _rademacher() -> Card:
    def moment(k: int) -> sp.Expr:  # E z^k of a sign
        return sp.Integer(1 - k % 2)

    second = iid_second_moment(moment)
    cosine = isotropic(lambda X: X, {"X": Factor(("m", "n"), "signs")})
    return Card(
        "rademacher",
        "G",
        moment(2),
        sp.expand(second.value / moment(2) ** 2 - 1),
        cosine.value,
        (*second.steps, *cosine.steps),
        (LINEAR,),
        gaussian=False,
    )


@cache
def _sphere() -> Card:
    """From the Gaussian: x = ||x|| (x/||x||), norm and direction independent."""
    d = M * N
    found = moments(lambda i, j: X[i, j])
    # E[p(x)] = E||x||^deg E[p(x/||x||)] for a homogeneous p.
    scale = sp.cancel(d * found.scale / norm_moment(1, d))
    second = sp.cancel(sp.expand(d**2 * found.second) / norm_moment(2, d))
    cosine = isotropic(lambda X: X, {"X": Factor(("m", "n"), "Gaussian")})
    return Card(
        "sphere",
        "G",
        scale,
        sp.expand(second / scale**2 - 1),
        cosine.value,
        (
            *found.steps,
            "Z = sqrt(mn) x/||x||, ||x|| independent of x/||x||: moments of degree 2k are those "
            "of x times (mn)^k / E||x||^(2k).",
            f"Scale: {scale}. Second moment: {second}.",
            *cosine.steps,
            "Scaling Z leaves the cosine as it is.",
        ),
        (LINEAR, ONE_TENSOR),
        gaussian=False,
    )


def iid_second_moment(moment: Callable[[int], sp.Expr]) -> Derivation:
    """E||<G, Z> Z||^2 / ||G||^2 for iid entries with moments E z^k = moment(k), odd ones 0.

    It is sum over entries a, b, c of G_a G_b E[z_a z_b z_c^2], split by which of a, b, c are the
    same entry. Raises ValueError if an odd moment is not 0.
    """
    if any(moment(k) != 0 for k in (1, 3)):
        raise ValueError("the entries must have vanishing odd moments")
    degrees = {"a": 1, "b": 1, "c": 2}
    total, steps = sp.S.Zero, ["E||<G, Z> Z||^2 = sum_abc G_a G_b E[z_a z_b z_c^2]."]
    for blocks in multiset_partitions(list(degrees)):
        value = sp.prod(moment(sum(degrees[x] for x in block)) for block in blocks)
        if value == 0:
            continue
        # Only classes with a = b survive: they sum G_a^2; every block more is another entry.
        others = sp.ff(M * N - 1, len(blocks) - 1)
        total += value * others
        classes = ", ".join(" = ".join(block) for block in blocks)
        steps.append(f"{{{classes}}} distinct: E = {value}, ({others}) ||G||^2 of them.")
    steps.append(f"Sum: ({sp.expand(total)}) ||G||^2.")
    return Derivation(sp.expand(total), tuple(steps))
