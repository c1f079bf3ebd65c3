"""M = 2, alpha = 1/2 (App. A): what the two candidates' losses do to the estimate of Eq. 6."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from itertools import permutations

import numpy as np
import sympy as sp

from zotheory.context import Context
from zotheory.evidence.compared import Case
from zotheory.evidence.enclosed import enclosed
from zotheory.evidence.exact import Counterexample, refuted
from zotheory.search import Parameter, Point, Problem, Sides, search
from zotheory.vocabulary import Check, Claim, Evidence, Kind, Setting, Statement, Verdict

CHANGE = sp.Symbol("largest change of the estimate by another elite")
EPS, T = sp.Symbol("eps", positive=True), sp.Symbol("t", real=True)


def weights(order: tuple[int, ...], best: int) -> tuple[sp.Rational, ...]:
    """Eq. 5: the weight of each of M candidates, `order` naming them from the lowest loss on."""
    rest = len(order) - best
    places = {i: place for place, i in enumerate(order)}
    return tuple(
        sp.Rational(1, best) if places[i] < best else -sp.Rational(1, rest)
        for i in range(len(order))
    )


def guides(candidates: int, best: int) -> list[tuple[sp.Rational, ...]]:
    """The guiding vectors that the losses choose between, as weights, v and -v counted once."""
    found = {weights(order, best) for order in permutations(range(candidates))}
    return sorted({max(w, tuple(-x for x in w)) for w in found}, key=str)


def evenness() -> tuple[str, ...]:
    """Eq. 6 at -v is Eq. 6 at v, for every loss: derived along the line theta + t v.

    Raises ArithmeticError if it is not.
    """
    loss = sp.Function("L")  # L(t): the loss at theta + t v, any function

    def estimate(sign: int) -> sp.Expr:
        """The multiple of v that the guiding vector `sign` v gives."""
        return (loss(sign * EPS) - loss(-sign * EPS)) / (2 * EPS) * sign

    difference = sp.simplify(estimate(1) - estimate(-1))
    if difference != 0:
        raise ArithmeticError(f"the estimate along v and along -v differ by {difference}")
    return (
        f"along v the estimate is {estimate(1)} v, L(t) the loss at theta + t v, any function",
        f"along -v it is {estimate(-1)} v: their difference simplifies to {difference}",
    )


def _change(statement: Statement) -> Sequence[Case]:
    """0 if all elites give +-v; else what one of them changes on a linear loss."""
    candidates = statement.setting["M"]
    found = guides(candidates, candidates // 2)
    told = f"up to their sign, {len(found)} guiding vectors: weights {', '.join(map(str, found))}"
    if len(found) == 1:
        return [Case({"M": candidates}, {CHANGE: sp.Integer(0)}, steps=(told, *evenness()))]
    slopes = [sp.Integer(2**i) for i in range(candidates)]  # of the candidates, along g
    parts = [sum(w * y for w, y in zip(of, slopes, strict=True)) ** 2 for of in found]
    step = f"on a linear loss with slopes {slopes} their estimates' parts along g are {parts}"
    return [Case({"M": candidates}, {CHANGE: max(parts) - min(parts)}, steps=(told, step))]


def _problem(candidates: int) -> Problem:
    """How far the estimate moves by another elite, the losses' lowest against the first half.

    The loss is a sin(b t + c) + p t^2 + q t^3 + k |t - s| of t = theta + what is added.
    """
    sizes = ("a", "b", "c", "p", "q", "k", "s", "theta")
    names = [f"z{i}" for i in range(1, candidates + 1)]

    def sides(point: Point) -> Sides:
        z, eps = np.array([point[name] for name in names]), point["eps"]

        def loss(added: np.ndarray | float) -> np.ndarray:
            t = point["theta"] + added
            wave = point["a"] * np.sin(point["b"] * t + point["c"])
            return wave + point["p"] * t**2 + point["q"] * t**3 + point["k"] * abs(t - point["s"])

        def estimate(order: np.ndarray) -> float:
            v = np.dot(np.array(weights(tuple(order), candidates // 2), dtype=float), z)
            return float((loss(eps * v) - loss(-eps * v)) / (2 * eps) * v)

        chosen = estimate(np.argsort(loss(eps * z), kind="stable"))
        return Sides(abs(chosen - estimate(np.arange(candidates))), 0.0, 1e-9 * (1 + abs(chosen)))

    return Problem(
        "the estimate with the lowest losses as the elite against the first candidates",
        sides,
        lambda point, _: sides(point),
        (
            *(Parameter(name, -3.0, 3.0) for name in sizes),
            *(Parameter(name, -3.0, 3.0) for name in names),
            Parameter("eps", 1e-3, 3.0, "log"),
        ),
    )


def _search(statement: Statement, context: Context) -> Evidence:
    """An example shows that there is one; that none is found, the exact check explains."""
    context.tell(f"{context.claim}  searching for an estimate that the elite changes")
    seed = int.from_bytes(sha256(f"{context.seed}/{context.claim}".encode()).digest()[:4])
    evaluations = max(60, context.budget.evaluations // 10)
    outcome = search(_problem(statement.setting["M"]), seed, evaluations)
    claimed = isinstance(statement.formula, sp.Gt)
    if not outcome.found:
        told = f"no change in {outcome.evaluations:,} evaluations of losses, theta, eps and noise"
        numbers = {"evaluations": outcome.evaluations, "largest ratio": outcome.ratio}
        certificate = {"evaluations": outcome.evaluations, "ratio": outcome.ratio, "seed": seed}
        if not claimed:
            return Evidence(Kind.SEARCH, Verdict.CONFIRMED, told, numbers, certificate)
        return Evidence(Kind.SEARCH, Verdict.REFUTED, told, numbers, certificate)
    failed = Counterexample(outcome.point, claimed=sp.Integer(0), actual=outcome.lhs)
    if claimed:
        at = ", ".join(f"{name} = {value:.4g}" for name, value in outcome.point.items())
        told = f"the estimate changes by {float(outcome.lhs):.4g} at {at}"
        return Evidence(Kind.SEARCH, Verdict.CONFIRMED, told, {}, {"inputs": dict(outcome.point)})
    return refuted(statement, failed, statement.formula, (), None, Kind.SEARCH)


def _witness(_: Statement, __: Counterexample) -> str:
    return """import numpy as np

rng, largest = np.random.default_rng(0), 0.0
for _ in range(10_000):
    a, b, p, q, k, eps = rng.standard_normal(6) * 3
    theta, z1, z2 = rng.standard_normal((3, 2))

    def loss(t):
        return a * np.sin(b * t[0] + t[1]) + p * t[0] ** 2 * t[1] + q * t[1] ** 3 + k * abs(t[0])

    def estimate(v):  # Eq. 6
        return (loss(theta + eps * v) - loss(theta - eps * v)) / (2 * eps) * v

    lowest, other = sorted((z1, z2), key=lambda z: loss(theta + eps * z))
    change = np.linalg.norm(estimate(lowest - other) - estimate(other - lowest))
    largest = max(largest, change)
print("claimed: above", 0.0)  # at some loss, theta, eps
print("actual", largest)
"""


CLAIMS = (
    Claim(
        id="prior.gv.m2_ordering",
        where="App. A (M = 2), Eq. 5, 6, Alg. 1, 2",
        statement=Statement(
            "At M = 2, alpha = 1/2, the candidates' losses bear on the estimate of Eq. 6: there "
            "are a loss, a theta and an eps for which its law changes when the elite candidate is "
            "drawn by a fair coin in place of the lower loss. (Weakest reading of a guide by prior "
            "knowledge.)",
            sp.Gt(CHANGE, 0),
            setting={"M": 2},
        ),
        needs=(Kind.EXACT, Kind.SEARCH),
        checks=(enclosed(_change, _witness), Check(Kind.SEARCH, _search)),
        correction=Statement(
            "At M = 2 the two elites give v and -v, and Eq. 6 is the same at both: whatever the "
            "loss, theta and eps, the estimate does not change by which candidate is the elite, so "
            "that two of the step's four passes buy nothing. (At M = 4 they do bear on it.)",
            sp.Eq(CHANGE, 0),
            setting={"M": 2},
        ),
        setting=Setting(paper="any loss, M = 2, alpha = 1/2"),
    ),
)
