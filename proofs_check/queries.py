"""What B loss values of a linear loss tell about the direction of its gradient, exactly.

f(w) = <g, w> + b in R^d, b unknown, g/||g|| uniform on the sphere. The differences of B losses are
the inner products of g with the differences of the points: with those of at most k = B - 1
orthonormal q_1, ..., q_k, where each q_i may depend on what was learned before it. Let
y_i = <g, q_i>/||g||, P the projection on their span and c = sum_i y_i^2 = ||P g||^2/||g||^2. Then

    E[g g^T / ||g||^2 | y] = (P g)(P g)^T/||g||^2 + (1 - c)/(d - k) (I - P),

since what is across the span is uniform on a sphere, whatever was learned: the best squared cosine
given y is the larger of c, along P g, and (1 - c)/(d - k), across the span.
"""

from __future__ import annotations

import sympy as sp

from proofs_check.cards.haar import projection_share
from proofs_check.gaussian import Derivation
from proofs_check.inequalities import decide
from proofs_check.moments import norm_moment, norm_power_moment
from proofs_check.results import Enclosed, Proved

VALUES = sp.Symbol("B", integer=True, positive=True)
D = sp.Symbol("d", integer=True, positive=True)
_LEARNED = VALUES - 1
_SIZE = sp.Symbol("k", integer=True, positive=True)
_ADAPTIVE = (
    "choosing q_(i+1) by y_1..y_i changes nothing: given them, the rest of g is uniform on a "
    "sphere across q_1..q_i, so y_(i+1) has the same law for every choice; points whose "
    "differences span less learn less"
)


def kept(power: int = 1) -> Derivation:
    """E c^power for k = B - 1, by the norms of Gaussian vectors; for power 1 by Haar frames, too.

    Raises ArithmeticError if the two routes disagree.
    """
    size = norm_moment(power, _SIZE)
    value = sp.cancel(size.subs(_SIZE, _LEARNED) / size.subs(_SIZE, D))
    step = (
        f"g/||g|| = x/||x||, x ~ N(0, I_d), ||x|| independent of it: E c^{power} = "
        f"E||x_1..x_(B-1)||^{2 * power} / E||x||^{2 * power} = {value}"
    )
    if power > 1:
        return Derivation(value, (step,))
    frame = projection_share(_LEARNED, D)
    if sp.cancel(frame.value - value) != 0:
        raise ArithmeticError(f"E c = {value} by norms, {frame.value} by frames")
    return Derivation(value, (step, *frame.steps, _ADAPTIVE))


def orthonormal_forward() -> Derivation:
    """E cos^2 of sum_i <g, q_i> q_i = P g, orthonormal forward differences."""
    found = kept()
    step = f"B - 1 orthonormal forward differences give P g: cos^2 = c, E cos^2 = {found.value}"
    return Derivation(found.value, (*found.steps, step))


def scale_free() -> Derivation:
    """The largest E cos^2 of estimates whose direction scaling the loss leaves alone, B >= 2.

    Raises ArithmeticError if the direction across the span is the better one.
    """
    along = kept()
    across = sp.cancel((1 - along.value) / (D - _LEARNED))
    least_two = sp.Ge(VALUES, 2, evaluate=False)
    better = decide(across, along.value, (least_two,))
    if not isinstance(better, Proved):
        raise ArithmeticError(f"{along.value} along the span, {across} across it")
    steps = (
        *along.steps,
        "the estimate depends on y/|y| alone, which is independent of c: given it, the mean of "
        f"g g^T/||g||^2 has the eigenvalues E c = {along.value} along the span and "
        f"E(1 - c)/(d - B + 1) = {across} across it; the first is the larger one for B >= 2",
        *better.steps,
    )
    return Derivation(along.value, steps)


def unrestricted() -> Enclosed:
    """The largest E cos^2 of any estimate, ||g|| known: E max(c, (1 - c)/(d - k)), 2 <= B <= d.

    From above by max(a, b) <= a + b; from below by an estimate that points across the span with
    probability 1 - c and along P g otherwise.
    """
    first, second = kept(1), kept(2)
    rest = D - _LEARNED
    upper = sp.cancel(first.value + (1 - first.value) / rest)
    lower = sp.factor(sp.cancel(second.value + (1 - 2 * first.value + second.value) / rest))
    steps = (
        *first.steps,
        *second.steps,
        f"E max(c, (1-c)/(d-B+1)) <= E[c + (1-c)/(d-B+1)] = {upper}",
        "with ||g|| known, so is c: across the span with probability 1 - c, along P g otherwise: "
        f"E[c^2 + (1-c)^2/(d-B+1)] = {lower}",
    )
    return Enclosed(lower, upper, steps)


def signed() -> Derivation:
    """The largest E cos (with its sign) of any estimate: E sqrt(c), B >= 2."""
    value = norm_power_moment(1, _LEARNED) / norm_power_moment(1, D)
    step = f"E[g/||g|| | y] = P g/||g||: E cos <= E ||P g||/||g|| = E sqrt(c) = {value}, along P g"
    return Derivation(value, (step,))
