"""How well B loss values of a linear loss can align an estimate with its gradient."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import mpmath
import numpy as np
import sympy as sp
from scipy.special import betainc

from proofs_check.cards.subspace import projection_share
from proofs_check.gaussian import Derivation
from proofs_check.inequalities import decide
from proofs_check.moments import norm_moment, norm_power_moment
from proofs_check.results import Enclosed, Proved
from zotheory.evidence.exact import Counterexample, conjuncts, exact
from zotheory.evidence.searched import searched
from zotheory.evidence.snippets import inputs
from zotheory.search import Parameter, Point, Problem, Sides
from zotheory.vocabulary import Claim, Kind, Setting, Statement, conjunction

# What B loss values of a linear loss tell about the direction of its gradient, exactly.
#
# f(w) = <g, w> + b in R^d, b unknown, g/||g|| uniform on the sphere. The differences of B losses
# are the inner products of g with the differences of the points: with those of at most k = B - 1
# orthonormal q_1, ..., q_k, where each q_i may depend on what was learned before it. Let y_i = <g,
# q_i>/||g||, P the projection on their span and c = sum_i y_i^2 = ||P g||^2/||g||^2. Then
#
#     E[g g^T / ||g||^2 | y] = (P g)(P g)^T/||g||^2 + (1 - c)/(d - k) (I - P),
#
# since what is across the span is uniform on a sphere, whatever was learned: the best squared
# cosine given y is the larger of c, along P g, and (1 - c)/(d - k), across the span.


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


ANY = sp.Symbol("sup E cos^2")
SCALE_FREE = sp.Symbol("sup E cos^2 of scale-free estimates")
SIGNED = sp.Symbol("sup E cos")
FORWARD = sp.Symbol("E cos^2 of orthonormal forward differences")
LEARNED = (VALUES - 1) / D
DOMAIN = (sp.Ge(VALUES, 2, evaluate=False), sp.Le(VALUES, D, evaluate=False))


def _limits(_: Statement) -> Mapping[sp.Expr, Derivation | Enclosed]:
    return {
        ANY: unrestricted(),
        SCALE_FREE: scale_free(),
        SIGNED: signed(),
        FORWARD: orthonormal_forward(),
    }


def _problem(statement: Statement) -> Problem:
    """Strategies that know the norm against the limit for any, the others against their own."""
    limits = {relation.lhs: relation.rhs for relation in conjuncts(statement.formula)}

    def limit(point: Point) -> float:
        at = {VALUES: point["B"], D: point["d"]}
        if not all(condition.subs(at) for condition in statement.domain):
            return math.nan
        knows = point["knows"] or SCALE_FREE not in limits
        return float(limits[ANY if knows else SCALE_FREE].subs(at))

    return query_limit(limit)


def _exact_witness(_: Statement, failed: Counterexample) -> str:
    return f"""import numpy as np

{inputs(failed.inputs)}
k = B - 1  # inner products learned; their share c of ||g||^2 has the law Beta(k/2, (d - k)/2)
mean, square = k / d, k * (k + 2) / (d * (d + 2))
print("claimed", (B - 1) / d)
# ||g|| is known, so c is: along the projection, but across the span with probability 1 - c
print("actual", square + (1 - 2 * mean + square) / (d - k))
rng = np.random.default_rng(0)
g = rng.standard_normal((200_000, d))
g /= np.linalg.norm(g, axis=1, keepdims=True)
c = np.sum(g[:, :k] ** 2, axis=1)
print("simulated", np.mean(np.where(rng.random(len(c)) < 1 - c, g[:, k] ** 2, c)))
print("the larger of both", np.mean(np.maximum(c, (1 - c) / (d - k))))
"""


CLAIMS = (
    Claim(
        id="own.query_limit",
        where="ours",
        setting=Setting("a linear loss in any dimension"),
        statement=Statement(
            "With B loss values of a linear loss (2 <= B <= d), no estimator whose directions do "
            "not depend on g in advance has E cos^2 above (B-1)/d, averaged over a uniformly "
            "random direction of g; orthonormal forward differences reach it.",
            conjunction(sp.Le(ANY, LEARNED), sp.Eq(FORWARD, LEARNED)),
            DOMAIN,
        ),
        needs=(Kind.EXACT, Kind.SEARCH),
        checks=(exact(_limits, _exact_witness), searched(_problem)),
        correction=Statement(
            "None has E cos^2 above B/d; none whose direction stays the same when the loss is "
            "scaled or shifted has E cos^2 above (B-1)/d, for any 2 <= B <= d; and none has E cos, "
            "with its sign, above Gamma(B/2) Gamma(d/2) / (Gamma((B-1)/2) Gamma((d+1)/2)). "
            "Orthonormal forward differences reach the last two. Whoever knows ||g|| knows when "
            "the projection on the directions is short and may point across them: up to "
            "E max(c, (1-c)/(d-B+1)), c ~ Beta((B-1)/2, (d-B+1)/2), in E cos^2. With one loss "
            "value every vector has 1/d; a known constant term counts as one more loss value.",
            conjunction(
                sp.Le(ANY, VALUES / D),
                sp.Le(SCALE_FREE, LEARNED),
                sp.Eq(FORWARD, LEARNED),
                sp.Eq(
                    SIGNED,
                    sp.gamma(VALUES / 2)
                    * sp.gamma(D / 2)
                    / (sp.gamma((VALUES - 1) / 2) * sp.gamma((D + 1) / 2)),
                ),
            ),
            DOMAIN,
        ),
    ),
)


# Search over ways to spend B loss values of a linear loss, for a squared cosine above a bound.
#
# In the notation of `zotheory.papers.own.query_limit` a strategy evaluates
#
# - one direction, after which it stops if y_1^2 > `stop`, or else B - 1 orthonormal ones;
#
# and its estimate stands at the angle `out` to their span and, within the span, at the angle `off`
# to P g, both with other values (`out_below`, `off_below`) where c < `threshold`. Where the norm
# of g is not known (`knows` 0), y_1^2 and c are not either: it never stops early, and `out` and
# `off` hold. No direction is better than another one, by rotation invariance.


_LARGEST = 8  # dimension
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(24)
_ANGLES = ("out", "out_below", "off", "off_below")


def query_limit(limit: Callable[[Point], float]) -> Problem:
    """E cos^2 of a strategy against `limit(point)`, nan where nothing is claimed of the point.

    The point has the strategy's parameters, the dimension d and the number B of loss values.
    """
    return Problem(
        "E cos^2 of B loss values",
        lambda point: Sides(_value(point), limit(point)),
        lambda point, digits: Sides(_precise(point, digits), limit(point), 10.0**-digits),
        (
            Parameter("d", 1, _LARGEST, integer=True),
            Parameter("B", 1, _LARGEST + 1, integer=True),
            Parameter("knows", 0, 1, integer=True),
            Parameter("stop", 0.0, 1.0),
            Parameter("threshold", 0.0, 1.0),
            *(Parameter(name, 0.0, math.pi / 2) for name in _ANGLES),
        ),
    )


def _gains(point: Point, k: int, suffix: str) -> tuple[float, float]:
    """(p, q): given c the squared cosine is p c + q (1 - c) on average, k directions evaluated."""
    out = point["out" + suffix]
    off = point["off" + suffix] if k > 1 else 0.0  # one direction is all of its span
    across = math.sin(out) ** 2 / (point["d"] - k) if k < point["d"] else 0.0
    return (math.cos(out) * math.cos(off)) ** 2, across


def _value(point: Point) -> float:
    d, k = point["d"], point["B"] - 1
    if k > d:
        return math.nan
    if k == 0:
        return 1 / d  # of every vector
    if not point["knows"]:
        along, across = _gains(point, k, "")
        return along * k / d + across * (1 - k / d)
    if d == 1:
        return float(_given_first(point, k, np.ones(1))[0])
    # y_1 = sin(angle), of density cos^(d-2)
    cuts = np.sort([0.0, *np.arcsin(np.sqrt([point["stop"], point["threshold"]])), math.pi / 2])
    half = np.diff(cuts) / 2
    angle = ((cuts[1:] + cuts[:-1]) / 2 + half * _NODES[:, None]).ravel()
    density = (_WEIGHTS[:, None] * half).ravel() * np.cos(angle) ** (d - 2)
    first = np.sin(angle) ** 2
    stopped, went_on = (_given_first(point, j, first) for j in (1, k))
    values = np.where(first > point["stop"], stopped, went_on)
    return float(density @ values / density.sum())


def _given_first(point: Point, k: int, first: np.ndarray) -> np.ndarray:
    """The mean over c = x + (1 - x) b, x = y_1^2, b ~ Beta((k-1)/2, (d-k)/2), for each x."""
    low, high = _gains(point, k, "_below"), _gains(point, k, "")
    shape, rest = (k - 1) / 2, (point["d"] - k) / 2
    if shape == 0 or rest == 0:
        c = first if shape == 0 else np.ones_like(first)
        below = c < point["threshold"]
        return np.where(below, low[0] * c + low[1] * (1 - c), high[0] * c + high[1] * (1 - c))
    cut = np.clip((point["threshold"] - first) / (1 - first), 0.0, 1.0)
    mean = shape / (shape + rest)
    mass, part = betainc(shape, rest, cut), mean * betainc(shape + 1, rest, cut)
    return sum(
        (p * first + q * (1 - first)) * m + (1 - first) * (p - q) * b
        for (p, q), m, b in ((low, mass, part), (high, 1 - mass, mean - part))
    )


def _precise(point: Point, digits: int) -> mpmath.mpf:
    """The same by nested quadrature over two angles, without incomplete beta functions."""
    d, k = point["d"], point["B"] - 1
    if k == 0 or not point["knows"] or k > d or d == 1:
        return mpmath.mpf(_value(point))  # no integral
    with mpmath.workdps(digits + 8):
        stop, threshold = mpmath.mpf(point["stop"]), mpmath.mpf(point["threshold"])

        def gain(c: mpmath.mpf, directions: int) -> mpmath.mpf:
            p, q = _gains(point, directions, "_below" if c < threshold else "")
            return p * c + q * (1 - c)

        def given(x: mpmath.mpf) -> mpmath.mpf:
            if x > stop or k == 1:
                return gain(x, 1)
            if k == d:
                return gain(mpmath.mpf(1), k)
            kink = (threshold - x) / (1 - x)
            return _mean(lambda b: gain(x + (1 - x) * b, k), k - 1, d - k, [kink])

        return _mean(given, 1, d - 1, [stop, threshold])


def _mean(
    function: Callable[[mpmath.mpf], mpmath.mpf], a: int, b: int, kinks: list[mpmath.mpf]
) -> mpmath.mpf:
    """E function(s), s ~ Beta(a/2, b/2): s = sin^2 of an angle of density sin^(a-1) cos^(b-1)."""
    inner = sorted(mpmath.asin(mpmath.sqrt(s)) for s in kinks if 0 < s < 1)
    cuts = [0, *inner, mpmath.pi / 2]

    def density(angle: mpmath.mpf) -> mpmath.mpf:
        return mpmath.sin(angle) ** (a - 1) * mpmath.cos(angle) ** (b - 1)

    weighted = mpmath.quad(lambda t: function(mpmath.sin(t) ** 2) * density(t), cuts)
    return 2 * weighted / mpmath.beta(mpmath.mpf(a) / 2, mpmath.mpf(b) / 2)
