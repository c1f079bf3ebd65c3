"""TeZO-Adam's second moment: the cross term of Eq. 8 and the accumulated error of Fig. 8.

Root-mean-square statements are judged as statements on mean squares, which are rational.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import sympy as sp

from proofs_check import matrices
from proofs_check.gaussian import Derivation, Index, contraction
from proofs_check.matrices import G, H, M, N, R, indices
from zotheory.context import Context
from zotheory.evidence.exact import Counterexample, exact
from zotheory.evidence.measured import Measurement, measured
from zotheory.evidence.snippets import inputs
from zotheory.papers.shared.gram import gram_root
from zotheory.papers.tezo import terms
from zotheory.statistics import Catoni, decide_at_most, decide_equal, decide_less
from zotheory.vocabulary import Claim, Kind, Setting, Statement, conjunction

CROSS = sp.Symbol("E[kappa^2 sum_(p != q) tau_p tau_q u_pi u_qi v_pj v_qj]")
BRACE = sp.Symbol("E[sum_(p != q) tau_p tau_q u_pi u_qi v_pj v_qj]")
ENTRY = sp.Symbol("G_ij", real=True)
AVERAGE2 = sp.Symbol("E(mean of the cross term over coordinates)^2 / (E separable)^2")
COORDINATE2 = sp.Symbol("E(cross term at a coordinate)^2 / (E separable)^2")
SIZE = (4096, 4096, 64)
PAPER_SIZE = tuple(sp.Eq(d, size, evaluate=False) for d, size in zip((M, N, R), SIZE, strict=True))

RANK, STEPS, BETA2 = 64, 1000, 0.99
M1, M2 = sp.symbols("m1 m2", integer=True, positive=True)
MEAN_M1, MEAN_M2 = (sp.Symbol(f"E_T({m})^2/||w||^2") for m in (M1, M2))
NORM_M1, NORM_M2 = (sp.Symbol(f"E||E_T({m})||_F^2/||w||^2") for m in (M1, M2))
EACH_M1, EACH_M2 = (sp.Symbol(f"e_T({m})^2/||w||^2") for m in (M1, M2))
W_NORM2 = contraction(*(terms.W[t] * terms.W[t] for t in [Index("t", terms.STEPS)]))
DOUBLED = (sp.Eq(M2, 2 * M1), sp.Ge(R, 2, evaluate=False))
GRADIENT, COORDINATES = ((1.0, 0.5, 0.0), (-0.5, 0.25, 2 / 3)), ((0, 0), (1, 2))
FALLS_BY = 0.9  # "falls" is measured as: the mean square loses at least a tenth


def _cross(_: Statement) -> Mapping[sp.Expr, Derivation]:
    """The cross term's mean at a coordinate, with the factor kappa^2 and without."""
    (i, j) = indices()
    entry = contraction(G[i, j] * G[i, j] * H[i, j])  # seen along H = e_i e_j^T
    found = {CROSS: terms.weighted_cross_entry, BRACE: terms.cross_entry}
    means = {name: matrices.mean(quantity) for name, quantity in found.items()}
    at = {entry: ENTRY**2}
    return {name: Derivation(m.value.subs(at), m.steps) for name, m in means.items()}


def _cross_witness(statement: Statement, failed: Counterexample) -> str:
    return f"""import numpy as np
from itertools import product

G_ij, r = {failed.inputs["G_ij"]}, {failed.inputs["r"]}
claimed = {sp.pycode(statement.formula.rhs)}
# m = n = 1, so that kappa = G_ij sum_s w_s with w_s = tau_s u_s v_s; a w only enters squared or not
# at all in what does not average out: +-1, with E w_s^2 = 1, stand for the law of each
x, weight = np.polynomial.hermite_e.hermegauss(4)
assert np.isclose(weight @ x**2 / weight.sum(), 1)  # E tau^2 = E u^2 = E v^2
signs = np.array(list(product((1, -1), repeat=r)))
kappa = G_ij * signs.sum(axis=1)
actual = np.mean(kappa**2 * (signs.sum(axis=1) ** 2 - r))
print("claimed", float(claimed))
print("actual", float(actual))
z = np.prod(np.random.default_rng(0).standard_normal((3, 400_000, r)), axis=0)
print("simulated", np.mean((G_ij * z.sum(1)) ** 2 * (z.sum(1) ** 2 - (z**2).sum(1))))
"""


def _measure_cross(statement: Statement, _: Context) -> Sequence[Measurement]:
    """At two coordinates of a 2 x 3 gradient with r = 3: one where G is 1, one where it is 2/3."""
    sampler = WeightedCross(GRADIENT, COORDINATES, 3)
    targets = [
        float(statement.formula.rhs.subs({R: sampler.r, ENTRY: GRADIENT[i][j]}))
        for i, j in COORDINATES
    ]
    decide = partial(
        decide_equal,
        method=Catoni(sampler.variances()),
        target=np.array(targets),
        tolerance=0.05,
        scale=2.0 * sampler.r * (sampler.r - 1),
    )
    return [Measurement("m=2 n=3 r=3", sampler, decide, 5_000, 256)]


def _average(_: Statement) -> Mapping[sp.Expr, Derivation]:
    """Mean square of the averaged cross term over the squared mean r of the separable one."""
    return {AVERAGE2: _ratio(matrices.mean(terms.cross_sum_square_given_factors), 1)}


def _coordinate(_: Statement) -> Mapping[sp.Expr, Derivation]:
    return {COORDINATE2: _ratio(matrices.mean(terms.cross_square_given_sizes), M * N)}


def _ratio(cross: Derivation, coordinates: sp.Expr | int) -> Derivation:
    separable = matrices.mean(terms.separable_sum)
    value = sp.cancel(cross.value * coordinates**2 / separable.value**2)
    return Derivation(value, (*cross.steps, *separable.steps, f"the ratio: {value}"))


def _accumulated(_: Statement) -> Mapping[sp.Expr, Derivation]:
    """The accumulated error's mean square: of its mean, at each coordinate, of its norm."""
    total, each = (
        matrices.mean(terms.accumulated_sum_square),
        matrices.mean(terms.accumulated_square_sum),
    )
    found = {}
    for size, mean_name, each_name, norm_name in (
        (M1, MEAN_M1, EACH_M1, NORM_M1),
        (M2, MEAN_M2, EACH_M2, NORM_M2),
    ):
        square = {M: size, N: size}
        of_mean = sp.cancel(total.value.subs(square) / (size**4 * W_NORM2))
        of_each = sp.cancel(each.value.subs(square) / (size**2 * R**2 * W_NORM2))
        found[mean_name] = Derivation(
            of_mean, (*total.steps, f"/(mn)^2, m = n = {size}: {of_mean}")
        )
        found[each_name] = Derivation(
            of_each, (*each.steps, f"/(mn r^2), m = n = {size}: {of_each}")
        )
        of_norm = sp.cancel(of_each * R**2 / size**2)
        found[norm_name] = Derivation(of_norm, (*each.steps, f"/(mn)^2, m = n = {size}: {of_norm}"))
    return found


def _coordinate_witness(statement: Statement, failed: Counterexample) -> str:
    values = {k: v for k, v in failed.inputs.items() if k == "r"}
    return f"""import numpy as np

{inputs(values)}
claimed = {sp.pycode(statement.formula.rhs)}  # bound on E(cross)^2 / (E separable)^2
x, w = np.polynomial.hermite_e.hermegauss(8)
second = w @ x**2 / w.sum()  # E tau^2 = E u^2 = E v^2
# cross = sum_(p != q) w_p w_q with independent w_p = tau_p u_p v_p: each pair meets itself and
# its mirror image, every other product of two pairs has mean 0
actual = 2 * r * (r - 1) * second**6 / (r * second**3) ** 2
print("claimed", float(claimed))
print("actual", float(actual))
z = np.prod(np.random.default_rng(0).standard_normal((3, 100_000, r)), axis=0)
print("simulated", float(np.mean((z.sum(1) ** 2 - (z**2).sum(1)) ** 2) / r**2))
"""


def _each_witness(_: Statement, failed: Counterexample) -> str:
    values = {k: v for k, v in failed.inputs.items() if k in ("m1", "m2", "r")}
    return f"""import numpy as np

{inputs(values)}
x, weight = np.polynomial.hermite_e.hermegauss(8)
second = weight @ x**2 / weight.sum()  # E tau^2 = E u^2 = E v^2


def exact(m):
    # E (V - Vhat)_ij^2 / (r^2 ||w||^2), averaged over the m x m coordinates
    return np.full((m, m), 2 * r * (r - 1) * second**6 / r**2).mean()


def simulated(m, r=64, steps=1000, beta2=0.99):
    rng = np.random.default_rng(m)
    w = beta2 ** np.arange(steps)
    tau, (u, v) = rng.standard_normal((steps, r)), rng.standard_normal((2, m, r))
    s = (tau * (w / np.linalg.norm(w))[:, None]).T @ tau
    s -= np.diag(np.diag(s))
    values, vectors = np.linalg.eigh(s)
    error = sum(a * ((u * b) @ v.T) ** 2 for a, b in zip(values, vectors.T))
    return np.mean(error**2) / r**2


claimed, actual = exact(m1), exact(m2)  # claimed: the larger m2 lies strictly below
print("claimed", float(claimed))
print("actual", float(actual))
print("simulated at r = 64, m = 64 and 512:", simulated(64), simulated(512))
"""


def _measure_average(_: Statement, __: Context) -> Sequence[Measurement]:
    m, n, r = SIZE
    scale = sp.Integer(m * n * r) ** -2
    variance = float(
        matrices.at(matrices.variance(terms.cross_sum_square_given_factors), m, n, r) * scale**2
    )
    decide = partial(decide_at_most, method=Catoni(variance))
    return [Measurement({M: m, N: n, R: r}, CrossAverage(m, n, r), decide, 5, 64)]


def _measure_coordinate(statement: Statement, _: Context) -> Sequence[Measurement]:
    r = SIZE[2]
    variance = float(matrices.at(matrices.variance(terms.cross_square_given_sizes), 1, 1, r)) / r**4
    decide = partial(decide_at_most, method=Catoni(variance))
    if isinstance(statement.formula, sp.Eq):
        decide = partial(decide_equal, method=Catoni(variance), tolerance=0.05)
    return [Measurement({R: r}, CrossCoordinate(r), decide, 2_000, 256)]


def _variances(quantity: matrices.Quantity, sizes: Sequence[int], power: int) -> np.ndarray:
    """Variances of `quantity` / size^`power` at m = n = size, for weights of norm 1."""
    weights = decay(STEPS, BETA2).tolist()
    exactly = matrices.variance(quantity)
    return np.array(
        [
            float(matrices.at(exactly, d, d, RANK, known=terms.weighted(weights)))
            / float(d) ** (2 * power)
            for d in sizes
        ]
    )


def _measure_means(statement: Statement, _: Context) -> Sequence[Measurement]:
    """Each doubling of m = n from 64 to 512; columns: the larger size, the smaller one."""
    margin = FALLS_BY * float(statement.formula.rhs / MEAN_M1)
    measurements = []
    for small in (64, 128, 256):
        sizes = (2 * small, small)
        method = Catoni(_variances(terms.accumulated_sum_square, sizes, 4))
        decide = partial(decide_less, method=method, margin=margin)
        sampler = AccumulatedAverage(sizes, RANK, STEPS, BETA2)
        measurements.append(Measurement(f"m=n={small} to {2 * small}", sampler, decide, 8, 128))
    return measurements


def _measure_each(statement: Statement, _: Context) -> Sequence[Measurement]:
    sizes = (192, 64)
    method = Catoni(_variances(terms.accumulated_square_sum, sizes, 2) / RANK**4)
    if isinstance(statement.formula, sp.And):
        targets = [float(e.rhs.subs(R, RANK)) for e in statement.formula.args]
        decide = partial(decide_equal, method=method, target=np.array(targets), tolerance=0.1)
    else:
        decide = partial(decide_less, method=method, margin=FALLS_BY)
    sampler = AccumulatedCoordinate(sizes, RANK, STEPS, BETA2)
    return [Measurement("m=n=64 to 192", sampler, decide, 2, 128)]


def _measure_norms(statement: Statement, _: Context) -> Sequence[Measurement]:
    """E||E_T||_F^2 = (r^2/m^2) times the mean over coordinates that is sampled, at m = n."""
    share = float(statement.formula.rhs / NORM_M1)
    measurements = []
    for small in (64, 128, 256):
        sizes = (2 * small, small)
        method = Catoni(_variances(terms.accumulated_square_sum, sizes, 2) / RANK**4)
        decide = partial(decide_less, method=method, margin=FALLS_BY * share * 4)
        sampler = AccumulatedCoordinate(sizes, RANK, STEPS, BETA2)
        at = f"m=n={small} to {2 * small}"
        measurements.append(Measurement(at, sampler, decide, 1, 64, first_look=4))
    return measurements


CLAIMS = (
    Claim(
        id="tezo.eq8.cross_mean",
        where="Eq. 8 and the sentence under it",
        setting=Setting("one m x n weight, one step of TeZO-Adam"),
        statement=Statement(
            "The second term of Eq. 8 with its factor, kappa^2 sum_{p != q} tau_p tau_q u_p u_q "
            "v_p v_q with kappa = <G, Z> (rho -> 0), has expectation 0 at every coordinate, for "
            "every G and all m, n, r >= 1.",
            sp.Eq(CROSS, 0),
        ),
        needs=(Kind.EXACT, Kind.MEASURED),
        checks=(exact(_cross, _cross_witness), measured(_measure_cross)),
        correction=Statement(
            "Its expectation at (i, j) is 2 r (r-1) G_ij^2: kappa is not independent of tau, u, v.",
            sp.Eq(CROSS, 2 * R * (R - 1) * ENTRY**2),
        ),
    ),
    Claim(
        id="tezo.eq8.brace",
        where="Eq. 8, under the brace",
        setting=Setting("one m x n weight, fresh Gaussian factors"),
        statement=Statement(
            "E over tau, u, v of sum_{p != q} tau_p tau_q u_p u_q v_p v_q, without kappa, is 0 at "
            "every coordinate.",
            sp.Eq(BRACE, 0),
        ),
        needs=(Kind.EXACT,),
        checks=(exact(_cross),),
        mutant=Statement(
            "The same with the factor kappa^2, kappa = <G, Z>, that stands before it in Eq. 8.",
            sp.Eq(CROSS, 0),
        ),
    ),
    Claim(
        id="tezo.eq8.negligible_on_average",
        where="Eq. 8, App. A.2.1",
        setting=Setting("m = n = 4096, r = 64, kappa = 1, one step"),
        statement=Statement(
            "At m = n = 4096, r = 64, one step: the root-mean-square of (cross term averaged over "
            "all coordinates) is below 1% of the separable term's mean.",
            sp.Lt(AVERAGE2, sp.Rational(1, 100) ** 2),
            PAPER_SIZE,
        ),
        needs=(Kind.EXACT, Kind.MEASURED),
        checks=(exact(_average), measured(_measure_average)),
        mutant=Statement(
            "The same with 0.01% in place of 1%.",
            sp.Lt(AVERAGE2, sp.Rational(1, 10_000) ** 2),
            PAPER_SIZE,
        ),
    ),
    Claim(
        id="tezo.eq8.negligible_per_coordinate",
        where="Eq. 8, App. A.2.1",
        setting=Setting("m = n = 4096, r = 64, kappa = 1, one step"),
        statement=Statement(
            "At m = n = 4096, r = 64, one step: the root-mean-square of the cross term at one "
            "coordinate is below 10% of the separable term's mean.",
            sp.Lt(COORDINATE2, sp.Rational(1, 10) ** 2),
            PAPER_SIZE,
        ),
        needs=(Kind.EXACT, Kind.MEASURED),
        checks=(exact(_coordinate, _coordinate_witness), measured(_measure_coordinate)),
        correction=Statement(
            "At every m, n and r the root-mean-square of the cross term at one coordinate is "
            "sqrt(2 (r-1)/r) times the separable term's mean: 140% at r = 64.",
            sp.Eq(COORDINATE2, 2 * (R - 1) / R),
        ),
    ),
    Claim(
        id="tezo.fig8.decreasing",
        where="Fig. 8",
        setting=Setting(
            "||E_t|| over 1000 steps, beta2 = 0.99, r = 64, several m and n, which norm is not "
            "said; read as |mean of the entries|",
        ),
        statement=Statement(
            "The accumulated error |sum over coordinates of (V_t - Vhat_t)| / (mn) over 1000 steps "
            "at beta2 = 0.99 falls as m = n grows through 64, 128, 256, 512, r = 64.",
            sp.Lt(MEAN_M2, MEAN_M1),
            DOUBLED,
        ),
        needs=(Kind.MEASURED,),
        checks=(exact(_accumulated), measured(_measure_means)),
        mutant=Statement(
            "Its mean square falls to less than a tenth with each doubling.",
            sp.Lt(MEAN_M2, MEAN_M1 / 10),
            DOUBLED,
        ),
    ),
    Claim(
        id="tezo.fig8.per_coordinate",
        where="Fig. 8",
        setting=Setting(
            "||E_t|| over 1000 steps, beta2 = 0.99, r = 64, several m and n, which norm is not "
            "said; read entry by entry, relative to V_t",
        ),
        statement=Statement(
            "The root-mean-square of the same error at one coordinate, relative to the mean of "
            "V_t, also falls as m = n grows.",
            sp.Lt(EACH_M2, EACH_M1),
            DOUBLED,
        ),
        needs=(Kind.EXACT, Kind.MEASURED),
        checks=(exact(_accumulated, _each_witness), measured(_measure_each)),
        correction=Statement(
            "It is the same at every size: sqrt(2 (r-1)/r) ||w|| with w_t = (1-beta2) beta2^(T-t), "
            "about sqrt(2 (r-1)/r) sqrt((1-beta2)/(1+beta2)).",
            conjunction(sp.Eq(EACH_M2, 2 * (R - 1) / R), sp.Eq(EACH_M1, 2 * (R - 1) / R)),
        ),
    ),
    Claim(
        id="tezo.fig8.norm",
        where="App. A.2.2, Fig. 8",
        setting=Setting(
            "||E_t|| over 1000 steps, beta2 = 0.99, r = 64, which norm is not said; read as "
            "Frobenius's",
        ),
        statement=Statement(
            "With E_t = (V_t - Vhat_t)/(mn), a matrix as App. A.2.2 defines it, the "
            "root-mean-square of ||E_t||_F at t = 1000, beta2 = 0.99, r = 64, kappa = 1, falls at "
            "each doubling of m = n from 64 to 512.",
            sp.Lt(NORM_M2, NORM_M1),
            DOUBLED,
        ),
        needs=(Kind.EXACT, Kind.MEASURED),
        checks=(exact(_accumulated), measured(_measure_norms)),
        mutant=Statement(
            "Its mean square falls to less than a tenth with each doubling.",
            sp.Lt(NORM_M2, NORM_M1 / 10),
            DOUBLED,
        ),
    ),
)


# Samplers for the separable and the cross term of TeZO-Adam's second moment (TeZO, Eq. 8).
#
# At one coordinate (i, j) with w_s = tau_s u_si v_sj, Z_ij^2 = sum_s w_s^2 + sum_{p != q} w_p w_q:
# the separable term, whose mean is r, plus the cross term. Over T steps with frozen u, v and
# S = sum_t w_t tau_t tau_t^T, w_t = (1 - beta2) beta2^(T - t), the accumulated error V - Vhat at
# (i, j) is sum_{p != q} S_pq u_pi u_qi v_pj v_qj (Fig. 8). It is measured in units of ||w||.


def _off_diagonal(matrices: np.ndarray) -> np.ndarray:
    """The same matrices (..., r, r) with zero diagonals."""
    r = matrices.shape[-1]
    return matrices * (1.0 - np.eye(r))


def overlap(rng: np.random.Generator, size: int, m: int, n: int, r: int) -> np.ndarray:
    """C = (U U^T) o (V V^T), shape (size, r, r), for Gaussian factors of lengths m and n."""
    left, right = (gram_root(rng, size, np.empty((size, r, 0)), d) for d in (m, n))
    return (left @ left.transpose(0, 2, 1)) * (right @ right.transpose(0, 2, 1))


@dataclass(frozen=True)
class WeightedCross:
    """kappa^2 times the cross term at coordinates (i, j), in expectation over tau; a column each.

    With y_s = <G, u_s v_s^T> u_si v_sj it is 2 sum_{p != q} y_p y_q, where the y_s are independent,
    E y = G_ij and E y^2 = sum_ab G_ab^2 (1 + 2 [a = i]) (1 + 2 [b = j]).
    """

    gradient: tuple[tuple[float, ...], ...]
    coordinates: tuple[tuple[int, int], ...]
    r: int

    def __call__(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """`size` independent rows, shape (size, number of coordinates)."""
        g = np.array(self.gradient)
        u, v = (rng.standard_normal((size, self.r, d)) for d in g.shape)
        h = np.einsum("bsi,ij,bsj->bs", u, g, v)
        columns = [h * u[:, :, i] * v[:, :, j] for i, j in self.coordinates]
        return np.stack([2 * (y.sum(axis=1) ** 2 - (y**2).sum(axis=1)) for y in columns], axis=1)

    def variances(self) -> np.ndarray:
        """The variance of each column, exactly."""
        g, r, found = np.array(self.gradient), self.r, []
        for i, j in self.coordinates:
            rows, columns = (
                1 + 2 * (np.arange(d) == k) for d, k in zip(g.shape, (i, j), strict=True)
            )
            y2, y = float(rows @ g**2 @ columns), g[i, j]
            pairs, triples = r * (r - 1), r * (r - 1) * (r - 2)
            fours = triples * (r - 3)
            square = 2 * pairs * y2**2 + 4 * triples * y2 * y**2 + fours * y**4
            found.append(4 * (square - (pairs * y**2) ** 2))
        return np.array(found)


@dataclass(frozen=True)
class CrossAverage:
    """((cross term averaged over all coordinates) / r)^2, in expectation over tau.

    The average is tau^T offdiag(C) tau / (mn); its square has mean 2 ||offdiag(C)||_F^2 / (mn)^2
    over tau.
    """

    m: int
    n: int
    r: int

    def __call__(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """`size` independent values."""
        cross = _off_diagonal(overlap(rng, size, self.m, self.n, self.r))
        return 2 * np.einsum("bpq,bpq->b", cross, cross) / (self.m * self.n * self.r) ** 2


@dataclass(frozen=True)
class CrossCoordinate:
    """((cross term at one coordinate) / r)^2, in expectation over the signs of the w_s.

    The signs of w_s are independent and fair, so E (sum_{p != q} w_p w_q)^2 given the sizes is
    2 ((sum_s w_s^2)^2 - sum_s w_s^4). Only one row of u and of v takes part: m and n do not.
    """

    r: int

    def __call__(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """`size` independent values."""
        w2 = np.prod(rng.standard_normal((3, size, self.r)), axis=0) ** 2
        return 2 * (w2.sum(axis=1) ** 2 - (w2**2).sum(axis=1)) / self.r**2


def decay(steps: int, beta2: float) -> np.ndarray:
    """The weights (1 - beta2) beta2^(T - t) of the last T steps, scaled to norm 1."""
    weights = beta2 ** np.arange(steps, dtype=float)
    return weights / np.linalg.norm(weights)


def decayed_products(
    rng: np.random.Generator, size: int, r: int, weights: np.ndarray
) -> np.ndarray:
    """sum_t w_t tau_t tau_t^T with its diagonal removed, shape (size, r, r)."""
    tau = rng.standard_normal((size, len(weights), r))
    return _off_diagonal((tau * weights[:, None]).transpose(0, 2, 1) @ tau)


@dataclass(frozen=True)
class AccumulatedAverage:
    """((V_T - Vhat_T) averaged over coordinates)^2 / ||w||^2 at each of several sizes m = n.

    One column per size; the factors are drawn anew for each size, the tau_t are shared.
    """

    sizes: tuple[int, ...]
    r: int
    steps: int
    beta2: float

    def __call__(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """`size` independent rows, shape (size, number of sizes)."""
        products = decayed_products(rng, size, self.r, decay(self.steps, self.beta2))
        columns = [
            np.einsum("bpq,bpq->b", products, overlap(rng, size, d, d, self.r)) / d**2
            for d in self.sizes
        ]
        return np.stack(columns, axis=1) ** 2


@dataclass(frozen=True)
class AccumulatedCoordinate:
    """Mean over all coordinates of ((V_T - Vhat_T) / r)^2 / ||w||^2, at several sizes m = n.

    The accumulators are formed and compared coordinate by coordinate; one sample is the average
    over the m n coordinates of one run.
    """

    sizes: tuple[int, ...]
    r: int
    steps: int
    beta2: float

    def __call__(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """`size` independent rows, shape (size, number of sizes)."""
        return np.array([[self._run(rng, d) for d in self.sizes] for _ in range(size)])

    def _run(self, rng: np.random.Generator, d: int) -> float:
        (products,) = decayed_products(rng, 1, self.r, decay(self.steps, self.beta2))
        u, v = rng.standard_normal((2, d, self.r))
        values, vectors = np.linalg.eigh(products)
        error = np.zeros((d, d))
        for value, vector in zip(values, vectors.T, strict=True):
            error += value * ((u * vector) @ v.T) ** 2
        return float(np.mean(error**2)) / self.r**2
