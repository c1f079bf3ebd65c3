"""Random orthonormal frames: Lemmas 14 to 16."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import sympy as sp

from proofs_check import frames
from proofs_check.gaussian import Derivation
from proofs_check.matrices import M, N, R
from proofs_check.orthonormal import QT, Q, distance_to_identity
from zotheory.checks.exact import Counterexample, exact
from zotheory.checks.measured import Measurement, measured
from zotheory.context import Context
from zotheory.sampling.matrix_estimates import plain
from zotheory.sampling.subspaces import Columns, Projections, upper_identity
from zotheory.statistics import Bernstein, decide_equal
from zotheory.vocabulary import Claim, Kind, Statement
from zotheory.witness import inputs

K = sp.Symbol("k", integer=True, positive=True)
FITS = (sp.Le(R, N, evaluate=False),)
RANKS = (sp.Le(R, M, evaluate=False), *FITS)
SHARE = R**2 / (M * N)

COLUMN, COLUMN_OFF = sp.Symbol("E[e_k e_k^T]_ii"), sp.Symbol("E[e_k e_k^T]_ij")
FRAME, FRAME_OFF = sp.Symbol("E[Q Q^T]_ii"), sp.Symbol("E[Q Q^T]_ij")
DIAGONAL, OFF = sp.Symbol("E[P P^T]_ii"), sp.Symbol("E[P P^T]_ij")
DISTANCE, GRAM_DISTANCE = sp.Symbol("||Q Q^T - I||^2"), sp.Symbol("||Q^T Q - I||^2")


def _columns(_: Statement) -> Mapping[sp.Expr, Derivation]:
    """For every column alike: k does not occur."""
    diagonal, off = frames.outer_product(sp.S.One, N)
    return {COLUMN: diagonal, COLUMN_OFF: off}


def _frame(_: Statement) -> Mapping[sp.Expr, Derivation]:
    diagonal, off = frames.outer_product(R, N)
    return {FRAME: diagonal, FRAME_OFF: off}


def _distances(_: Statement) -> Mapping[sp.Expr, Derivation]:
    return {
        DISTANCE: distance_to_identity((Q, QT), (N, R)),
        GRAM_DISTANCE: distance_to_identity((QT, Q), (N, R)),
    }


def _distance_witness(_: Statement, failed: Counterexample) -> str:
    return f"""import numpy as np

{inputs(failed.inputs)}
q, _ = np.linalg.qr(np.random.default_rng(0).standard_normal((n, r)))
print("claimed", 0.0)
print("actual", float(np.sum((q @ q.T - np.eye(n)) ** 2)))  # n - r, the dimensions q misses
"""


def _projection(_: Statement) -> Mapping[sp.Expr, Derivation]:
    diagonal, off = frames.independent_projection()
    return {DIAGONAL: diagonal, OFF: off}


def claimed_share(statement: Statement) -> sp.Expr:
    """What the statement says of the diagonal, the relation whose right side is not 0."""
    return next(relation.rhs for relation in statement.formula.args if relation.rhs != 0)


def entries(at: str, sampler, target: np.ndarray, shard_size: int, band: float) -> Measurement:
    """A measurement of all entries of a projection, each in [-1, 1], to within `band`."""
    decide = partial(
        decide_equal, method=Bernstein(-1.0, 1.0), target=target, tolerance=band, scale=1.0
    )
    return Measurement(at, sampler, decide, shard_size, 256)


def _measure_columns(statement: Statement, _: Context) -> Sequence[Measurement]:
    measurements = []
    for n, r in ((3, 2), (5, 5)):
        shares = [float(claimed_share(statement).subs({N: n, R: r, K: k + 1})) for k in range(r)]
        target = np.concatenate([share * upper_identity(n) for share in shares])
        measurements.append(entries(f"n={n} r={r}", Columns(n, r), target, 500, 0.03))
    return measurements


def _measure_frame(statement: Statement, _: Context) -> Sequence[Measurement]:
    measurements = []
    for n, r in ((3, 2), (5, 1)):
        share = float(claimed_share(statement).subs({N: n, R: r}))
        sampler = Columns(n, r, together=True)
        target = share * upper_identity(n)
        measurements.append(entries(f"n={n} r={r}", sampler, target, 500, 0.03))
    return measurements


def _measure_projection(statement: Statement, _: Context) -> Sequence[Measurement]:
    """The subspaces that SubZero draws."""
    measurements = []
    for m, n, r in ((2, 3, 2), (3, 3, 1)):
        share = float(claimed_share(statement).subs({M: m, N: n, R: r}))
        sampler = Projections("subzo", plain(m, n), (("rank", r),))
        target = share * upper_identity(m * n)
        measurements.append(entries(f"SubZero, m={m} n={n} r={r}", sampler, target, 25, 0.1))
    return measurements


def multiple(diagonal: sp.Symbol, off: sp.Symbol, share: sp.Expr) -> sp.Basic:
    """The matrix is share times the identity."""
    return sp.And(sp.Eq(diagonal, share), sp.Eq(off, 0))


LEMMA14 = Claim(
    id="svd0.lemma14",
    where="Lemma 14",
    statement=Statement(
        "For the Gram-Schmidt columns e_k of an n x r Gaussian matrix: E[e_k e_k^T] = I/n.",
        multiple(COLUMN, COLUMN_OFF, 1 / N),
        (sp.Le(K, R, evaluate=False), *FITS),
    ),
    needs=(Kind.EXACT, Kind.MEASURED),
    checks=(exact(_columns), measured(_measure_columns)),
    mutant=Statement(
        "E[e_k e_k^T] = I/(n-k+1), as if e_k were confined to what e_1..e_(k-1) left.",
        multiple(COLUMN, COLUMN_OFF, 1 / (N - K + 1)),
        (sp.Le(K, R, evaluate=False), *FITS),
    ),
)

LEMMA15 = (
    Claim(
        id="svd0.lemma15",
        where="Lemma 15",
        statement=Statement("E[Q Q^T] = (r/n) I.", multiple(FRAME, FRAME_OFF, R / N), FITS),
        needs=(Kind.EXACT, Kind.MEASURED),
        checks=(exact(_frame), measured(_measure_frame)),
        mutant=Statement("E[Q Q^T] = (r/(n+1)) I.", multiple(FRAME, FRAME_OFF, R / (N + 1)), FITS),
    ),
    Claim(
        id="svd0.lemma15.identity",
        where="Lemma 15, proof",
        statement=Statement(
            "For the n x r column-orthonormal Q of the proof with r < n: Q Q^T = I.",
            sp.Eq(DISTANCE, 0),
            (sp.Lt(R, N, evaluate=False),),
        ),
        needs=(Kind.EXACT,),
        checks=(exact(_distances, _distance_witness),),
        correction=Statement(
            "Q^T Q = I_r. Q Q^T is the projection onto r of n dimensions, at the distance "
            "sqrt(n - r) from I; the proof does not use its Q Q^T = I_r.",
            sp.Eq(GRAM_DISTANCE, 0),
            (sp.Lt(R, N, evaluate=False),),
        ),
    ),
)

LEMMA16 = Claim(
    id="svd0.lemma16",
    where="Lemma 16",
    statement=Statement(
        "For P = Q2 kron Q1 from independent Gaussian matrices: E[P P^T] = (r^2/(mn)) I.",
        multiple(DIAGONAL, OFF, SHARE),
        RANKS,
    ),
    needs=(Kind.EXACT, Kind.MEASURED),
    checks=(exact(_projection), measured(_measure_projection)),
    mutant=Statement("E[P P^T] = (r/(mn)) I.", multiple(DIAGONAL, OFF, R / (M * N)), RANKS),
)
