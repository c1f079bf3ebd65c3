"""A probe: estimators in, a comparison out."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from joblib import Parallel, delayed

from zotheory.probing.lineup import lineup
from zotheory.probing.measure import Estimator, Factory, alone, measure
from zotheory.probing.objectives import Objective, ProbeError, cut, linear, quadratic
from zotheory.probing.quantities import quantities
from zotheory.probing.result import Comparison, Row
from zotheory.probing.theory import exact

BATCHES = 25  # of the jackknife
LEAST = 2 * BATCHES
OBJECTIVES = ("linear", "quadratic", "model")


def probe(
    *estimators: str | Factory,
    objectives: Sequence[str] = ("linear", "quadratic"),
    size: tuple[int, int] = (24, 16),
    samples: int = 1500,
    seed: int = 0,
    jobs: int = 1,
    model: str | None = None,
    tell: Callable[[int, int], None] = lambda done, total: None,
) -> Comparison:
    """Measure estimators of a gradient beside each other.

    Args:
        estimators: names of recipes ("tezo"), "module:factory", "path/to/file.py:factory", or
            factories themselves; all recipes where none is named.
            `factory(parameters, seed=seed)` takes a list of tensors (one m x n matrix of
            float64) and returns an object whose `estimate(closure)` gives its estimate of the
            gradient: a tensor per parameter, as a list or a dict in the parameters' order. It may
            move the parameters in place; `closure()` returns the loss at where they are, as a
            float. A class with such a constructor is a factory, and so is every recipe.
        objectives: "linear", "quadratic", "model" (a real gradient); the first is shown in full.
        size: m, n of the matrix.
        samples: estimates of each estimator on each objective, at least 50. Every one is the
            first of a fresh estimator with a new seed (see `measure`).
        seed: of the objectives and all estimates; the numbers depend on it alone, not on jobs.
        jobs: worker processes.
        model: the language model of the objective "model", a name or a path; adds that objective.
        tell: called with (finished measurements, all).

    Raises:
        ProbeError: an argument, an estimator or the model is unfit; the message says why.
    """
    m, n = size
    if min(m, n) < 1 or m * n < 2:
        raise ProbeError(f"the matrix must have two entries or more, not {m} x {n}")
    if samples < LEAST:
        raise ProbeError(f"{samples} samples are too few for intervals; take {LEAST} or more")
    chosen = dict.fromkeys((*objectives, "model") if model else objectives)
    company = lineup(estimators, m, n)
    problems = [_objective(name, m, n, seed, model) for name in chosen]
    pairs = [(e, problem) for problem in problems for e in company]
    with alone():
        theory = [exact(e.build(problem, seed)[0], problem) for e, problem in pairs]
    parts = np.array_split(np.arange(samples), BATCHES)
    tasks = (delayed(_measured)(e, problem, parts, seed) for e, problem in pairs)
    rows = []
    for found in Parallel(jobs, return_as="generator")(tasks):
        estimator, problem = pairs[len(rows)]
        rows.append(Row.of(estimator, problem, samples, found, theory[len(rows)]))
        tell(len(rows), len(pairs))
    return Comparison(tuple(rows))


def _measured(estimator: Estimator, objective: Objective, parts: list[np.ndarray], seed: int):
    return quantities([measure(estimator, objective, part.tolist(), seed) for part in parts])


def _objective(name: str, m: int, n: int, seed: int, model: str | None) -> Objective:
    if name == "linear":
        return linear(m, n, seed)
    if name == "quadratic":
        return quadratic(m, n, seed)
    if name == "model":
        from zotheory.probing.real import real_gradient

        return cut(*real_gradient(model), m, n, seed)
    raise ProbeError(f"no objective {name!r}; there are {', '.join(OBJECTIVES)}")
