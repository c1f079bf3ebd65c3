"""From how many directions on an averaged MeZO gradient's top singular pair knows about G.

The criterion for a threshold t that grows with the size as claimed: at k = t/2 the squared
overlaps fall to less than 60% from one size to one four times as large in both dimensions (and
to 25% for ever larger sizes), and at k = 2 t they are those that spiked-matrix theory predicts
for twice its own threshold, within 0.05 (0.15 for the smallest matrix, by the code that trains).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from math import sqrt

import numpy as np
import sympy as sp

from proofs_check.matrices import M, N
from zotheory.checks.measured import Measurement, measured
from zotheory.context import Context
from zotheory.sampling.spiked import MeanOverlaps, Overlaps, TrainedOverlaps, predicted_overlaps
from zotheory.statistics import Bernstein, decide_less, decide_within
from zotheory.vocabulary import Claim, Kind, Statement

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
