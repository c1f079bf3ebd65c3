"""Figure 4: the cosine with the true gradient over prefix parameters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import sympy as sp

from proofs_check.enclosures import enclose
from zotheory.context import Context
from zotheory.evidence.compared import Case
from zotheory.evidence.enclosed import enclosed
from zotheory.evidence.exact import Counterexample
from zotheory.evidence.measured import Measurement, measured
from zotheory.papers.prior.passes import opposite
from zotheory.papers.prior.quantities import guided
from zotheory.papers.prior.selection import Reduced, Statistic, scaled_cosine
from zotheory.statistics import Bernstein, decide_at_most
from zotheory.vocabulary import Claim, Kind, Setting, Statement

LARGEST = sp.Symbol("largest E|cos(g, estimate)| over M = 4, 12 and prefix lengths >= 1")
D = 24 * 2 * 2048  # layers, keys and values, width: one prefix token of OPT-1.3B
COUNTS = (4, 12)


def _cosines(_: Statement) -> Sequence[Case]:
    """E|cos| <= sqrt(E cos^2), cos^2 <= A^2/(spread chi2_(d-1)), whose mean falls with d."""
    squares = {k: guided(k, k // 2) for k in COUNTS}
    bounds = {k: sp.sqrt(law.second / law.spread / (D - 3)) for k, law in squares.items()}
    upper = max(sp.Rational(enclose(bound).high) for bound in bounds.values())
    steps = (
        f"d = 24 * 2 * 2048 * (prefix length) >= {D}",
        "cos^2 = A^2/(A^2 + spread chi2_(d-1)), E[1/chi2_(d-1)] = 1/(d-3): "
        "E|cos| <= sqrt(E cos^2) <= sqrt(E A^2/spread/(d-3)), which falls with d",
        *(f"M = {k}: at most {enclose(bound)}" for k, bound in bounds.items()),
    )
    return [Case({"d": D}, {LARGEST: (sp.Integer(0), upper)}, steps=steps)]


@dataclass(frozen=True)
class Cosines:
    """|cos(g, estimate)| at each of the M, reduced, d = 98304: a column for each."""

    def __call__(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """`size` independent rows."""
        columns = [Statistic(Reduced("guided", k, D), scaled_cosine)(rng, size) for k in COUNTS]
        return np.sqrt(np.stack(columns, axis=1) / D)


def _measure(statement: Statement, _: Context) -> Sequence[Measurement]:
    """Both means against the bound; that one of them reaches it is the opposite of both below."""
    below = partial(decide_at_most, method=Bernstein(), bound=float(statement.formula.rhs))
    reached = isinstance(statement.formula, sp.Ge)
    decide = partial(opposite, decide=below) if reached else below
    return [Measurement(f"M = 4 and 12, d={D}", Cosines(), decide, 1_000, 64)]


def _witness(_: Statement, __: Counterexample) -> str:
    return f"""import math

import numpy as np

d = {D}  # one prefix token in 24 layers, keys and values, width 2048
t = np.linspace(-12, 12, 24_001)
phi = np.exp(-(t**2) / 2) / math.sqrt(2 * math.pi)
above = np.array([math.erfc(x / math.sqrt(2)) / 2 for x in t])  # 1 - Phi(t)
below = above[::-1]
low, high = -phi / below, phi / above
M, s = 12, 6
density = M * math.comb(M - 1, s - 1) * below ** (s - 1) * above ** (M - s) * phi
(l1, l2), (h1, h2) = [
    (n * mean, n * (1 + t * mean) + n * (n - 1) * mean**2)
    for n, mean in ((s - 1, low), (M - s, high))
]
square = np.where(density > 1e-25, (t**2 + l2 + 2 * t * l1 + h2 - 2 * (t + l1) * h1) / s**2, 0)
bound = math.sqrt(np.sum(square * density) * (t[1] - t[0]) / (4 / M) / (d - 3))
print("claimed: at least", 0.1)
print("actual", bound / 2)  # the middle of what it lies between: 0 and the bound
print("bound at M = 12:", bound)
rng = np.random.default_rng(0)
for M in (4, 12):
    y = np.sort(rng.standard_normal((100_000, M)))
    a = y[:, : M // 2].mean(axis=1) - y[:, M // 2 :].mean(axis=1)
    cos = np.abs(a) / np.sqrt(a**2 + 4 / M * rng.chisquare(d - 1, len(a)))
    print("simulated at M =", M, cos.mean())
"""


CLAIMS = (
    Claim(
        id="prior.fig4.follows",
        where="Sec. 4.5, Fig. 4",
        statement=Statement(
            "On a linear loss over OPT-1.3B's prefix parameters (24 layers, keys and values, width "
            "2048, any prefix length >= 1) E|cos(g, estimate)| of MeZO-GV at alpha = 1/2 is at "
            "least 0.1, at M = 4 or at M = 12. (Read: closely follows the direction of the true "
            "gradient.)",
            sp.Ge(LARGEST, sp.Rational(1, 10)),
        ),
        needs=(Kind.EXACT, Kind.MEASURED),
        checks=(enclosed(_cosines, _witness), measured(_measure)),
        correction=Statement(
            "It is below 0.01 at both, whatever the prefix length: 98,304 parameters or more, of "
            "which a step sees one direction (89.5 degrees from the gradient at M = 12).",
            sp.Le(LARGEST, sp.Rational(1, 100)),
        ),
        setting=Setting(
            paper="OPT-1.3B with prefix tuning on SST-2 and BoolQ along 10,000 steps (Fig. 4)",
            judged="a linear loss over as many parameters, what a smooth one is as eps -> 0",
        ),
    ),
)
