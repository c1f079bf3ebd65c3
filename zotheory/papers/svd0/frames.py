"""Random orthonormal frames: Lemmas 14 to 16."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache, partial
from itertools import product

import numpy as np
import sympy as sp

from proofs_check.cards.invariance import Factor, NotInvariant, isotropic
from proofs_check.cards.subspace import frame_moments
from proofs_check.gaussian import Derivation
from proofs_check.matrices import M, N, R
from zotheory.context import Context
from zotheory.evidence.exact import Counterexample, exact
from zotheory.evidence.measured import Measurement, measured
from zotheory.evidence.snippets import inputs
from zotheory.papers.shared.matrix_estimates import plain
from zotheory.papers.svd0.subspaces import Columns, Projections, upper_identity
from zotheory.statistics import Bernstein, decide_equal
from zotheory.vocabulary import Claim, Kind, Setting, Statement, conjunction

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
    diagonal, off = outer_product(sp.S.One, N)
    return {COLUMN: diagonal, COLUMN_OFF: off}


def _frame(_: Statement) -> Mapping[sp.Expr, Derivation]:
    diagonal, off = outer_product(R, N)
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
    diagonal, off = independent_projection()
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


def measure_columns(statement: Statement, _: Context) -> Sequence[Measurement]:
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
    return conjunction(sp.Eq(diagonal, share), sp.Eq(off, 0))


LEMMA14 = Claim(
    id="svd0.lemma14",
    where="Lemma 14",
    setting=Setting("Gaussian matrices of any size"),
    statement=Statement(
        "For the Gram-Schmidt columns e_k of an n x r Gaussian matrix: E[e_k e_k^T] = I/n.",
        multiple(COLUMN, COLUMN_OFF, 1 / N),
        (sp.Le(K, R, evaluate=False), *FITS),
    ),
    needs=(Kind.EXACT, Kind.MEASURED),
    checks=(exact(_columns), measured(measure_columns)),
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
        setting=Setting("Gaussian matrices of any size"),
        statement=Statement("E[Q Q^T] = (r/n) I.", multiple(FRAME, FRAME_OFF, R / N), FITS),
        needs=(Kind.EXACT, Kind.MEASURED),
        checks=(exact(_frame), measured(_measure_frame)),
        mutant=Statement("E[Q Q^T] = (r/(n+1)) I.", multiple(FRAME, FRAME_OFF, R / (N + 1)), FITS),
    ),
    Claim(
        id="svd0.lemma15.identity",
        where="Lemma 15, proof",
        setting=Setting("the proof's column-orthonormal n x r matrix, r < n"),
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
    setting=Setting("independent Gaussian matrices of any size"),
    statement=Statement(
        "For P = Q2 kron Q1 from independent Gaussian matrices: E[P P^T] = (r^2/(mn)) I.",
        multiple(DIAGONAL, OFF, SHARE),
        RANKS,
    ),
    needs=(Kind.EXACT, Kind.MEASURED),
    checks=(exact(_projection), measured(_measure_projection)),
    mutant=Statement("E[P P^T] = (r/(mn)) I.", multiple(DIAGONAL, OFF, R / (M * N)), RANKS),
)


# Random orthonormal frames: Gram-Schmidt of a Gaussian matrix, and Algorithm 1 of SVD-0.
#
# Everything rests on invariance under orthogonal maps, whose premises are computed, not assumed:
# Gram-Schmidt commutes with them, and an estimate from one direction is a multiple of Gaussian
# noise.


_T = sp.Symbol("t", real=True)


def gram_schmidt(matrix: sp.Matrix) -> list[sp.Matrix]:
    """The orthogonal u_k = a_k - sum_s <a_k, e_s> e_s, e_s = u_s/||u_s|| (SVD-0, Lemma 13)."""
    found: list[sp.Matrix] = []
    for k in range(matrix.cols):
        column = matrix[:, k]
        projected = [column.dot(u) / u.dot(u) * u for u in found]
        found.append(sum((-p for p in projected), start=column))
    return found


@cache
def haar_steps(n: int = 3, r: int = 2) -> tuple[str, ...]:
    """Why the Gram-Schmidt frame of a Gaussian matrix is Haar; the identity is checked at n x r.

    Raises ArithmeticError where Gram-Schmidt does not commute with an orthogonal map.
    """
    a = sp.Matrix(n, r, lambda i, j: sp.Symbol(f"a{i}{j}", real=True))
    for rotation in _generators(n):
        moved, expected = gram_schmidt(rotation * a), [rotation * u for u in gram_schmidt(a)]
        for u, v in zip(moved, expected, strict=True):
            if any(sp.cancel(sp.together(x)) != 0 for x in u - v):
                raise ArithmeticError(f"Gram-Schmidt does not commute with {rotation}")
    return (
        "u_k is built from a_1..a_k by inner products and linear combinations alone, which "
        f"orthogonal maps O respect: u_k(O A) = O u_k(A) (checked as an identity at n = {n}, "
        f"r = {r} for rotations of coordinate planes and reflections, which generate O(n))",
        "O A has the law of A: the law of (e_1..e_r) is invariant under O(n), which acts "
        "transitively on frames; the one invariant law is Haar's",
    )


def _generators(n: int) -> Iterator[sp.Matrix]:
    """Rotations of neighbouring coordinate planes by a free angle, and a reflection."""
    cosine, sine = (1 - _T**2) / (1 + _T**2), 2 * _T / (1 + _T**2)
    for k in range(n - 1):
        rotation = sp.eye(n)
        rotation[k, k] = rotation[k + 1, k + 1] = cosine
        rotation[k, k + 1], rotation[k + 1, k] = -sine, sine
        yield rotation
    yield sp.diag(-1, *[1] * (n - 1))


def outer_product(columns: sp.Expr, dimension: sp.Symbol) -> tuple[Derivation, Derivation]:
    """Diagonal and off-diagonal entries of E[sum_k e_k e_k^T] over ``columns`` columns.

    By Weingarten integrals, and the diagonal by the trace as well. Raises ArithmeticError if the
    two disagree.
    """
    diagonal, off = (columns * moment for moment in frame_moments(dimension))
    by_trace = sp.cancel(columns / dimension)  # invariance makes it c I, and tr e_k e_k^T = 1
    if sp.cancel(diagonal - by_trace) != 0:
        raise ArithmeticError(f"Weingarten gives {diagonal}, the trace {by_trace}")
    steps = (
        *haar_steps(),
        f"Weingarten, degree 2: E[e_k e_k^T] over {columns} of the columns e_k sums to {diagonal} "
        f"on the diagonal, {off} off it",
        f"the same by the trace: E[e_k e_k^T] = c I by invariance, and 1 = tr = c {dimension}",
    )
    return Derivation(diagonal, steps), Derivation(off, ())


def independent_projection() -> tuple[Derivation, Derivation]:
    """The same for E[P P^T], P = Q2 kron Q1 with independent m x r and n x r Gaussian frames."""
    (left, left_off), (right, right_off) = outer_product(R, M), outer_product(R, N)
    steps = (
        *left.steps,
        *right.steps,
        "P P^T = Q2 Q2^T kron Q1 Q1^T, and Q1, Q2 are independent: expectations multiply",
    )
    off = sp.expand(left.value * right_off.value + left_off.value * right.value)
    return Derivation(left.value * right.value, steps), Derivation(off, ())


def algorithm1_projection(queries: int) -> tuple[Derivation, Derivation]:
    """The same for the P of Algorithm 1, from an average of ``queries`` two-point estimates.

    On a linear loss. Raises NotInvariant where the estimate is no multiple of Gaussian noise, so
    that its singular vectors know about the gradient.
    """
    check_multiple_of_noise(queries)
    noise = isotropic(lambda Z: Z, {"Z": Factor(("m", "n"), "Gaussian")})
    rank = trace((Q, QT), (N, R), (M, R))
    share = sp.cancel(rank / (M * N))
    steps = (
        "the estimate is kappa Z, kappa = <G, Z> (all 2 x 2 minors of (vec estimate, vec Z) "
        "vanish): where kappa != 0, almost surely, its singular vectors are those of Z; kappa's "
        "value does not matter, so neither does the loss",
        noise.steps[0],
        "Z = U S V^T gives A Z B = (A U) S (B^T V)^T: the pair (U U^T, V V^T) has the law of "
        "(A U U^T A^T, B^T V V^T B); signs and order of columns do not matter to it",
        "with signed permutations A, B: E[(V V^T)_jl (U U^T)_ik] = 0 unless i = k and j = l, and "
        "all mn diagonal entries of E[P P^T] are equal (U and V need not be independent)",
        f"their sum: tr(U U^T) tr(V V^T) = {rank}; each is {share}, whatever G is",
    )
    return Derivation(share, steps), Derivation(sp.S.Zero, ())


def check_multiple_of_noise(queries: int, m: int = 2, n: int = 2) -> None:
    """Whether the average of `queries` two-point estimates is a number times Gaussian noise.

    On a linear loss; an identity between polynomials, tested at m x n. Raises NotInvariant if not.
    """
    g = sp.Matrix(m, n, lambda i, j: sp.Symbol(f"G{i}{j}"))
    draws = [
        sp.Matrix(m, n, lambda i, j, q=q: sp.Symbol(f"Z{q}_{i}{j}")) for q in range(min(queries, 2))
    ]
    estimate = sum((sum(g.multiply_elementwise(z)) * z for z in draws), start=sp.zeros(m, n))
    for z in draws:
        for a, b in product(range(m * n), repeat=2):
            if sp.expand(estimate[a] * z[b] - estimate[b] * z[a]) != 0:
                raise NotInvariant(
                    f"an average over {queries} directions is no multiple of any of them: its "
                    "singular vectors depend on G"
                )


# Traces of words in a matrix with orthonormal columns and its transpose, for symbolic sizes.
#
# The one rule is Q^T Q = I; with the trace's cyclicity it reduces every trace of an alternating
# word to a dimension. For Q = A kron B the words of A and B multiply: (A kron B)(C kron D) = AC
# kron BD, tr(A kron B) = tr A tr B.


Q, QT = "Q", "Q^T"
Word = Sequence[str]
Shape = tuple[sp.Expr, sp.Expr]  # rows, columns


def trace(word: Word, *shapes: Shape) -> sp.Expr:
    """tr of a square word in Q and Q^T, e.g. (Q, QT): the number of columns.

    ``shapes``: of the factors of a Kronecker product, of Q itself where there is one. Raises
    ValueError for an empty word or one that does not alternate cyclically.
    """
    if not word or any(a == b for a, b in zip(word, [*word[1:], word[0]], strict=True)):
        raise ValueError(f"not an alternating word of even length: {' '.join(word)}")
    return sp.Mul(*[columns for _, columns in shapes])  # turned to begin with Q^T, it is I


def distance_to_identity(word: Word, *shapes: Shape) -> Derivation:
    """||W - I||^2 = tr(W^T W) - 2 tr W + tr I for a square word W in Q and Q^T."""
    side = sp.Mul(*[shape[0 if word[0] == Q else 1] for shape in shapes])
    transposed = [{Q: QT, QT: Q}[factor] for factor in reversed(word)]
    square, single = trace([*transposed, *word], *shapes), trace(word, *shapes)
    value = sp.expand(square - 2 * single + side)
    text = " ".join(word)
    steps = (
        "Q^T Q = I and the cyclicity of the trace (factors of a Kronecker product multiply):",
        f"||{text} - I||^2 = tr(W^T W) - 2 tr W + tr I = {square} - 2 ({single}) + {side} = {value}"
        f", W = {text}",
    )
    return Derivation(value, steps)
