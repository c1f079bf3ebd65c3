"""The estimate in one subspace: Lemma 3, Lemma 9 and Theorem 2.

f = x^T H x, x in R^d; P (d x q) has orthonormal columns, so that ||P z|| = ||z||, and P P^T grad f
seen along h is <P^T grad f, P^T h>. The two-point estimate is kappa P z with
kappa = (f(x + eps P z) - f(x - eps P z)) / (2 eps), for every eps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from itertools import product

import numpy as np
import sympy as sp

from proofs_check.cards import card
from proofs_check.gaussian import (
    Derivation,
    Fixed,
    Gaussian,
    Index,
    TensorSum,
    contraction,
    derive,
)
from proofs_check.identities import identity
from proofs_check.matrices import M, N, R
from proofs_check.results import Proved, Result, Undecided, Violated
from zotheory.context import Context
from zotheory.evidence.exact import Counterexample, exact, refuted
from zotheory.evidence.measured import Measurement, measured
from zotheory.papers.shared.matrix_estimates import (
    Loss,
    MatrixEstimates,
    Statistic,
    along_target,
    plain,
    squared_cosine,
    squared_norm,
)
from zotheory.papers.svd0.frames import QT, Q, distance_to_identity
from zotheory.papers.svd0.subspaces import Reshaped
from zotheory.statistics import Bernstein, Catoni, ClopperPearson, decide_equal
from zotheory.vocabulary import (
    Check,
    Claim,
    Evidence,
    Kind,
    Setting,
    Statement,
    Verdict,
    conjunction,
)

SIZE, SPACE = sp.symbols("q d", integer=True, positive=True)
LENGTH = sp.Symbol("n", integer=True, positive=True)
EPS = sp.Symbol("epsilon", positive=True)
FITS = (sp.Lt(SIZE, SPACE),)
RANKS = tuple(sp.Le(R, size, evaluate=False) for size in (M, N))

VEC, KRONECKER = sp.Symbol("vec(U Z V^T)"), sp.Symbol("(V kron U) vec(Z)")
GRAM = sp.Symbol("||(V kron U)^T (V kron U) - I||^2")
ALONG = sp.Symbol("<E[estimate], h>")
PROJECTED, WHOLE = sp.Symbol("<P P^T grad f, h>"), sp.Symbol("<grad f, h>")
SECOND, KEPT2 = sp.Symbol("E||estimate||^2"), sp.Symbol("||P^T grad f||^2")
COSINE = sp.Symbol("E[<grad f, estimate>^2 / (||P^T grad f||^2 ||estimate||^2)]")
GAUSSIAN_SECOND = sp.Symbol("E||<y,z> z||^2")

_X, _H, _P, _TEST, _Y, _Z = (
    Fixed("x"),
    Fixed("H"),
    Fixed("P"),
    Fixed("h"),
    Fixed("y"),
    Gaussian("z"),
)


def _indices(letters: str, size: sp.Expr) -> list[Index]:
    return [Index(letter, size) for letter in letters]


Y_NORM2 = contraction(*(_Y[i] * _Y[i] for i in _indices("i", LENGTH)))


def _moved(i: Index, sign: int) -> TensorSum:
    """(x + sign eps P z)_i."""
    (a,) = _indices("a", SIZE)
    return _X[i] + sign * EPS * (_P[i, a] * _Z[a])


def _kappa() -> TensorSum:
    """(f(x + eps P z) - f(x - eps P z)) / (2 eps) for f = x^T H x, from the definition."""
    ends = []
    for sign in (1, -1):
        i, j = _indices("ij", SPACE)
        ends.append(_moved(i, sign) * _H[i, j] * _moved(j, sign))
    return (ends[0] - ends[1]) * (1 / (2 * EPS))


def _gradient(i: Index) -> TensorSum:
    """(H x + H^T x)_i."""
    (j,), (k,) = _indices("j", SPACE), _indices("k", SPACE)
    return _H[i, j] * _X[j] + _H[k, i] * _X[k]


def _in_subspace(vector, a: Index) -> TensorSum:
    """(P^T v)_a."""
    (i,) = _indices("i", SPACE)
    return _P[i, a] * vector(i)


def _test(i: Index) -> TensorSum:
    return _TEST[i] * 1


@cache
def _quadratic() -> Mapping[sp.Expr, Derivation]:
    """Mean and second moment of kappa P z, and what they are compared with."""
    (a,), (b,), (i,) = _indices("a", SIZE), _indices("b", SIZE), _indices("i", SPACE)
    along = derive(_kappa() * _in_subspace(_test, a) * _Z[a])
    second = derive(_kappa() * _kappa() * _Z[b] * _Z[b])
    projected = contraction(_in_subspace(_gradient, a) * _in_subspace(_test, a))
    kept = contraction(_in_subspace(_gradient, a) * _in_subspace(_gradient, a))
    opening = "kappa out of f(x + eps P z) - f(x - eps P z), f = x^T H x; <P z, h> = <z, P^T h>:"
    return {
        ALONG: Derivation(along.value, (opening, *along.steps)),
        PROJECTED: Derivation(projected, (f"<P^T grad f, P^T h> = {projected}",)),
        WHOLE: Derivation(contraction(_gradient(i) * _test(i)), ()),
        SECOND: Derivation(second.value, (f"{opening[:-1]}, ||P z|| = ||z||:", *second.steps)),
        KEPT2: Derivation(kept, (f"||P^T grad f||^2 = {kept}",)),
    }


def _cosine(_: Statement) -> Mapping[sp.Expr, Derivation]:
    """kappa cancels; what is left is the squared cosine of z with P^T grad f, in q dimensions."""
    found = card("gaussian", m=SIZE, n=1)
    steps = (
        "estimate = kappa P z with kappa = <P^T grad f, z>, not 0 almost surely where "
        "P^T grad f is not: the square is <P^T grad f, z>^2 / (||P^T grad f||^2 ||z||^2)",
        *found.steps,
    )
    return {COSINE: Derivation(found.cos2, steps)}


def _gaussian_second(_: Statement) -> Mapping[sp.Expr, Derivation]:
    return {GAUSSIAN_SECOND: _second_moment()}


@cache
def _second_moment() -> Derivation:
    inner, (i,) = _along_y(LENGTH), _indices("i", LENGTH)
    return derive(inner() * inner() * _Z[i] * _Z[i])


def _along_y(size: sp.Expr):
    """<y, z>, with an index of its own at every call."""

    def inner() -> TensorSum:
        (i,) = _indices("i", size)
        return _Y[i] * _Z[i]

    return inner


@cache
def second_moment_variance(size: int) -> float:
    """Var ||<y, z> z||^2 / ||y||^4, exactly."""
    inner, norms = _along_y(LENGTH), _indices("ab", LENGTH)
    square = derive(
        inner() * inner() * inner() * inner(), *[(_Z[a], _Z[a]) for a in norms]
    ).value.subs({LENGTH: size, Y_NORM2: 1})
    return float(square) - second_moment(size) ** 2


def second_moment(size: int) -> float:
    """E||<y, z> z||^2 / ||y||^2, exactly."""
    return float(_second_moment().value.subs({LENGTH: size, Y_NORM2: 1}))


def _decide_vec(statement: Statement, context: Context) -> Evidence:
    """Both parts of Lemma 3 by index algebra, or an entry at small sizes that differs."""
    context.tell(f"{context.claim}  deriving")
    order = statement.setting["order"]
    distance = distance_to_identity((QT, Q), (N, R), (M, R))
    results = (vec_identity(*order), identity(distance.value, 0, statement.domain))
    for result in results:
        if isinstance(result, Violated):
            inputs = {str(symbol): value for symbol, value in result.point.items()}
            failed = Counterexample(inputs, claimed=result.rhs, actual=result.lhs)
            return refuted(statement, failed, "entries of vec(U Z V^T) and of P vec(Z) are equal")
    if any(isinstance(result, Undecided) for result in results):
        return Evidence(Kind.EXACT, Verdict.INCONCLUSIVE, "neither derived nor violated")
    steps = [*results[0].steps, *distance.steps]
    routes = sorted({result.route for result in results if isinstance(result, Proved)})
    summary = f"derived for all m, n, r; decided by {', '.join(routes)}"
    return Evidence(Kind.EXACT, Verdict.PROVED, summary, {"routes": routes}, {"steps": steps})


def _measure_vec(statement: Statement, _: Context) -> Sequence[Measurement]:
    decide = partial(
        decide_equal, method=ClopperPearson(), target=np.zeros(2), tolerance=0.05, scale=1.0
    )
    left, right = statement.setting["order"]
    options = (("rank", 2), ("interval", 10**6))
    return [
        Measurement(
            f"{recipe}, m=3 n=4 r=2",
            Reshaped(recipe, plain(3, 4), options, left, right),
            decide,
            10,
            64,
        )
        for recipe in ("subzo", "svd0")
    ]


def _measure_gaussian(_: Statement, __: Context) -> Sequence[Measurement]:
    """<y, z> z is MeZO's estimate on the loss <y, w>; reduced for small and for large n."""
    points = [
        (f"MeZO, n={n}", n, MatrixEstimates("mezo", plain(n, 1), squared_norm), tolerance, 50)
        for n, tolerance in ((2, 0.25), (8, 0.15))
    ]
    points += [(f"n={n}, reduced", n, LinearEstimateNorm(n), 0.02, 10_000) for n in (1, 1000)]
    return [
        Measurement(
            at,
            sampler,
            partial(decide_equal, method=Catoni(second_moment_variance(n)), tolerance=tolerance),
            shard_size,
            256,
            point={LENGTH: n, Y_NORM2: 1},
        )
        for at, n, sampler, tolerance, shard_size in points
    ]


def _quadratic_loss(m: int, n: int) -> Loss:
    """x^T H x with a positive definite H that is not diagonal, at a point that is not 0."""
    d = m * n
    hessian = np.diag(np.arange(1.0, d + 1)) + 0.3
    point = tuple(float((-1) ** k * (1 + k / 2)) for k in range(d))
    return Loss(m, n, hessian=tuple(map(tuple, hessian.tolist())), point=point)


def _estimates(m: int, n: int, r: int, statistic: Statistic) -> MatrixEstimates:
    """Of SVD-0 with its subspace drawn once; eps is large, as Theorem 2 allows."""
    options = (("rank", r), ("interval", 10**6), ("eps", 0.5))
    return MatrixEstimates("svd0", _quadratic_loss(m, n), statistic, options, given=True)


def _measure_mean(statement: Statement, _: Context) -> Sequence[Measurement]:
    """In units of ||P^T grad f||; the variance of every entry is at most E||estimate||^2."""
    sampler = _estimates(2, 3, 2, along_target)
    target = sampler.target if statement.formula.rhs == PROJECTED else sampler.loss.gradient()
    size = 2**2
    decide = partial(
        decide_equal,
        method=Catoni(second_moment(size)),
        target=target.flatten() / np.linalg.norm(sampler.target),
        tolerance=0.25,
        scale=1.0,
    )
    return [Measurement("SVD-0, m=2 n=3 r=2, eps=0.5", sampler, decide, 50, 256)]


def _measure_second(_: Statement, __: Context) -> Sequence[Measurement]:
    measurements = []
    for m, n, r, tolerance in ((2, 3, 1, 0.3), (3, 4, 3, 0.15)):
        method = Catoni(second_moment_variance(r * r))
        decide = partial(decide_equal, method=method, tolerance=tolerance)
        sampler = _estimates(m, n, r, squared_norm)
        at, point = f"SVD-0, m={m} n={n} r={r}, eps=0.5", {SIZE: r * r, KEPT2: 1}
        measurements.append(Measurement(at, sampler, decide, 50, 256, point=point))
    return measurements


def _measure_cosine(_: Statement, __: Context) -> Sequence[Measurement]:
    measurements = []
    for m, n, r in ((2, 3, 1), (2, 3, 2)):
        decide = partial(decide_equal, method=Bernstein(), tolerance=0.05, scale=1.0)
        sampler = _estimates(m, n, r, squared_cosine)
        at, point = f"SVD-0, m={m} n={n} r={r}, eps=0.5", {SIZE: r * r}
        measurements.append(Measurement(at, sampler, decide, 50, 256, point=point))
    return measurements


def _quadratic_moments(_: Statement) -> Mapping[sp.Expr, Derivation]:
    return _quadratic()


LEMMA3 = Claim(
    id="svd0.lemma3",
    where="Lemma 3",
    setting=Setting("any column-orthonormal U, V"),
    statement=Statement(
        "vec(U Z V^T) = (V kron U) vec(Z), and (V kron U)^T (V kron U) = I.",
        conjunction(sp.Eq(VEC, KRONECKER), sp.Eq(GRAM, 0)),
        RANKS,
        setting={"order": ("V", "U")},
    ),
    needs=(Kind.EXACT, Kind.MEASURED),
    checks=(Check(Kind.EXACT, _decide_vec), measured(_measure_vec)),
    mutant=Statement(
        "vec(U Z V^T) = (U kron V) vec(Z), and (U kron V)^T (U kron V) = I.",
        conjunction(sp.Eq(VEC, sp.Symbol("(U kron V) vec(Z)")), sp.Eq(GRAM, 0)),
        RANKS,
        setting={"order": ("U", "V")},
    ),
)

LEMMA9 = Claim(
    id="svd0.lemma9",
    where="Lemma 9",
    setting=Setting("standard Gaussian vectors of any length"),
    statement=Statement(
        "E||<y,z> z||^2 = (n+2)||y||^2.", sp.Eq(GAUSSIAN_SECOND, (LENGTH + 2) * Y_NORM2)
    ),
    needs=(Kind.EXACT, Kind.MEASURED),
    checks=(exact(_gaussian_second), measured(_measure_gaussian)),
    mutant=Statement("E||<y,z> z||^2 = n ||y||^2.", sp.Eq(GAUSSIAN_SECOND, LENGTH * Y_NORM2)),
)

THEOREM2 = (
    Claim(
        id="svd0.thm2.mean",
        where="Theorem 2, Eq. 6",
        setting=Setting("f = x^T H x, a fixed subspace"),
        statement=Statement(
            "On f = x^T H x: E[estimate] = P P^T grad f.", sp.Eq(ALONG, PROJECTED), FITS
        ),
        needs=(Kind.EXACT, Kind.MEASURED),
        checks=(exact(_quadratic_moments), measured(_measure_mean)),
        mutant=Statement("On f = x^T H x: E[estimate] = grad f.", sp.Eq(ALONG, WHOLE), FITS),
    ),
    Claim(
        id="svd0.thm2.second_moment",
        where="Theorem 2, Eq. 7",
        setting=Setting("f = x^T H x, a fixed subspace"),
        statement=Statement(
            "On f = x^T H x: E||estimate||^2 = (q+2)||P^T grad f||^2.",
            sp.Eq(SECOND, (SIZE + 2) * KEPT2),
        ),
        needs=(Kind.EXACT, Kind.MEASURED),
        checks=(exact(_quadratic_moments), measured(_measure_second)),
        mutant=Statement(
            "On f = x^T H x: E||estimate||^2 = q ||P^T grad f||^2.", sp.Eq(SECOND, SIZE * KEPT2)
        ),
    ),
    Claim(
        id="svd0.thm2.cosine",
        where="Theorem 2, Eq. 8",
        setting=Setting("f = x^T H x, a fixed subspace"),
        statement=Statement(
            "On f = x^T H x: E[<grad f, estimate>^2 / (||P^T grad f||^2 ||estimate||^2)] = 1/q.",
            sp.Eq(COSINE, 1 / SIZE),
        ),
        needs=(Kind.EXACT, Kind.MEASURED),
        checks=(exact(_cosine), measured(_measure_cosine)),
        mutant=Statement(
            "It is the quotient of the two means, 3/(q+2).", sp.Eq(COSINE, 3 / (SIZE + 2))
        ),
    ),
)


# vec and Kronecker products, entry by entry, for symbolic sizes.
#
# vec stacks columns: X_ij of an m x n matrix stands at place j m + i, the digits (j, i) in the
# mixed radix (n, m). (A kron B) has the entry A_ps B_qt in row p rows(B) + q and column s cols(B)
# + t: digits (p, q) in the radix (rows A, rows B) and (s, t) in (cols A, cols B). Where two
# radices agree, equal places have equal digits, and a product of matrices is a contraction.


SHAPES = {"U": (M, R), "V": (N, R)}
_ALONG, _CORE = Fixed("H"), Fixed("Z")
_LARGEST = 3


def vec_identity(left: str, right: str) -> Result:
    """Is vec(U Z V^T) = (left kron right) vec(Z) for all sizes, with left, right from U and V?

    Seen along a test matrix H. A violation is an entry at small sizes, where U and V are columns
    of the identity matrix.
    """
    rows = (SHAPES[left][0], SHAPES[right][0])
    if rows != (N, M):
        return _violation(left, right)
    i, j, a, b = (Index(x, size) for x, size in zip("ijab", (M, N, R, R), strict=True))
    factors = {"U": Fixed("U"), "V": Fixed("V")}

    def along(first: tuple[str, Index, Index], second: tuple[str, Index, Index]) -> TensorSum:
        entries = [factors[name][row, column] for name, row, column in (first, second)]
        return contraction(_ALONG[i, j] * entries[0] * entries[1] * _CORE[a, b])

    kronecker = along((left, j, b), (right, i, a))  # digits (j, i) of the row, (b, a) of vec(Z)
    defined = along(("U", i, a), ("V", j, b))  # (U Z V^T)_ij = sum_ab U_ia Z_ab V_jb
    if kronecker != defined:
        return _violation(left, right)
    steps = (
        f"rows of {left} kron {right} have the radix (n, m), columns (r, r), as vec of an m x n "
        "and of an r x r matrix: equal places have equal digits",
        f"<H, U Z V^T> = {defined} = h^T ({left} kron {right}) vec(Z) for all H, h = vec(H)",
    )
    return Proved(steps, "index algebra")


def vec(matrix: sp.Matrix) -> sp.Matrix:
    """The columns of a matrix, one below the other."""
    return sp.Matrix([matrix[i, j] for j in range(matrix.cols) for i in range(matrix.rows)])


def _violation(left: str, right: str) -> Result:
    """The first entry, at small sizes, in which the two sides differ."""
    for m, n, r in product(range(1, _LARGEST + 1), repeat=3):
        if r > min(m, n):
            continue
        frames = {"U": sp.eye(m)[:, :r], "V": sp.eye(n)[:, :r]}
        core = sp.Matrix(r, r, lambda a, b, r=r: 1 + a * r + b)
        actual = vec(frames["U"] * core * frames["V"].T)
        claimed = sp.kronecker_product(frames[left], frames[right]) * vec(core)
        for place in range(m * n):
            if actual[place] != claimed[place]:
                sizes = {M: m, N: n, R: r, sp.Symbol("place"): place}
                point = {symbol: sp.Integer(value) for symbol, value in sizes.items()}
                return Violated(point, actual[place], claimed[place])
    return Undecided("the radices differ, but no entry up to size 3 does")


# Statistics of one Gaussian vector, reduced to a few numbers in any dimension.


@dataclass(frozen=True)
class LinearEstimateNorm:
    """||<y, z> z||^2 for a unit vector y and z ~ N(0, I_n): A^2 (A^2 + chi^2_(n-1)), A = <y, z>."""

    n: int

    def __call__(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """`size` independent values."""
        along = np.square(rng.standard_normal(size))
        across = rng.chisquare(self.n - 1, size) if self.n > 1 else 0.0
        return along * (along + across)
