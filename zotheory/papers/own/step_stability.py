"""The step size from which on MeZO on a quadratic loss no longer converges in mean square.

Theorem 1 of "Zeroth-Order Optimization at the Edge of Stability" (Song, Zhang, Li, He, Muehlebach
and Oh, ICML 2026, arXiv 2604.14669), random signs, and the rates of other methods where H = h I.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import ClassVar

import numpy as np
import sympy as sp

from proofs_check import falls, stability
from proofs_check.cards import Card, card
from proofs_check.cards.card import M, N, Q, R
from proofs_check.falls import Fall
from proofs_check.gaussian import Derivation
from proofs_check.inequalities import decide
from proofs_check.results import Enclosed, Proved
from proofs_check.stability import CURVATURE, DELTA, EIGENVALUE, ETA, SCALE
from zotheory.context import Context
from zotheory.evidence.draws import SEEDS, rows
from zotheory.evidence.exact import conjuncts, exact
from zotheory.evidence.measured import Measurement, measured
from zotheory.papers.own.step_size import Quadratic, Steps, exact_moments
from zotheory.papers.shared.matrix_estimates import Loss, Options, build
from zotheory.statistics import Catoni, decide_equal
from zotheory.vocabulary import Claim, Kind, Setting, Statement, conjunction

TERM = sp.Symbol("l's term of the sum that is 1 at eta_crit")
CRITICAL = sp.Symbol("eta_crit", positive=True)
TRACE, LARGEST = sp.symbols("Tr_H l_max", positive=True)
STABLE = sp.Lt(ETA * EIGENVALUE, 1, evaluate=False)  # eta* < 1/l_max: the terms have poles there


def _critical(_: Statement) -> Mapping[sp.Expr, Derivation | Enclosed]:
    """The term from the exact map of E x x^T, and bounds of the root for any spectrum."""
    found = stability.term()
    below_largest = (
        sp.Le(EIGENVALUE, LARGEST),
        sp.Lt(ETA * LARGEST, 1, evaluate=False),
    )
    least, most = ETA * EIGENVALUE / 2, ETA * EIGENVALUE / (2 * (1 - ETA * LARGEST))
    steps = []
    for lesser, greater in ((least, found.value), (found.value, most)):
        proved = decide(lesser, greater, below_largest)
        if not isinstance(proved, Proved):
            raise ArithmeticError(f"{lesser} <= {greater}: {proved}")
        steps += [f"{lesser} <= {greater} for l <= l_max < 1/eta", *proved.steps]
    total = sp.Symbol("t", positive=True)
    # Summed over the spectrum: eta Tr H/2 <= 1 <= eta Tr H/(2 (1 - eta l_max)).
    (upper,) = sp.solve(least.subs(EIGENVALUE, total) - 1, ETA)
    (lower,) = sp.solve(most.subs(EIGENVALUE, total) - 1, ETA)
    steps.append(
        "summed over the spectrum, where the terms add up to 1: eta* Tr H/2 <= 1 <= eta* Tr H/"
        f"(2 (1 - eta* l_max)), so {lower} <= eta* <= {upper} with t = Tr H; the terms increase in "
        "eta from 0 to infinity on (0, 1/l_max): one root there (others beyond it mean nothing)"
    )
    at = {total: TRACE}
    return {
        TERM: found,
        CRITICAL: Enclosed(lower.subs(at), upper.subs(at), tuple(steps)),
    }


def _critical_signs(_: Statement) -> Mapping[sp.Expr, Derivation]:
    """The root for signs, and the loss itself as what every step keeps on average there."""
    found = stability.term("signs")
    total = found.value.subs(EIGENVALUE, TRACE)  # the term is linear in l
    if sp.diff(found.value, EIGENVALUE, 2) != 0:
        raise ArithmeticError(f"the term is not linear in l: {found.value}")
    (root,) = sp.solve(total - 1, ETA)
    spectrum = sp.symbols("l_1:4", positive=True)
    moved = sp.Matrix([spectrum]) * stability.second_moment_map(
        spectrum, stability.sign_moment, ETA
    )
    for own, after in zip(spectrum, moved, strict=True):
        rate = own - ETA * (2 - ETA * sum(spectrum)) * own**2
        if sp.expand(after - rate) != 0:
            raise ArithmeticError(f"sum_i l_i E x_i'^2 has {after} of x^2 where {rate} was found")
    step = (
        "Again: sum_i l_i E x_i'^2 = sum_i l_i x_i^2 - eta (2 - eta Tr H) sum_i l_i^2 x_i^2, "
        "written out for three eigenvalues: from every start the mean loss falls for eta < 2/Tr H, "
        "stays at 2/Tr H and grows beyond, by at least a fixed factor a step. Since z^T H z = Tr H "
        "for every draw of signs, at 2/Tr H every single step leaves the loss as it is."
    )
    return {CRITICAL: Derivation(root, (*found.steps, step))}


# One step by the code that trains, at the claimed critical step.


@dataclass(frozen=True)
class Kept:
    """V(x')/V(x) after one step of size eta, V(x) = sum_i weights_i (v_i . x)^2."""

    eta: float
    weights: tuple[float, ...]
    point: tuple[float, ...]

    def __call__(self, estimates: np.ndarray, problem: Quadratic) -> np.ndarray:
        """One column; v_i are the eigenvectors of H in the order of growing eigenvalues."""
        vectors, start = np.linalg.eigh(problem.h)[1], np.array(self.point)

        def value(x: np.ndarray) -> np.ndarray:
            return np.square(x @ vectors) @ np.array(self.weights)

        return (value(start - self.eta * estimates) / value(start))[:, None]


START = (1.0, -0.4)
ROUNDING = 1e-9  # at least that is bounded: with signs a single step may keep the loss exactly


def _turned(spectrum: tuple[float, float], angle: float) -> Quadratic:
    """x^T H x / 2 with these eigenvalues, seen from the start: g = H x there."""
    c, s = np.cos(angle), np.sin(angle)
    turn = np.array([[c, -s], [s, c]])
    h = turn @ np.diag(spectrum) @ turn.T
    h = (h + h.T) / 2
    return Quadratic(tuple((h @ np.array(START)).tolist()), tuple(map(tuple, h.tolist())))


def _measure_critical(statement: Statement, _: Context) -> Sequence[Measurement]:
    """At the root, V with the claimed terms as weights is kept on average by every step."""
    (claimed,) = (r.rhs for r in conjuncts(statement.formula) if r.lhs == TERM)
    spectrum = (1.0, 3.0)
    problem = _turned(spectrum, 0.6)
    eta = stability.critical(spectrum, claimed)
    weights = tuple(float(claimed.subs({ETA: eta, EIGENVALUE: x})) for x in spectrum)
    kept = Kept(eta, weights, START)
    (_, (variance,)) = exact_moments(kept, problem)
    decide = partial(
        decide_equal, method=Catoni(variance), target=np.ones(1), tolerance=0.5, scale=1.0
    )
    sampler = Steps(problem, kept, point=START)
    return [Measurement(f"eigenvalues {spectrum}, turned", sampler, decide, 32, 64)]


def _measure_signs(statement: Statement, _: Context) -> Sequence[Measurement]:
    """At the claimed step the loss is kept on average; the moments of signs are enumerated."""
    spectrum = (1.0, 3.0)
    problem = _turned(spectrum, 0.0)
    at = {TRACE: sum(spectrum), LARGEST: max(spectrum)}
    kept = Kept(float(statement.bound.subs(at)), spectrum, START)
    z = np.array(list(product((-1.0, 1.0), repeat=2)))
    values = kept((z @ problem.g)[:, None] * z, problem)
    variance = max(float(values.var()), ROUNDING)
    decide = partial(
        decide_equal, method=Catoni(variance), target=np.ones(1), tolerance=0.3, scale=1.0
    )
    sampler = Steps(problem, kept, "rademacher", point=START)
    return [Measurement(f"H = diag{spectrum}", sampler, decide, 4, 64)]


# H = h I: the rate of one method from another's.


SIZE = M * N
RATES: dict[str, tuple[sp.Expr, sp.Expr]] = {  # s and delta, as the cards have them
    "MeZO": (sp.S.One, SIZE + 1),
    "TeZO": (R, 1 + SIZE + (2 * SIZE + 6 * (M + N) + 10) / R),
    "TeZO over r": (sp.S.One, 1 + SIZE + (2 * SIZE + 6 * (M + N) + 10) / R),
    "LOZO": (R, SIZE + 1 + 2 * (M + N + 1) / R),
    "SubZO": (R**2 / SIZE, SIZE * (R**2 + 2) / R**2 - 1),
    "signs": (sp.S.One, SIZE - 1),
    "an average of q": (sp.S.One, (SIZE + 1) / Q),
}


def _rate(method: str) -> sp.Symbol:
    return sp.Symbol(f"eta_crit of {method}", positive=True)


def _derivations(method: str) -> tuple[Card, Fall, sp.Expr]:
    """Two derivations of a method's moments, and what its estimate is divided by."""
    single = falls.gaussian()
    known = {
        "MeZO": lambda: (card("gaussian"), single, sp.S.One),
        "TeZO": lambda: (card("cp"), falls.cp(), sp.S.One),
        "TeZO over r": lambda: (card("cp"), falls.cp(), R),
        "LOZO": lambda: (card("low_rank"), falls.low_rank(), sp.S.One),
        "SubZO": lambda: (card("subspace"), falls.subspace(), sp.S.One),
        "signs": lambda: (card("rademacher"), falls.rademacher(), sp.S.One),
        "an average of q": lambda: (card("averaged"), falls.averaged(single), sp.S.One),
    }
    return known[method]()


def _isotropic(_: Statement) -> Mapping[sp.Expr, Derivation]:
    """From the growth of E||W||^2, and for each method by its moments for any H, put at H = h I."""
    found = stability.isotropic()
    derived: dict[sp.Expr, Derivation] = {CRITICAL: found}
    for method in RATES:
        linear, quadratic, divisor = _derivations(method)
        scale, spread = linear.scale / divisor, linear.relative_variance
        by_card = found.value.subs({SCALE: scale, DELTA: spread}, simultaneous=True)
        value = sp.cancel(divisor * 2 * falls.isotropic(quadratic, CURVATURE).best_step)
        if sp.cancel(sp.together(by_card - value)) != 0:
            raise ArithmeticError(f"{method}: {by_card} by its card, {value} by its fall")
        steps = (
            f"{method}: by its card s = {scale}, delta = {spread}",
            f"again, f(W) - E f(W') = eta a - eta^2 b/2 vanishes at 2 a/b = {sp.factor(value)}, a "
            "and b of its fall on any quadratic at H = h I",
        )
        derived[_rate(method)] = Derivation(value, steps)
    return derived


@dataclass(frozen=True)
class Shrunk:
    """||W'||^2 / ||W||^2 after one step of size eta on h ||W||^2 / 2, W a 2 x 2 matrix."""

    recipe: str
    options: Options
    eta: float

    point: ClassVar[np.ndarray] = np.array([-0.5, 0.1, 0.4, 1.0])

    def __call__(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """`size` independent values."""
        half, point = tuple(map(tuple, (H / 2 * np.eye(4)).tolist())), self.point
        loss = Loss(2, 2, hessian=half, point=tuple(point.tolist()))
        optimizer, closure = build(self.recipe, loss, self.options, int(rng.integers(SEEDS)))
        found = rows(optimizer, closure, rng.integers(SEEDS, size=size))
        return np.square(point - self.eta * found).sum(axis=1) / (point @ point)


H = 1.5  # the curvature of what is measured


def _measure_isotropic(statement: Statement, _: Context) -> Sequence[Measurement]:
    """At the claimed critical step of each method, through its recipe, E||W'||^2 is ||W||^2."""
    claimed = {r.lhs: r.rhs for r in conjuncts(statement.formula)}
    sizes = {M: 2, N: 2, R: 1, Q: 2}
    recipes = {
        "MeZO": ("mezo", ()),
        "TeZO": ("tezo", (("rank", 1),)),
        "LOZO": ("lozo", (("rank", 1),)),
        "SubZO": ("subzo", (("rank", 1),)),
        "signs": ("rademacher", ()),
        "an average of q": ("q_spsa", (("queries", 2),)),
    }
    measurements = []
    for method, (recipe, options) in recipes.items():
        eta = float(claimed[_rate(method)].subs({**sizes, CURVATURE: H}))
        _, variance = shrunk(method, eta * H, Shrunk.point)
        decide = partial(decide_equal, method=Catoni(variance), target=1.0, tolerance=0.75)
        sampler = Shrunk(recipe, options, eta)
        measurements.append(Measurement(f"{method}, 2 x 2, r=1 q=2", sampler, decide, 8, 64))
    return measurements


def shrunk(method: str, x: float, weights: np.ndarray) -> tuple[float, float]:
    """Mean and variance of ||W - x g'||^2/||W||^2, g' an estimate of W, 2 x 2, r = 1, q = 2: exact.

    It has degree 8 in every Gaussian number, which five of Hermite's nodes integrate; in the
    angles of SubZO's unit vectors it has degree 8, too, which 16 equal steps do.
    """
    dimensions = {"MeZO": 4, "an average of q": 8, "TeZO": 5, "LOZO": 4, "SubZO": 1, "signs": 4}
    nodes, mass = np.polynomial.hermite_e.hermegauss(5)
    if method == "signs":
        nodes, mass = np.array([-1.0, 1.0]), np.ones(2)
    grid = _grid(nodes, dimensions[method])
    mass = _grid(mass / mass.sum(), dimensions[method]).prod(axis=1)
    if method == "SubZO":
        angles = 2 * np.pi * np.arange(16) / 16
        grid = np.array([(s, a, b) for (s,), a, b in product(grid, angles, angles)])
        mass = np.repeat(mass, 16**2) / 16**2
        pair = [np.stack([np.cos(grid[:, k]), np.sin(grid[:, k])], axis=1) for k in (1, 2)]
    else:
        pair = [grid[:, -4:-2], grid[:, -2:]]
    noise = np.einsum("bi,bj->bij", *pair).reshape(len(grid), 4)
    if method in ("TeZO", "SubZO"):
        noise = grid[:, :1] * noise
    elif method != "LOZO":
        noise = grid[:, :4]
    estimate = (noise @ weights)[:, None] * noise
    if method == "an average of q":
        other = grid[:, 4:]
        estimate = (estimate + (other @ weights)[:, None] * other) / 2
    left = np.square(weights - x * estimate).sum(axis=1) / (weights @ weights)
    mean = float(mass @ left)
    return mean, max(float(mass @ np.square(left - mean)), ROUNDING)


def _grid(values: np.ndarray, dimensions: int) -> np.ndarray:
    """All tuples of the values, one a row."""
    axes = np.meshgrid(*[values] * dimensions, indexing="ij")
    return np.stack(axes, axis=-1).reshape(-1, dimensions)


def _rates(says: str, general: sp.Expr) -> Statement:
    """Every method's critical step: `general` at its s and delta."""
    equations = [
        sp.Eq(_rate(method), general.subs({SCALE: scale, DELTA: spread}, simultaneous=True))
        for method, (scale, spread) in RATES.items()
    ]
    sizes = (sp.Le(R, M), sp.Le(R, N))
    return Statement(says, conjunction(sp.Eq(CRITICAL, general), *equations), sizes)


CLAIMS = (
    Claim(
        id="own.step.critical",
        where="ICML 2026, arXiv 2604.14669, Theorem 1",
        setting=Setting("MeZO on a quadratic loss with a positive definite Hessian"),
        statement=Statement(
            "On x^T H x / 2 with H positive definite (eigenvalues l_i) MeZO with fixed eta "
            "converges in mean square exactly for eta below the root eta* of sum_i eta l_i / (2 (1 "
            "- eta l_i)) = 1, and 2/(Tr H + 2 l_max) <= eta* <= 2/Tr H.",
            conjunction(
                sp.Eq(TERM, ETA * EIGENVALUE / (2 * (1 - ETA * EIGENVALUE))),
                sp.Le(2 / (TRACE + 2 * LARGEST), CRITICAL),
                sp.Le(CRITICAL, 2 / TRACE),
            ),
            (STABLE,),
        ),
        needs=(Kind.EXACT, Kind.MEASURED),
        checks=(exact(_critical), measured(_measure_critical)),
        mutant=Statement(
            "Its terms are eta l_i / 2, so that eta* = 2/Tr H, as for random signs.",
            conjunction(
                sp.Eq(TERM, ETA * EIGENVALUE / 2),
                sp.Le(2 / (TRACE + 2 * LARGEST), CRITICAL),
                sp.Le(CRITICAL, 2 / TRACE),
            ),
            (STABLE,),
        ),
    ),
    Claim(
        id="own.step.critical_signs",
        where="ours, for rademacher",
        setting=Setting("random signs on a quadratic loss with a diagonal Hessian"),
        statement=Statement(
            "With random signs in place of Gaussians and H diagonal, the same critical step is "
            "2/Tr H.",
            sp.Eq(CRITICAL, 2 / TRACE),
        ),
        needs=(Kind.EXACT, Kind.MEASURED),
        checks=(exact(_critical_signs), measured(_measure_signs)),
        mutant=Statement(
            "It is 2/(Tr H + 2 l_max), the lower bound of MeZO's.",
            sp.Eq(CRITICAL, 2 / (TRACE + 2 * LARGEST)),
        ),
    ),
    Claim(
        id="own.step.isotropic",
        where="ours, the rate of one method from another's",
        setting=Setting("h ||W||^2 / 2, directions drawn afresh at every step"),
        statement=_rates(
            "On h ||W||^2 / 2 a method with fresh draws whose estimate has mean s G and "
            "E||estimate||^2 = s^2 (1 + delta) ||G||^2 converges in mean square exactly for eta < "
            "2/(h s (1 + delta)); with the cards' s and delta this holds for MeZO, TeZO (factors "
            "redrawn, with and without 1/r), LOZO, SubZO (fresh frames), signs and averages of q.",
            2 / (CURVATURE * SCALE * (1 + DELTA)),
        ),
        needs=(Kind.EXACT, Kind.MEASURED),
        checks=(exact(_isotropic), measured(_measure_isotropic)),
        mutant=_rates(
            "It does for eta < 2/(h s), as the mean of the weights does.",
            2 / (CURVATURE * SCALE),
        ),
    ),
)
