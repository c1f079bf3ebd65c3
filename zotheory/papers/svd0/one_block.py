"""Within one block: Lemmas 4 to 7 and 10, and the change of variables of Eq. 13 to 15."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import mpmath
import numpy as np
import sympy as sp
import torch

from proofs_check.gaussian import Derivation
from proofs_check.moments import norm_moment
from proofs_check.results import Proved, Violated
from zotheory.context import Context
from zotheory.evidence.compared import Case
from zotheory.evidence.counted import counted
from zotheory.evidence.draws import Recipe
from zotheory.evidence.exact import exact
from zotheory.evidence.searched import searched
from zotheory.papers.svd0.estimate import vec_identity
from zotheory.papers.svd0.frames import QT, distance_to_identity
from zotheory.papers.svd0.frames import Q as FRAME
from zotheory.search import Parameter, Point, Problem, Sides
from zotheory.vocabulary import Claim, Kind, Setting, Statement, conjunction

LENGTH = sp.Symbol("n", integer=True, positive=True)
L1, L2, APART = sp.symbols("L1 L2 distance", positive=True)
GRAM = sp.Symbol("||P^T P - I||^2")
TURNED = sp.Symbol("||cov(Q z) - I||^2")
MEAN, VARIANCE = sp.symbols("mean_of_chi2 variance_of_chi2", positive=True)
REMAINDER = sp.Symbol("largest |Taylor remainder|", nonnegative=True)
LIPSCHITZ = sp.Symbol("largest Lipschitz constant of grad h", nonnegative=True)
BLOCKS = (
    (sp.Symbol("m1", integer=True, positive=True), sp.Symbol("q1", integer=True)),
    (sp.Symbol("m2", integer=True, positive=True), sp.Symbol("q2", integer=True)),
)


def _lemmas(_: Statement) -> Mapping[sp.Expr, Derivation]:
    gram = sum((distance_to_identity((QT, FRAME), block).value for block in BLOCKS), sp.S.Zero)
    blocks = (
        "P^T P = bdiag(P_1^T P_1, ..., P_l^T P_l): the squared distance from I is the sum over "
        f"the blocks, each 0: {gram}",
    )
    turned = distance_to_identity((FRAME, QT), (LENGTH, LENGTH))
    first, second = norm_moment(1, LENGTH), norm_moment(2, LENGTH)
    spread = sp.expand(second - first**2)
    t = sp.Symbol("t", positive=True)
    remainder = sp.integrate((APART - t) * L2 * t, (t, 0, APART))
    return {
        GRAM: Derivation(gram, blocks),
        TURNED: Derivation(
            turned.value, (*turned.steps, "a centred Gaussian vector's law is its covariance's")
        ),
        MEAN: Derivation(first, (f"E||z||^2 = {first} by pairings",)),
        VARIANCE: Derivation(spread, (f"E||z||^4 - (E||z||^2)^2 = {spread}",)),
        REMAINDER: Derivation(
            remainder,
            (
                "along the unit direction from x to y: remainder = int_0^distance (distance - t) "
                "(f''(t) - f''(0)) dt (Taylor), and |f''(t) - f''(0)| <= L2 t: at most "
                f"{remainder}, attained by L2 t^3/6",
            ),
        ),
        LIPSCHITZ: Derivation(
            L1,
            (
                "grad h(y) = P^T grad f(x + P y); ||P^T a|| <= ||a|| as P P^T is a projection, and "
                "||P (y - y')|| = ||y - y'||: ||grad h(y) - grad h(y')|| <= L1 ||y - y'||, "
                "attained by f = (L1/2)||x||^2",
            ),
        ),
    }


def _taylor_problem(statement: Statement) -> Problem:
    """Remainders of L2 |x|^3/6 and of L2 sin x, whose second derivatives are L2-Lipschitz."""
    bound = next(r.rhs for r in statement.formula.args if r.has(REMAINDER))
    claimed = sp.lambdify((L2, APART), bound, "mpmath")

    def sides(point: Point, digits: int = 30) -> Sides:
        with mpmath.workdps(digits):
            level, x, gap = (mpmath.mpf(point[name]) for name in ("L2", "x", "distance"))
            y = x + gap
            if point["kind"] == 0:
                f, slope, bend = (
                    lambda t: abs(t) ** 3 / 6,
                    lambda t: t * abs(t) / 2,
                    lambda t: abs(t),
                )
            else:
                f, slope, bend = mpmath.sin, mpmath.cos, lambda t: -mpmath.sin(t)
            rest = f(y) - f(x) - slope(x) * (y - x) - bend(x) * (y - x) ** 2 / 2
            right = claimed(level, gap)
            error = level * mpmath.mpf(10) ** (4 - digits)  # of the terms that cancel
            return Sides(level * abs(rest), right, error)

    return Problem(
        "Taylor remainder",
        sides,
        lambda point, digits: sides(point, 2 * digits),
        parameters=(
            Parameter("L2", 1e-3, 1e3, scale="log"),
            Parameter("x", -3, 3),
            Parameter("distance", 1e-2, 6, scale="log"),
            Parameter("kind", 0, 1, integer=True),
        ),
    )


def _taylor(says: str, divisor: int) -> Statement:
    return Statement(
        says,
        conjunction(
            sp.Eq(GRAM, 0),
            sp.Eq(TURNED, 0),
            sp.Eq(MEAN, LENGTH),
            sp.Eq(VARIANCE, 2 * LENGTH),
            sp.Le(REMAINDER, L2 / divisor * APART**3),
            sp.Le(LIPSCHITZ, L1),
        ),
    )


# Eq. 13 to 15.

GAP = sp.Symbol("distance of vec(W_k) from x_jF + P_j y_k")
ORDER = "order"


def _steps(statement: Statement) -> Mapping[sp.Expr, Derivation]:
    """vec(U Z V^T) = P vec(Z) for all sizes; then by induction over the steps."""
    order = statement.setting[ORDER]
    found = vec_identity(*order)
    if isinstance(found, Violated):
        at = ", ".join(f"{symbol} = {value}" for symbol, value in found.point.items())
        step = f"vec(U Z V^T) and ({order[0]} kron {order[1]}) vec(Z) differ at {at}"
        return {GAP: Derivation(sp.Abs(found.lhs - found.rhs), (step,))}
    if not isinstance(found, Proved):
        raise ArithmeticError(f"not decided: {found}")
    steps = (
        *found.steps,
        "h_j(y) = f(x_jF + P y): the two points of a step are the same weights, so the two losses "
        "and rho are the same, for the same noise",
        "vec(W_k) = vec(W_(k-1)) - eta rho P vec(Z) = x_jF + P (y_(k-1) - eta rho vec(Z)) = x_jF + "
        "P y_k, from y_0 = 0 on, by induction, whatever the loss, rates and k",
    )
    return {GAP: Derivation(sp.S.Zero, steps)}


def _runs(statement: Statement, _: Context) -> Iterator[Case]:
    """The recipes' steps, and the same in y, with the noise that they drew."""
    for recipe in ("subzo", "svd0"):
        for size, rank in (((4, 4), 2), ((5, 5), 3)):
            gap = _gap(recipe, size, rank, statement.setting[ORDER])
            yield Case(
                {"recipe": recipe, "m": size[0], "n": size[1], "r": rank, "k": 7},
                {GAP: gap},
                tolerance=1e-9,
            )


def _gap(recipe: str, shape: tuple[int, int], rank: int, order: tuple[str, str]) -> float:
    start = np.random.default_rng(shape).standard_normal(shape)
    weight = torch.tensor(start, dtype=torch.float64, requires_grad=True)
    eps, rate = 0.1, 0.05
    options = (("rank", rank), ("interval", 10**6), ("eps", eps), ("lr", 0.0))
    optimizer = Recipe(recipe, options).build([("W", weight)], seed=1)

    def loss(w: np.ndarray) -> float:
        return float(np.log(np.cosh(w - 1)).sum())

    def closure() -> float:
        return loss(weight.detach().numpy())

    optimizer.step(closure)  # draws the frames and, with the rate 0, moves nothing
    optimizer.param_groups[0]["lr"] = rate
    (slot,) = optimizer.slots()
    frames = {key: slot.state[key].numpy() for key in "UV"}
    p = np.kron(frames[order[0]], frames[order[1]])
    x, y = start.flatten("F"), np.zeros(rank**2)

    def h(y: np.ndarray) -> float:
        return loss((x + p @ y).reshape(shape, order="F"))

    for step in range(1, 8):
        core = optimizer.perturbation.draw(slot, optimizer.seed, step, 0).coordinates
        z = core.numpy().flatten("F")
        optimizer.step(closure)
        y = y - rate * (h(y + eps * z) - h(y - eps * z)) / (2 * eps) * z
    return float(np.abs(weight.detach().numpy().flatten("F") - (x + p @ y)).max())


CLAIMS = (
    Claim(
        id="svd0.lemmas4_to_10",
        where="Lemmas 4, 5, 6, 7, 10",
        setting=Setting("the auxiliary lemmas as stated"),
        statement=_taylor(
            "For P block-diagonal with column-orthonormal blocks P^T P = I; E f(z) = E f(Q z) for "
            "orthogonal Q; a chi-square variable with n degrees has mean n and variance 2n; an f "
            "with L2-Lipschitz Hessian has Taylor remainder at most (L2/6)||y - x||^3; h(y) = f(x "
            "+ P y) is L1-smooth if f is.",
            6,
        ),
        needs=(Kind.EXACT, Kind.SEARCH),
        checks=(exact(_lemmas), searched(_taylor_problem, share=0.2)),
        mutant=_taylor("The same with L2/8 in place of L2/6.", 8),
    ),
    Claim(
        id="svd0.eq15.equivalence",
        where="Eq. 13 to 15",
        setting=Setting("one block of F steps with fixed frames, any loss"),
        statement=Statement(
            "Within a block, k steps of Algorithm 2's kind (W moved by -eta rho U Z V^T, frames "
            "fixed) give the same weights as x_jF + P_j y_k with y moved by -eta rho vec(Z), for "
            "the same noise and any loss.",
            sp.Eq(GAP, 0),
            setting={ORDER: ("V", "U")},
        ),
        needs=(Kind.EXACT, Kind.COUNTED),
        checks=(exact(_steps), counted(_runs)),
        mutant=Statement(
            "The same with P_j = U kron V.", sp.Eq(GAP, 0), setting={ORDER: ("U", "V")}
        ),
    ),
)
