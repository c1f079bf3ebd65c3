"""Lemma 2 at k = 1, and the covariances of the proofs of Lemmas 2 and 4."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import sympy as sp

from proofs_check.gaussian import Derivation, Fixed, Gaussian, Index, contraction, derive
from zotheory.context import Context
from zotheory.evidence.compared import Case
from zotheory.evidence.enclosed import enclosed
from zotheory.evidence.exact import Counterexample, exact
from zotheory.evidence.measured import Measurement, measured
from zotheory.papers.prior.lemma1 import D
from zotheory.papers.prior.printed_steps import guiding_weights
from zotheory.papers.prior.quantities import K, S
from zotheory.papers.prior.selection import Source, Statistic, Trained
from zotheory.papers.shared.two_sample import one_law
from zotheory.statistics import (
    Catoni,
    ClopperPearson,
    decide_at_least,
    decide_at_most,
    decide_equal,
)
from zotheory.vocabulary import Claim, Kind, Setting, Statement, conjunction

NEAR = sp.Symbol("P(||V_par||/||g|| is within 10% of 1)")
PERP2 = sp.Symbol("Var <V_perp, h>")
GIVEN_PERP2 = sp.Symbol("Var(<V_perp, h> | y)")
GIVEN_N2 = sp.Symbol("Var(<N, h> | y)")
Y2 = sp.Symbol("||y||^2", positive=True)
HALF, TENTH = sp.Rational(1, 2), sp.Rational(1, 10)


# k = 1: ||V_par||/||g|| = y^2.


def _near(_: Statement) -> Sequence[Case]:
    """P(9/10 <= y^2 <= 11/10) between the interval's length times the least and largest density."""
    low, high = sp.sqrt(1 - TENTH), sp.sqrt(1 + TENTH)
    ends = tuple(2 * (high - low) * sp.exp(-(y**2) / 2) / sp.sqrt(2 * sp.pi) for y in (high, low))
    steps = (
        "V = y z with y = <z, g>, ||g|| = 1: ||V_par||/||g|| = y^2 in every dimension, y ~ N(0, 1)",
        "|y| lies between sqrt(9/10) and sqrt(11/10), where its density 2 phi falls",
    )
    return [Case({"k": 1, "d": "any"}, {NEAR: ends}, steps=steps)]


def _within(parts: np.ndarray, _: Source) -> np.ndarray:
    """Whether ||V_par|| is within 10% of ||g|| = 1."""
    return (np.abs(parts[:, 0] - 1) <= 0.1).astype(float)


def _measure_near(statement: Statement, _: Context) -> Sequence[Measurement]:
    """By the training code in two dimensions and in five."""
    decide_by = decide_at_least if isinstance(statement.formula, sp.Ge) else decide_at_most
    bound = float(statement.formula.rhs)
    decide = partial(decide_by, method=ClopperPearson(), bound=bound)
    return [
        Measurement(f"k=1 d={d}", Statistic(Trained("plain", 1, d), _within), decide, 50, 128)
        for d in (2, 5)
    ]


def _near_witness(_: Statement, __: Counterexample) -> str:
    return """import math

import numpy as np

low, high = math.sqrt(0.9), math.sqrt(1.1)
print("claimed", 0.5)  # at least, of P(0.9 <= y^2 <= 1.1)
# the middle between both bounds of the certificate
density = [2 * math.exp(-(y**2) / 2) / math.sqrt(2 * math.pi) for y in (low, high)]
print("actual", (high - low) * sum(density) / 2)
print("by the error function", math.erf(high / math.sqrt(2)) - math.erf(low / math.sqrt(2)))
y = np.random.default_rng(0).standard_normal(1_000_000)
print("simulated", np.mean(np.abs(y**2 - 1) <= 0.1))
"""


# Covariances across g.


G, H = Fixed("g"), Fixed("h")
_A = Index("a", D)
ACROSS = contraction(H[_A] * H[_A]) - contraction(G[_A] * H[_A]) ** 2  # <h, (I - g g^T) h>


def _covariances(statement: Statement) -> Mapping[sp.Expr, Derivation]:
    """Along every fixed h, for ||g|| = 1; given y = (<z_i, g>)_i all that is across g is Gaussian.

    A law that is Gaussian given y, with a covariance that does not depend on y, is Gaussian and
    independent of y.
    """
    z, g, h = Gaussian("z"), G, H
    a, b, c, e = (Index(name, D) for name in "abce")
    unit = {contraction(g[a] * g[a]): 1}

    def along(of: Index, to: Index, row: Index) -> tuple:
        """<z_row, g> <z_row, h>/k, whose sum over rows is <V, h>."""
        return z[row, of] * g[of] * z[row, to] * h[to] / K

    i, j = Index("i", K), Index("j", K)
    found = derive(along(a, b, i) * along(c, e, j))
    parallel = derive(z[i, a] * g[a] * z[i, b] * g[b] / K * z[j, c] * g[c] * z[j, e] * g[e] / K)
    mixed = derive(along(a, b, i) * z[j, c] * g[c] * z[j, e] * g[e] / K)
    inner = contraction(g[a] * h[a])
    perp2 = sp.expand(
        (found.value - 2 * inner * mixed.value + inner**2 * parallel.value).subs(unit)
    )
    given = ("z_i = y_i g + P_i, P_i ~ N(0, I - g g^T) independent of all y",)
    steps = (*found.steps, f"<V_perp, h> = <V, h> - <V, g><g, h>, mean 0: variance {perp2}")
    weights = "+1 for the s least y_i, -1 for the s greatest, 0 for others; 2 s <= k: none is both"
    return {
        PERP2: Derivation(perp2, steps),
        GIVEN_PERP2: Derivation(
            Y2 * ACROSS / K**2, (*given, "V_perp = (1/k) sum_i y_i P_i: given y, ||y||^2/k^2 of it")
        ),
        GIVEN_N2: Derivation(
            2 * S * ACROSS,
            (*given, f"N = sum_i w_i P_i, w {weights}", "sum_i w_i^2 = 2 s, whatever y is"),
        ),
    }


def _measure_covariances(statement: Statement, _: Context) -> Sequence[Measurement]:
    """<V_perp, h>^2 by the training code; and (m, N), or (V_par, V_perp), as a whole.

    The second: from draws z_1, ..., z_k, against a Gaussian of the stated covariance drawn apart.
    E <V_perp, h>^4 <= E||y||^4 3/k^4 = 3 (k + 2)/k^3 for ||h|| = 1.
    """
    k, d, measurements = 4, 3, []
    claimed = {r.lhs: r.rhs for r in statement.formula.args}
    if PERP2 in claimed:
        target = float((claimed[PERP2] / ACROSS).subs(K, k))
        decide = partial(
            decide_equal,
            method=Catoni(3 * (k + 2) / k**3),
            target=target,
            tolerance=0.5,
        )
        sampler = PerpendicularSquare(Trained("plain", k, d))
        measurements.append(Measurement(f"Var <V_perp, h>, k={k} d={d}", sampler, decide, 50, 128))
    for name in (GIVEN_N2, GIVEN_PERP2):
        if name in claimed:
            variance = float((claimed[name] / ACROSS).subs({K: k, S: k // 2}))
            pair = [Parts(k, d, name is GIVEN_N2, v) for v in (None, variance)]
            measurements.append(one_law(f"{name}, k={k}", *pair, 0.02, 2_000, 64))
    return measurements


@dataclass(frozen=True)
class PerpendicularSquare:
    """<V_perp, h>^2 of estimates by the code that trains, h a unit vector across g."""

    source: Trained

    def __call__(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """`size` independent values."""
        g = self.source.gradient
        across = np.eye(len(g))[0] - g[0] * g
        estimates, _ = self.source.estimates(rng, size)
        return (estimates @ across / np.linalg.norm(across)) ** 2


@dataclass(frozen=True)
class Parts:
    """Side by side what a selection of k draws has along g = e_1 and across it.

    guided: m and N of Lemma 4, s = k/2; else ||V_par|| and V_perp of Lemma 2. variance: if given,
    what is across is a Gaussian of this variance an entry, drawn apart.
    """

    k: int
    d: int
    guided: bool
    variance: float | None

    def __call__(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """`size` independent rows, shape (size, d)."""
        z = rng.standard_normal((size, self.k, self.d))
        y, s = z[:, :, 0], self.k // 2
        weights = s * guiding_weights(y, s) if self.guided else y / self.k
        found = np.einsum("bk,bkd->bd", weights, z)
        if self.variance is not None:
            found[:, 1:] = np.sqrt(self.variance) * rng.standard_normal((size, self.d - 1))
        return found


def _covariance(says: str, of_perp: sp.Symbol, n2: sp.Expr) -> Statement:
    """`of_perp`: the variance of V_perp that is meant; `n2`: that of an entry of N."""
    formula = conjunction(sp.Eq(of_perp, ACROSS / K), sp.Eq(GIVEN_N2, n2 * ACROSS))
    sizes = (sp.Ge(K, 2 * S, evaluate=False), sp.Ge(D, 2, evaluate=False))
    return Statement(says, formula, (*sizes, sp.Ge(ACROSS, 0)))  # Cauchy and Schwarz, ||g|| = 1


CLAIMS = (
    Claim(
        id="prior.lemma2.ratio2_one",
        where="Lemma 2 at the paper's own setting k = 1",
        statement=Statement(
            "At k = 1, for every d, ||V_par||/||g|| is within 10% of 1 with probability at least "
            "1/2.",
            sp.Ge(NEAR, HALF),
        ),
        needs=(Kind.EXACT, Kind.MEASURED),
        checks=(enclosed(_near, _near_witness), measured(_measure_near)),
        correction=Statement(
            "It is so with probability at most 1/10 (4.9%): ||V_par||/||g|| is the square of a "
            "standard normal number, whose mean alone is 1.",
            sp.Le(NEAR, TENTH),
        ),
        setting=Setting(paper="k = 1, the query budget of App. A, any d"),
    ),
    Claim(
        id="prior.lemma2.covariance",
        where="proofs of Lemmas 2 and 4",
        statement=_covariance(
            "In Lemma 2, Cov(V_perp) = (1/k)(I - g g^T); in Lemma 4, for s <= k/2, N is Gaussian "
            "with covariance 2 s (I - g g^T) and independent of m.",
            PERP2,
            2 * S,
        ),
        needs=(Kind.EXACT, Kind.MEASURED),
        checks=(exact(_covariances), measured(_measure_covariances)),
        mutant=_covariance(
            "V_perp, too, is Gaussian with that covariance and independent of V_par.",
            GIVEN_PERP2,
            2 * S,
        ),
        setting=Setting(paper="any k, d and s <= k/2, ||g|| = 1"),
    ),
)
