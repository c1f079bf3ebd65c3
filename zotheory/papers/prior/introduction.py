"""The abstract's variance and the introduction's bias of the two-point Gaussian estimate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import sympy as sp

from proofs_check.gaussian import Derivation, Fixed, Gaussian, Index, contraction, derive
from proofs_check.moments import scalar_moment
from zotheory.context import Context
from zotheory.evidence.exact import Counterexample, exact
from zotheory.evidence.measured import Measurement, measured
from zotheory.papers.prior.lemma1 import D
from zotheory.papers.prior.selection import Trained
from zotheory.statistics import Catoni, decide_equal
from zotheory.vocabulary import Claim, Kind, Setting, Statement, conjunction

VARIANCE = sp.Symbol("E||z z^T g - g||^2/||g||^2")
DEGREE = sp.Symbol("its degree in d")
EPS = sp.Symbol("eps", positive=True)
BIAS = sp.Symbol("largest |E <estimate, h> - <grad, h>| over theta, x^T H x / 2 + <b, x> + c")
POWER = sp.Symbol("n", integer=True, positive=True)
LEADING = sp.Symbol("coefficient of theta^(n-3) in the bias of theta^n + lower powers")


# E||z z^T g - g||^2.


def _variance(_: Statement) -> Mapping[sp.Expr, Derivation]:
    z, g = Gaussian("z"), Fixed("g")
    a, b, c = (Index(name, D) for name in "abc")
    square = derive(z[b] * g[b] * z[a] * z[c] * g[c] * z[a])
    mixed = derive(z[b] * g[b] * z[a] * g[a])
    norm2 = contraction(g[a] * g[a])
    value = sp.expand(sp.cancel((square.value - 2 * mixed.value + norm2) / norm2))
    degree = sp.Integer(sp.degree(value, D)) if value.is_polynomial(D) else sp.oo
    steps = (*square.steps, *mixed.steps, f"E||V||^2 - 2 E<V, g> + ||g||^2 over ||g||^2: {value}")
    return {
        VARIANCE: Derivation(value, steps),
        DEGREE: Derivation(degree, (f"{value} has degree {degree} in d",)),
    }


class Error:
    """||V - g||^2 of the code that trains, ||g|| = 1."""

    def __init__(self, source: Trained) -> None:
        self.source = source

    def __call__(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """`size` independent values."""
        estimates, _ = self.source.estimates(rng, size)
        return np.square(estimates - self.source.gradient).sum(axis=1)


def _measure_variance(statement: Statement, _: Context) -> Sequence[Measurement]:
    """At d = 1, 4: ||V - g||^2 = y^2 (y^2 + q) - 2 y^2 + 1 with q ~ chi2_(d-1).

    Its second moment is at most twice those of y^2 (y^2 + q) and of 2 y^2 - 1.
    """
    (claimed,) = (r.rhs for r in statement.formula.args if r.lhs == VARIANCE)
    y4, y6, y8 = (int(scalar_moment(k)) for k in (4, 6, 8))
    measurements = []
    for d in (1, 4):
        q1, q2 = d - 1, (d - 1) * (d + 1)
        second = 2 * (y8 + 2 * y6 * q1 + y4 * q2) + 2 * (4 * y4 - 4 + 1)
        decide = partial(
            decide_equal, method=Catoni(second), target=float(claimed.subs(D, d)), tolerance=0.75
        )
        measurements.append(Measurement(f"d={d}", Error(Trained("plain", 1, d)), decide, 50, 128))
    return measurements


# The bias at a fixed eps.


def _bias(_: Statement) -> Mapping[sp.Expr, Derivation]:
    """Of every quadratic loss, and of polynomials in one variable by their degree."""
    z, g, h = Gaussian("z"), Fixed("g"), Fixed("h")
    a, b = Index("a", D), Index("b", D)
    mean = derive(z[a] * g[a] * z[b] * h[b])
    bias = sp.expand(mean.value - contraction(g[a] * h[a]))
    step, c0, c1, c2 = sp.symbols("t c0 c1 c2", real=True)
    quadratic = c0 + c1 * step + c2 * step**2
    slope = sp.cancel((quadratic.subs(step, EPS) - quadratic.subs(step, -EPS)) / (2 * EPS))
    if slope != c1:
        raise ArithmeticError(f"the two-point difference of {quadratic} is {slope}, not {c1}")
    # E (theta + eps z)^n = sum_j C(n, j) theta^(n-j) eps^j E z^j; the estimate's mean is its slope
    second = sp.binomial(POWER, 2).expand(func=True) * EPS**2 * scalar_moment(2)
    leading = sp.factor(second * (POWER - 2))
    return {
        BIAS: Derivation(
            sp.Abs(bias),
            (
                f"along theta + t z a quadratic loss is {quadratic}, c1 = <grad, z>: its two-point "
                f"difference is {slope}, whatever eps is",
                *mean.steps,
                f"E <grad, z><z, h> - <grad, h> = {bias}: the bias is 0 at every theta",
            ),
        ),
        LEADING: Derivation(
            leading,
            (
                "the estimate's mean is the derivative of E f(theta + eps z) (Stein)",
                f"E(theta + eps z)^n - theta^n = ({second}) theta^(n-2) + lower powers; lower "
                "powers of f add to theta^(n-3) and below before the derivative",
                f"so the bias of a polynomial of degree n has ({leading}) theta^(n-3) on top",
            ),
        ),
    }


def _bias_witness(_: Statement, __: Counterexample) -> str:
    return """import numpy as np

x, weight = np.polynomial.hermite_e.hermegauss(20)
weight /= weight.sum()


def bias(f, slope, theta, eps):
    estimate = (f(theta + eps * x) - f(theta - eps * x)) / (2 * eps) * x
    return abs(weight @ estimate - slope(theta))


thetas, sizes = np.linspace(-2, 2, 9), (0.5, 1.0, 2.0)
square = max(bias(lambda t: t**2, lambda t: 2 * t, t, e) for t in thetas for e in sizes)
cube = max(bias(lambda t: t**3, lambda t: 3 * t**2, t, e) for t in thetas for e in sizes)
print("claimed: above", 0.0)  # of theta^2, which is not affine
print("actual", round(square, 12))
print("of theta^3", cube)
"""


CLAIMS = (
    Claim(
        id="prior.abstract.variance",
        where="abstract",
        statement=Statement(
            "On a linear loss the variance E||z z^T g - g||^2/||g||^2 of one-direction Gaussian "
            "sampling is a polynomial of degree one in the number of parameters d.",
            conjunction(sp.Eq(DEGREE, 1), sp.Eq(VARIANCE, D + 1)),
            (sp.Ge(D, 1, evaluate=False),),
        ),
        needs=(Kind.EXACT, Kind.MEASURED),
        checks=(exact(_variance), measured(_measure_variance)),
        mutant=Statement(
            "It is a polynomial of degree two, d^2 + 1.",
            conjunction(sp.Eq(DEGREE, 2), sp.Eq(VARIANCE, D**2 + 1)),
            (sp.Ge(D, 1, evaluate=False),),
        ),
        setting=Setting(paper="Gaussian sampling of a gradient with d entries"),
    ),
    Claim(
        id="prior.intro.unbiased",
        where="Sec. 1",
        statement=Statement(
            "At a fixed eps > 0, no loss other than an affine one has a two-point Gaussian "
            "estimate whose mean is its gradient at every theta. (Read: perfect unbiasedness is "
            "infeasible because of eps.)",
            sp.Gt(BIAS, 0),
            (sp.Ge(D, 1, evaluate=False),),
        ),
        needs=(Kind.EXACT,),
        checks=(exact(_bias, _bias_witness).refutes("by quadratic losses"),),
        correction=Statement(
            "Every quadratic loss has one, whatever eps is (the difference is exact, also where "
            "H is indefinite). Among polynomials in one variable no other than these and the "
            "affine ones do: of degree n >= 3 the bias is a polynomial of degree n - 3 that is "
            "not 0, eps^2 n (n-1) (n-2)/2 theta^(n-3) at the top.",
            conjunction(sp.Eq(BIAS, 0), sp.Gt(LEADING, 0)),
            (sp.Ge(D, 1, evaluate=False), sp.Ge(POWER, 3, evaluate=False)),
        ),
        setting=Setting(paper="losses of language models at the eps of Tables 7 and 8; any loss"),
    ),
)
