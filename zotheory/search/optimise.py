"""The counterexample search: maximise log(lhs/rhs) with SciPy, then recheck in high precision."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice

import numpy as np
from joblib import Parallel, delayed
from scipy import optimize
from scipy.stats import qmc

from zotheory.search.problem import Point, Problem, Sides

_GLOBAL_SHARE = 0.6  # of a restart's evaluations; the rest polishes the best point found
_ROUNDING = 1e-12  # a smaller log(lhs/rhs) in floats is taken for equality
_FLAT = 700.0  # stands for an infinite violation, of either sign, towards the optimisers


@dataclass(frozen=True)
class Outcome:
    """What a search says.

    `found`: a point where the recheck has lhs > rhs by more than its error bound. Then `point`
    is that counterexample (rounded to few digits where that keeps most of the violation);
    otherwise the point with the largest ratio reached. `lhs`, `rhs`, `ratio` = lhs/rhs and `error`
    (bounding the error of lhs - rhs) are the recheck's. `evaluations` counts calls of `sides`.
    `rejected`: points where the floats showed a violation that the recheck did not confirm.
    """

    problem: str
    found: bool
    point: Point
    lhs: float
    rhs: float
    ratio: float
    error: float
    evaluations: int
    rejected: int


def search(
    problem: Problem,
    seed: int,
    evaluations: int = 6000,
    *,
    restarts: int = 3,
    workers: int = 1,
    digits: int = 12,
) -> Outcome:
    """Look for a point that violates the problem's inequality.

    A problem over a box: `restarts` independent runs share the evaluations; each is differential
    evolution followed by local polish (Powell, then Nelder-Mead). A problem over candidates: they
    are tried in order until the recheck confirms a violation or the evaluations are spent. Same
    seed, same outcome, whatever `workers`.

    Raises ValueError if evaluations < 20 per restart, restarts < 1 or digits < 5.
    """
    if restarts < 1 or digits < 5 or evaluations < 20 * restarts:
        raise ValueError(
            "needs restarts >= 1, digits >= 5 and at least 20 evaluations per restart, "
            f"got {restarts=}, {digits=}, {evaluations=}"
        )
    if problem.candidates is not None:
        return _enumerate(problem, problem.candidates(seed), evaluations, digits)
    problem.sides(problem.point(np.full(len(problem.parameters), 0.5)))  # a bad bound raises here
    seeds = np.random.SeedSequence(seed).spawn(restarts)
    runs = Parallel(n_jobs=workers)(
        delayed(_restart)(problem, child, evaluations // restarts) for child in seeds
    )
    spent = 1 + sum(run.evaluations for run in runs)
    best = sorted((run.best for run in runs), key=lambda pair: -pair[0])
    return _judge(problem, [problem.point(u) for _, u in best], spent, digits)


class _SpentError(Exception):
    """The evaluations are used up."""


class _Objective:
    """-log(lhs/rhs) on the unit cube; counts calls, remembers the best, stops at `limit`."""

    def __init__(self, problem: Problem, limit: int) -> None:
        self.problem, self.limit, self.evaluations = problem, limit, 0
        self.best = (-math.inf, np.full(len(problem.parameters), 0.5))

    def __call__(self, u: np.ndarray) -> float:
        if self.evaluations >= self.limit:
            raise _SpentError
        self.evaluations += 1
        u = np.clip(u, 0.0, 1.0)
        violation = self.problem.sides(self.problem.point(u)).violation
        if violation > self.best[0]:
            self.best = (violation, u.copy())
        return -min(max(violation, -_FLAT), _FLAT)


def _restart(problem: Problem, seed: np.random.SeedSequence, evaluations: int) -> _Objective:
    rng = np.random.default_rng(seed)
    objective = _Objective(problem, int(_GLOBAL_SHARE * evaluations))
    dimension = len(problem.parameters)
    cube = [(0.0, 1.0)] * dimension
    size = max(5, min(8 * dimension, objective.limit // 40))  # about 40 generations or more
    population = qmc.LatinHypercube(dimension, rng=rng).random(size)
    _spend(
        lambda: optimize.differential_evolution(
            objective, cube, init=population, rng=rng, maxiter=evaluations, tol=0, polish=False
        )
    )
    for share, method in ((0.8, "Powell"), (1.0, "Nelder-Mead")):
        used = objective.evaluations
        objective.limit = used + int(share * (evaluations - used))
        start = objective.best[1]
        _spend(partial(optimize.minimize, objective, start, method=method, bounds=cube))
    return objective


def _spend(run: Callable[[], object]) -> None:
    """Run an optimiser until it ends or its evaluations do."""
    try:
        run()
    except _SpentError:
        return


def _enumerate(
    problem: Problem, candidates: Iterator[Point], evaluations: int, digits: int
) -> Outcome:
    best: tuple[float, Point | None] = (-math.inf, None)
    rejected = count = 0
    for point in islice(candidates, evaluations):
        count += 1
        violation = problem.sides(point).violation
        if violation > 0:
            checked = problem.recheck(point, digits)
            if checked.violated:
                return _outcome(problem, point, checked, count, rejected)
            rejected += 1
        if violation > best[0]:
            best = (violation, point)
    if best[1] is None:
        raise ValueError(f"{problem.name}: no candidate satisfied the claim's hypotheses")
    return _outcome(problem, best[1], problem.recheck(best[1], digits), count, rejected)


def _judge(problem: Problem, points: list[Point], spent: int, digits: int) -> Outcome:
    """Recheck the restarts' best points, best first, up to the first confirmed violation."""
    rejected = 0
    checks: list[tuple[Point, Sides]] = []
    for index, point in enumerate(points):
        suspicious = problem.sides(point).violation > _ROUNDING
        if index > 0 and not suspicious:
            continue
        checked = problem.recheck(point, digits)
        if checked.violated:
            point, checked, tried = _round(problem, point, checked, digits)
            return _outcome(problem, point, checked, spent + tried, rejected)
        rejected += suspicious
        checks.append((point, checked))
    point, checked = max(checks, key=lambda pair: pair[1].violation)
    return _outcome(problem, point, checked, spent, rejected)


def _round(problem: Problem, point: Point, checked: Sides, digits: int) -> tuple[Point, Sides, int]:
    """The same counterexample in few digits, if 90% of log(lhs/rhs) can be kept."""
    goal = 0.9 * checked.violation
    tried = 0
    simple = point
    for parameter in problem.parameters:
        if parameter.low <= 0 <= parameter.high and simple[parameter.name] != 0:
            zeroed = {**simple, parameter.name: 0 if parameter.integer else 0.0}
            tried += 1
            if problem.sides(zeroed).violation >= goal:
                simple = zeroed
    for significant in (1, 2, 3, 6):
        rounded = {
            p.name: value if p.integer else p.clip(float(f"{value:.{significant}g}"))
            for p, value in ((p, simple[p.name]) for p in problem.parameters)
        }
        tried += 1
        if problem.sides(rounded).violation >= goal:
            rechecked = problem.recheck(rounded, digits)
            if rechecked.violated:
                return rounded, rechecked, tried
    return point, checked, tried


def _outcome(
    problem: Problem, point: Point, sides: Sides, evaluations: int, rejected: int
) -> Outcome:
    violation = sides.violation
    return Outcome(
        problem=problem.name,
        found=sides.violated,
        point=dict(point),
        lhs=float(sides.lhs),
        rhs=float(sides.rhs),
        ratio=math.exp(violation) if violation < _FLAT else math.inf,
        error=float(sides.error),
        evaluations=evaluations,
        rejected=rejected,
    )
