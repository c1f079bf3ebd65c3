"""From how many directions on an averaged MeZO gradient's top singular pair knows about G.

The criterion for a threshold t that grows with the size as claimed: at k = t/2 the squared
overlaps fall to less than 60% from one size to one four times as large in both dimensions (and
to 25% for ever larger sizes), and at k = 2 t they are those that spiked-matrix theory predicts
for twice its own threshold, within 0.05 (0.15 for the smallest matrix, by the code that trains).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from math import sqrt

import numpy as np
import sympy as sp
from scipy.linalg import eigh

from proofs_check.matrices import M, N
from zotheory.context import Context
from zotheory.evidence.measured import Measurement, measured
from zotheory.papers.shared.matrix_estimates import Loss, bases
from zotheory.statistics import Bernstein, decide_less, decide_within
from zotheory.vocabulary import Claim, Kind, Setting, Statement

THRESHOLD = sp.Symbol("k from which the top singular pair correlates with G's")
GROWTH, FALLS_TO = 4, 0.6
SMALL = ((16, 16), (8, 64))  # where the fall starts
SHAPES = ((32, 32), (96, 96), (16, 256), (256, 16))


def _measure(statement: Statement, _: Context) -> Sequence[Measurement]:
    return [
        *(_below(statement, *shape) for shape in SMALL),
        *(_above(statement, Overlaps, *shape, tolerance=0.05, shard_size=80) for shape in SHAPES),
        _above(statement, TrainedOverlaps, 12, 12, tolerance=0.15, shard_size=15),
    ]


def _directions(statement: Statement, m: int, n: int, times: float) -> int:
    """`times` the claimed threshold, as a whole number."""
    return round(times * float(statement.formula.rhs.subs({M: m, N: n})))


def _below(statement: Statement, m: int, n: int) -> Measurement:
    """Columns: the larger size, the smaller one."""
    sizes = tuple((s * m, s * n, _directions(statement, s * m, s * n, 0.5)) for s in (GROWTH, 1))
    decide = partial(decide_less, method=Bernstein(), margin=FALLS_TO)
    at = f"half the threshold, from {m} x {n} to {GROWTH * m} x {GROWTH * n}"
    return Measurement(at, MeanOverlaps(sizes), decide, 140, 64)


def _above(
    statement: Statement,
    sampler: type[Overlaps] | type[TrainedOverlaps],
    m: int,
    n: int,
    tolerance: float,
    shard_size: int,
) -> Measurement:
    target = np.array(predicted_overlaps(2 * sqrt(m * n), m, n))
    decide = partial(
        decide_within, method=Bernstein(), target=target, tolerance=tolerance, scale=1.0
    )
    drawn = sampler(m, n, _directions(statement, m, n, 2))
    code = "svd0" if sampler is TrainedOverlaps else "reduced"
    at = f"twice the threshold, {m} x {n} ({code})"
    return Measurement(at, drawn, decide, shard_size, 64)


CLAIMS = (
    Claim(
        id="own.svd0_threshold",
        where="ours, for svd0",
        setting=Setting("a linear loss with a rank-one gradient, large m and n at a fixed ratio"),
        statement=Statement(
            "For rank-one G of size m x n, the top singular pair of a MeZO gradient averaged over "
            "k directions starts to correlate with G's at k of order sqrt(mn), as spiked-matrix "
            "theory predicts (as m and n grow at a fixed ratio: at k = sqrt(mn)).",
            sp.Eq(THRESHOLD, sp.sqrt(M * N)),
        ),
        needs=(Kind.MEASURED,),
        checks=(measured(_measure),),
        mutant=Statement(
            "It does at k = (m + n)/2, which is the same for square matrices.",
            sp.Eq(THRESHOLD, (M + N) / 2),
        ),
    ),
)


# The top singular pair of a MeZO gradient averaged over k directions, G of rank one.
#
# By the invariance of Gaussian noise G = e_1 e_1^T; the average is drawn at once, up to its scale:
# with y_i = <G, Z_i>, sum_i y_i Z_i = ||y|| (||y|| G + W), W Gaussian across G, ||y||^2 ~ chi^2_k.


def predicted_overlaps(k: float, m: int, n: int) -> tuple[float, float]:
    """The limits of <u, u_1>^2 and <v, v_1>^2 as m, n, k grow in proportion.

    Noise with entries of variance 1/n and a signal of strength theta = sqrt(k/n), c = m/n
    (Benaych-Georges and Nadakuditi 2012, "The singular values and vectors of low rank
    perturbations of large rectangular random matrices", Sec. 3.1): 0 for theta^4 <= c, that is
    k <= sqrt(mn); 1 - c (1 + theta^2)/(theta^2 (theta^2 + c)) and
    1 - (c + theta^2)/(theta^2 (theta^2 + 1)) beyond.
    """
    c, square = m / n, k / n
    if square**2 <= c:
        return 0.0, 0.0
    left = 1 - c * (1 + square) / (square * (square + c))
    return left, 1 - (c + square) / (square * (square + 1))


def _average(rng: np.random.Generator, m: int, n: int, k: int) -> np.ndarray:
    average = rng.standard_normal((m, n))
    average[0, 0] = np.sqrt(rng.chisquare(k))
    return average


def top_pair(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The leading left and right singular vectors, from the smaller Gram matrix."""
    if len(matrix) > matrix.shape[1]:
        return top_pair(matrix.T)[::-1]
    last = [len(matrix) - 1] * 2
    left = eigh(matrix @ matrix.T, subset_by_index=last)[1][:, 0]
    right = matrix.T @ left
    return left, right / np.linalg.norm(right)


@dataclass(frozen=True)
class Overlaps:
    """<u, u_1>^2 and <v, v_1>^2 of the top singular pair with G's; reduced."""

    m: int
    n: int
    k: int

    def __call__(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """`size` independent rows, values in [0, 1]."""
        pairs = (top_pair(_average(rng, self.m, self.n, self.k)) for _ in range(size))
        return np.array([[left[0] ** 2, right[0] ** 2] for left, right in pairs]).clip(0.0, 1.0)


@dataclass(frozen=True)
class TrainedOverlaps:
    """The same of the subspace that SVD-0 draws from k queries, by the code that trains."""

    m: int
    n: int
    k: int

    def __call__(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """`size` independent rows, values in [0, 1]."""
        left, right = (np.arange(1.0, d + 1) for d in (self.m, self.n))
        left, right = left / np.linalg.norm(left), right / np.linalg.norm(right)
        loss = Loss(self.m, self.n, linear=tuple(np.outer(left, right).flatten().tolist()))
        options = (("rank", 1), ("queries", self.k))
        drawn = bases("svd0", loss, options, rng, size)
        rows = [[(left @ u[:, 0]) ** 2, (right @ v[:, 0]) ** 2] for u, v in drawn]
        return np.array(rows).clip(0.0, 1.0)


@dataclass(frozen=True)
class MeanOverlaps:
    """(<u, u_1>^2 + <v, v_1>^2) / 2 at several sizes, one column for each (m, n, k); reduced."""

    sizes: tuple[tuple[int, int, int], ...]

    def __call__(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """`size` independent rows, values in [0, 1]."""
        columns = [Overlaps(*at)(rng, size).mean(axis=1) for at in self.sizes]
        return np.stack(columns, axis=1)
