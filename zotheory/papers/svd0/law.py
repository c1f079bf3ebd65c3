"""The law of SVD-0's iterates: beside SubZero's, and beside that of the subspace to come.

One Gaussian direction for the subspace, a fresh one at each renewal, whose two-point difference is
non-zero almost surely.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, partial

import numpy as np
import sympy as sp
import torch

from proofs_check.cards.invariance import Factor, NotInvariant, isotropic
from proofs_check.gaussian import Derivation
from zotheory.context import Context
from zotheory.evidence.draws import SEEDS, Recipe
from zotheory.evidence.exact import Counterexample, exact
from zotheory.evidence.measured import Measurement, measured
from zotheory.evidence.snippets import inputs
from zotheory.papers.shared.somewhere import SOMEWHERE, exact_somewhere
from zotheory.papers.svd0 import frames
from zotheory.papers.svd0.algorithm1 import PROPER
from zotheory.statistics import Bernstein, decide_equal, decide_less
from zotheory.vocabulary import Check, Claim, Evidence, Kind, Setting, Statement, Verdict

LEVEL = sp.Symbol("E loss after T steps", real=True)
SVD0, SUBZERO = sp.symbols("E_loss_of_SVD-0 E_loss_of_SubZero", real=True)
DEPENDENCE = sp.Symbol("distance of the law of (P_j P_j^T, x_jF) from that of independent ones")
QUERIES = "queries"  # in a setting: directions of the gradient that the subspace is taken from
CONTROL = 60

# Why W_0..W_T has one law, whatever the loss.


@cache
def equal_laws(queries: int = 1) -> tuple[str, ...]:
    """The steps of the equality; the algebraic premises are computed.

    Raises NotInvariant where the estimate is no multiple of one Gaussian direction, and
    ArithmeticError where an identity fails.
    """
    frames.check_multiple_of_noise(queries)
    noise = isotropic(lambda Z: Z, {"Z": Factor(("m", "n"), "Gaussian")})
    _check_equivariance()
    _check_core()
    return (
        *projections(noise),
        "a step moves W by a number times U S V^T, the number a function of W, the batch and U S "
        "V^T alone. For orthogonal A, B (r x r): (U A) S (V B)^T = U (A S B^T) V^T, and A S B^T "
        "has the law of S (cov(vec A S B^T) = (B kron A)(B kron A)^T = I, computed for rotations "
        "and reflections), for all steps of a block together: given the past, the law of the "
        "block's U S_t V^T depends on (U U^T, V V^T) alone, not on signs, order or the routine "
        "that computes the frames",
        "SubZero: the QR frames of fresh Gaussian matrices span uniformly distributed independent "
        "subspaces, too, independent of the past",
        *frames.haar_steps(),
        "so both methods have the same transition law from renewal to renewal, whatever the loss, "
        "the batches, the matrices: by induction W_0..W_T has one law for every T",
    )


def projections(noise: Derivation) -> tuple[str, ...]:
    """Why (U U^T, V V^T) are uniform and independent of the past, from the invariance of noise."""
    return (
        "the estimate at a renewal is kappa Z (all 2 x 2 minors of (vec estimate, vec Z) vanish), "
        "Z Gaussian and drawn apart from W and the batch; kappa may depend on all of them, but "
        "where it is not 0 the leading singular subspaces of kappa Z are those of Z",
        noise.steps[0],
        "Z = U S V^T gives A Z B = (A U) S (B^T V)^T (identity checked): (U U^T, V V^T) has the "
        "law of (A U U^T A^T, B^T V V^T B) for all orthogonal A, B; O(m) x O(n) acts transitively "
        "on pairs of subspaces, so the law is the uniform one: U U^T and V V^T independent of each "
        "other, of the past and of the batch (ties of singular values have probability 0)",
        "several matrices: their parts of Z are independent, so are their subspaces",
    )


def _check_equivariance() -> None:
    """A (U S V^T) B = (A U) S (B^T V)^T."""
    a, b, u, v, s = (
        sp.MatrixSymbol(x, *size)
        for x, size in zip("ABUVS", ((3, 3), (2, 2), (3, 2), (2, 2), (2, 2)), strict=True)
    )
    a, b, u, v, s = (sp.Matrix(x) for x in (a, b, u, v, s))
    if sp.expand(a * (u * s * v.T) * b - (a * u) * s * (b.T * v).T) != sp.zeros(3, 2):
        raise ArithmeticError("singular subspaces do not move with the matrix")


def _check_core() -> None:
    """(U A) S (V B)^T = U (A S B^T) V^T, and A S B^T is Gaussian with covariance I as S is."""
    u, v, s = (
        sp.Matrix(sp.MatrixSymbol(x, *n)) for x, n in (("U", (3, 2)), ("V", (3, 2)), ("S", (2, 2)))
    )
    for a in _orthogonal():
        for b in _orthogonal():
            if sp.expand((u * a) * s * (v * b).T - u * (a * s * b.T) * v.T) != sp.zeros(3, 3):
                raise ArithmeticError("the core does not take up a change of frame")
            moved = sp.kronecker_product(b, a)
            if sp.simplify(moved * moved.T - sp.eye(4)) != sp.zeros(4, 4):
                raise ArithmeticError("the core's covariance changes")


def _orthogonal() -> tuple[sp.Matrix, ...]:
    t = sp.Symbol("t", real=True)
    cosine, sine = (1 - t**2) / (1 + t**2), 2 * t / (1 + t**2)
    return sp.Matrix([[cosine, -sine], [sine, cosine]]), sp.diag(-1, 1)


def where_derivable(check: Check) -> Check:
    """An exact check that decides nothing where the subspace is not independent of the past."""

    def judge(statement: Statement, context: Context) -> Evidence:
        try:
            return check.judge(statement, context)
        except NotInvariant as reason:
            return Evidence(Kind.EXACT, Verdict.INCONCLUSIVE, str(reason))

    return Check(Kind.EXACT, judge)


def _losses(_: Statement) -> Mapping[sp.Expr, Derivation]:
    steps = (*equal_laws(), "the same law of W_T: the same expected loss, where there is one")
    return {SVD0: Derivation(LEVEL, steps), SUBZERO: Derivation(LEVEL, ())}


def _losses_witness(_: Statement, failed: Counterexample) -> str:
    sizes = {name: failed.inputs[name] for name in "mnr"}
    return f"""import numpy as np

{inputs(sizes)}
# One step on log cosh(<G, W> - 1), both expectations by quadrature: angles of u and v (a rule that
# is exact for trigonometric polynomials) and Gauss-Hermite for the core s.
nodes, weights = np.polynomial.hermite_e.hermegauss(24)
weights = weights / weights.sum()
angles = 2 * np.pi * np.arange(64) / 64
g, eps, eta = np.array([[1.0, 0.4], [-0.3, 0.5]]), 0.2, 0.5
loss = lambda inner: np.log(np.cosh(inner - 1))

def expected_loss(first, second):  # of the angles of u and of v
    u = np.stack([np.cos(first), np.sin(first)], axis=-1)
    v = np.stack([np.cos(second), np.sin(second)], axis=-1)
    total = 0.0
    for s, w in zip(nodes, weights):
        slope = s * np.einsum("ij,...i,...j->...", g, u, v)  # <G, u s v^T>
        kappa = (loss(eps * slope) - loss(-eps * slope)) / (2 * eps)
        total += w * np.mean(loss(-eta * kappa * slope))
    return total

a, b = np.meshgrid(angles, angles)
subzero = expected_loss(a, b)
# SVD-0: noise Z, turned from both sides by all pairs of angles, as the law of Z allows
z0 = np.random.default_rng(0).standard_normal((2, 2))
turn = lambda t: np.moveaxis(np.array([[np.cos(t), -np.sin(t)], [np.sin(t), np.cos(t)]]),
                             (0, 1), (-2, -1))
z = turn(a) @ z0 @ turn(b)
inner = np.einsum("ij,...ij->...", g, z)
kappa = (loss(eps * inner) - loss(-eps * inner)) / (2 * eps)
u, _, vt = np.linalg.svd(kappa[..., None, None] * z)  # of the MeZO gradient at W = 0
svd0 = expected_loss(np.arctan2(u[..., 1, 0], u[..., 0, 0]),
                     np.arctan2(vt[..., 0, 1], vt[..., 0, 0]))
print("claimed", 0.0)  # more than
print("actual", abs(round(subzero - svd0, 9)))
print("both expected losses:", subzero, svd0)
"""


# Whole runs, of which there are many at once, and runs of the code that trains.


@dataclass(frozen=True)
class Runs:
    """W_0..W_T of a subspace method on log cosh(<G, W> - 2 + b) + sum W^4 / 40, b ~ U(-1/2, 1/2).

    The loss is neither linear nor quadratic; b is the batch of a step and, where the step renews,
    of the renewal. G is 4 x 3, of rank one and norm 1; W_0 = 0. `queries`: None for SubZero.
    """

    queries: int | None
    rank: int = 2
    interval: int = 3
    steps: int = 9
    eps: float = 0.1
    eta: float = 0.2

    shape = (4, 3)

    @cached_property
    def gradient(self) -> np.ndarray:
        """G."""
        left, right = (np.arange(1.0, d + 1) * (-1) ** np.arange(d) for d in self.shape)
        return np.outer(left / np.linalg.norm(left), right / np.linalg.norm(right))

    def loss(self, weights: np.ndarray, batch: np.ndarray | float) -> np.ndarray:
        """At weights (..., m, n), with a batch for each."""
        along = np.einsum("...ij,ij->...", weights, self.gradient)
        return np.log(np.cosh(along - 2 + batch)) + (weights**4).sum(axis=(-2, -1)) / 40

    def __call__(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """`size` independent runs, shape (size, T + 1, m, n)."""
        weights = np.zeros((size, *self.shape))
        path = [weights]
        for step in range(self.steps):
            batch = rng.uniform(-0.5, 0.5, size)
            if step % self.interval == 0:
                u, v = self.frames(rng, weights, batch)
            noise = u @ rng.standard_normal((size, self.rank, self.rank)) @ v.swapaxes(1, 2)
            weights = weights - self.eta * self._estimate(weights, noise, batch)
            path.append(weights)
        return np.stack(path, axis=1)

    def frames(
        self, rng: np.random.Generator, weights: np.ndarray, batch: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """U and V at a renewal."""
        size = len(weights)
        if self.queries is None:
            u, v = (np.linalg.qr(rng.standard_normal((size, d, self.rank)))[0] for d in self.shape)
            return u, v
        draws = (rng.standard_normal(weights.shape) for _ in range(self.queries))
        total = sum(self._estimate(weights, noise, batch) for noise in draws)
        u, _, vt = np.linalg.svd(total)
        return u[:, :, : self.rank], vt[:, : self.rank].swapaxes(1, 2)

    def _estimate(self, weights: np.ndarray, noise: np.ndarray, batch: np.ndarray) -> np.ndarray:
        plus, minus = (self.loss(weights + s * self.eps * noise, batch) for s in (1, -1))
        return ((plus - minus) / (2 * self.eps))[:, None, None] * noise


@dataclass(frozen=True)
class TrainedRuns(Runs):
    """The same by the recipes svd0 and subzo."""

    def __call__(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """`size` independent runs, shape (size, T + 1, m, n)."""
        options = (("rank", self.rank), ("interval", self.interval), ("eps", self.eps))
        if self.queries is not None:
            options += (("queries", self.queries),)
        recipe = Recipe("subzo" if self.queries is None else "svd0", options)
        return np.stack([self._run(recipe, rng) for _ in range(size)])

    def _run(self, recipe: Recipe, rng: np.random.Generator) -> np.ndarray:
        weight = torch.zeros(self.shape, dtype=torch.float64, requires_grad=True)
        seed = int(rng.integers(SEEDS))
        optimizer = recipe.build([("W", weight)], lr=self.eta, seed=seed)
        path = [weight.detach().numpy().copy()]
        for batch in rng.uniform(-0.5, 0.5, self.steps):
            optimizer.step(lambda b=batch: float(self.loss(weight.detach().numpy(), b)))
            path.append(weight.detach().numpy().copy())
        return np.stack(path)


FREQUENCIES, LEVELS = 12, (0.5, 1.0, 1.5)


def features(path: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    """Bounded functions of whole runs, values in [0, 1].

    Real and imaginary part of exp(i <omega, (W_1..W_T)>) at random frequencies omega, drawn once
    from a density that is positive everywhere, by which two different laws are almost surely told
    apart if enough of them are taken (Chwialkowski et al. 2015, "Fast two-sample testing with
    analytic representations of probability measures"), and whether <G, W_T> exceeds some levels.
    """
    flat = path[:, 1:].reshape(len(path), -1)
    omega = np.random.default_rng(0).standard_normal((flat.shape[1], FREQUENCIES)) / 2
    phase = flat @ omega
    along = np.einsum("bij,ij->b", path[:, -1], gradient)
    above = np.stack([along > level for level in LEVELS], axis=1).astype(float)
    return np.hstack([(1 + np.cos(phase)) / 2, (1 + np.sin(phase)) / 2, above])


@dataclass(frozen=True)
class Differences:
    """Features of a run of SVD-0 minus those of an independent one of SubZero, in [-1, 1]."""

    queries: int
    runs: type[Runs] = Runs

    def __call__(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """`size` independent rows."""
        first, second = (self.runs(q) for q in (self.queries, None))
        rows = [features(runs(rng, size), runs.gradient) for runs in (first, second)]
        return rows[0] - rows[1]


@dataclass(frozen=True)
class FinalLosses:
    """(loss of SVD-0, loss of SubZero) after T steps with the batch's b = 0, capped at 2, over 2.

    At the start it is 1.33; the cap makes it bounded.
    """

    queries: int

    def __call__(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """`size` independent rows, values in [0, 1]."""
        methods = (Runs(self.queries), Runs(None))
        rows = [runs.loss(runs(rng, size)[:, -1], 0.0) / 2 for runs in methods]
        return np.stack(rows, axis=1).clip(0.0, 1.0)


AT = "4 x 3, r = 2, F = 3, T = 9"


def measure_law(statement: Statement, _: Context) -> Sequence[Measurement]:
    """At least 10,000 runs of each by this file's steps, and some by the code that trains."""
    queries = statement.setting[QUERIES]
    decide = partial(decide_equal, method=Bernstein(-1.0, 1.0), target=0.0, scale=1.0)
    runs = Measurement(AT, Differences(queries), partial(decide, tolerance=0.05), 500, 40, 20)
    if queries > 1:  # told apart by these already; by the recipes it would cost a minute
        return [runs]
    trained, decide = Differences(queries, TrainedRuns), partial(decide, tolerance=0.45)
    return [runs, Measurement(f"{AT}, by the recipes", trained, decide, 15, 25, 25)]


def _measure_losses(statement: Statement, context: Context) -> Sequence[Measurement]:
    """ "Below" is measured as: by a twentieth."""
    queries = statement.setting[QUERIES]
    decide = partial(decide_less, method=Bernstein(), margin=0.95)
    if isinstance(statement.formula, sp.Eq):
        return measure_law(statement, context)[:1]
    return [Measurement(f"loss, {AT}", FinalLosses(queries), decide, 500, 40, 20)]


# Independence of the subspace from the weights at which it is taken.


def _dependence(statement: Statement) -> Mapping[sp.Expr, Derivation]:
    queries = statement.setting[QUERIES]
    frames.check_multiple_of_noise(queries)
    _check_equivariance()
    noise = isotropic(lambda Z: Z, {"Z": Factor(("m", "n"), "Gaussian")})
    steps = (
        *projections(noise),
        "P P^T = V V^T kron U U^T: given x_jF, its law is the same for every x_jF",
    )
    return {DEPENDENCE: Derivation(sp.S.Zero, steps)}


@dataclass(frozen=True)
class Covariances:
    """(a(P) - a(P'))(b(x) - b(x')) / 2 for independent pairs (P P^T, x), (P' P'^T, x').

    x is the weights after one block of 3 steps, P the subspace that is taken there, on the loss
    ||W||^2 / 2 + sum sin W (its gradient follows x); a and b are indicators: of the largest entry
    among the diagonal's shares, of the largest row norm of x. The mean is Cov(a, b).
    """

    queries: int

    def __call__(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """`size` independent rows, values in [-1/2, 1/2]."""
        (a, b), (c, d) = (self._pairs(rng, size) for _ in range(2))
        return (a - c) * (b - d) / 2

    def _pairs(self, rng: np.random.Generator, size: int) -> tuple[np.ndarray, np.ndarray]:
        runs = _Bowl(self.queries, rank=1, steps=3)
        weights = runs(rng, size)[:, -1]
        u, v = runs.frames(rng, weights, np.zeros(size))
        sides = []
        for frame, moved in ((u, weights), (v, weights.swapaxes(1, 2))):
            kept = np.square(frame).sum(axis=2)
            lengths = np.square(moved).sum(axis=2)
            sides.append((kept.argmax(axis=1) == 0, lengths.argmax(axis=1) == 0))
        kept, found = (np.stack(x, axis=1).astype(float) for x in zip(*sides, strict=True))
        return kept, found


@dataclass(frozen=True)
class _Bowl(Runs):
    def loss(self, weights: np.ndarray, batch: np.ndarray | float) -> np.ndarray:
        values = weights**2 / 2 + np.sin(weights)
        return values.sum(axis=(-2, -1)) + 0 * np.asarray(batch)


def _measure_dependence(statement: Statement, _: Context) -> Sequence[Measurement]:
    decide = partial(
        decide_equal, method=Bernstein(-0.5, 0.5), target=0.0, tolerance=0.025, scale=1.0
    )
    sampler = Covariances(statement.setting[QUERIES])
    return [Measurement("4 x 3, r = 1, after 3 steps", sampler, decide, 500, 64)]


EXPECTED_LOSS = Claim(
    id="svd0.vs_subzero.expected_loss",
    where="abstract, Sec. 4.1, 6.1, 7",
    statement=Statement(
        "There are a loss, batches, a start, matrix sizes, r below them, F, eps, eta and T for "
        "which the expected loss after T steps of SVD-0 (at each renewal the SVD of a fresh "
        "one-direction MeZO gradient whose two-point difference is non-zero almost surely) is "
        "strictly below that of SubZero (at each renewal the QR frames of fresh Gaussian "
        "matrices), with the same r, F, eps, eta, two-sided steps of Eq. 2 and no factor on U Z "
        "V^T in either. (Weakest reading of the claimed advantage. If measured: two-sided test at "
        "1e-4, m x n = 4 x 3, r = 2, F = 3, T = 9, a loss neither linear nor quadratic, at least "
        "10,000 runs of each.)",
        sp.Lt(SVD0, SUBZERO),
        PROPER,
        setting={SOMEWHERE: True, QUERIES: 1},
    ),
    needs=(Kind.EXACT, Kind.MEASURED),
    checks=(exact_somewhere(_losses, _losses_witness), measured(_measure_losses)),
    correction=Statement(
        "The two expected losses are the same, for every loss, at every T: W_0..W_T has one law.",
        sp.Eq(SVD0, SUBZERO),
        PROPER,
        setting={QUERIES: 1},
    ),
    setting=Setting("any loss: whether there is one, as the paper's advantage needs"),
)

INDEPENDENCE = Claim(
    id="svd0.thm1.independence",
    where="Theorem 1, above Eq. 18",
    setting=Setting("Algorithm 1 with a fresh one-direction MeZO gradient at each renewal"),
    statement=Statement(
        "For Algorithm 1 with a fresh one-direction MeZO gradient at each renewal (difference "
        "non-zero almost surely), P_j P_j^T is independent of x_jF, for every loss and start.",
        sp.Eq(DEPENDENCE, 0),
        setting={QUERIES: 1},
    ),
    needs=(Kind.EXACT, Kind.MEASURED),
    checks=(where_derivable(exact(_dependence)), measured(_measure_dependence)),
    mutant=Statement(
        f"The same with the MeZO gradient averaged over {CONTROL} directions.",
        sp.Eq(DEPENDENCE, 0),
        setting={QUERIES: CONTROL},
    ),
)
