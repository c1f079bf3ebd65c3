"""A probe: estimators in, a comparison out."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from os import PathLike
from typing import Any

import numpy as np
from joblib import Parallel, delayed

from zotheory.arguments import flat, function, one_of, shown, whole
from zotheory.probing.lineup import lineup
from zotheory.probing.measure import Estimator, alone, measure
from zotheory.probing.objectives import Objective, ProbeError, cut, linear, quadratic
from zotheory.probing.quantities import Quantities, quantities
from zotheory.probing.result import Comparison
from zotheory.probing.rows import Row
from zotheory.probing.theory import exact

BATCHES = 25  # of the jackknife
LEAST = 2 * BATCHES
OBJECTIVES = ("linear", "quadratic", "model")


def probe(
    *estimators: Any,
    objectives: str | Sequence[str] = ("linear", "quadratic"),
    size: tuple[int, int] | str = (24, 16),
    samples: int = 1500,
    seed: int = 0,
    jobs: int = 1,
    model: str | PathLike[str] | None = None,
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
            float. A class with such a constructor is a factory, and so is every recipe. They may
            stand in lists.
        objectives: "linear", "quadratic", "model" (a real gradient); the first is shown in full.
            One will do.
        size: m, n of the matrix, or "24x16".
        samples: estimates of each estimator on each objective, at least 50. Every one is the
            first of a fresh estimator with a new seed (see `measure`).
        seed: of the objectives and all estimates; the numbers depend on it alone, not on jobs.
        jobs: worker processes.
        model: the language model of the objective "model", a name or a path; adds that objective.
        tell: called with (finished measurements, all).

    Raises:
        ProbeError: an argument, an estimator or the model is unfit; the message says why.
    """
    m, n = _size(size)
    samples = whole("samples", samples, LEAST, ProbeError)  # fewer give no intervals
    seed, jobs = whole("seed", seed, 0, ProbeError), whole("jobs", jobs, 1, ProbeError)
    tell = function("tell", tell, ProbeError)
    if model == "none":
        model = None
    asked = [one_of("objectives", name, OBJECTIVES, ProbeError) for name in flat(objectives)]
    chosen = dict.fromkeys(asked if model is None else (*asked, "model"))
    if not chosen:
        raise ProbeError(f"objectives must be some of {', '.join(OBJECTIVES)}, got none")
    named = list(flat(estimators))
    if estimators and not named:
        raise ProbeError("an empty list names no estimator; all recipes are probed without one")
    company = lineup(named, m, n)
    problems = [_objective(name, m, n, seed, model) for name in chosen]
    pairs = [(e, problem) for problem in problems for e in company]
    with alone():
        theory = [exact(e.build(problem, seed)[0], problem) for e, problem in pairs]
    parts = np.array_split(np.arange(samples), BATCHES)
    tasks = (delayed(_measured)(e, problem, parts, seed) for e, problem in pairs)
    rows: list[Row] = []
    for found in Parallel(jobs, return_as="generator")(tasks):
        estimator, problem = pairs[len(rows)]
        rows.append(Row.of(estimator, problem, samples, found, theory[len(rows)]))
        tell(len(rows), len(pairs))
    return Comparison(tuple(rows))


def _measured(
    estimator: Estimator, objective: Objective, parts: list[np.ndarray], seed: int
) -> Quantities:
    return quantities([measure(estimator, objective, part.tolist(), seed) for part in parts])


def _objective(
    name: str, m: int, n: int, seed: int, model: str | PathLike[str] | None
) -> Objective:
    if name == "linear":
        return linear(m, n, seed)
    if name == "quadratic":
        return quadratic(m, n, seed)
    from zotheory.probing.real import real_gradient

    return cut(*real_gradient(model), m, n, seed)


def _size(size: Any) -> tuple[int, int]:
    """m and n of a pair or of text such as "24x16"."""
    text = re.fullmatch(r"(\d+)x(\d+)", size) if isinstance(size, str) else None
    pair = [int(side) for side in text.groups()] if text else list(flat(size))
    if len(pair) != 2:
        raise ProbeError(f"size must be two numbers, such as (24, 16) or 24x16, got {shown(size)}")
    m, n = (whole("each number of size", side, 0, ProbeError) for side in pair)
    if min(m, n) < 1 or m * n < 2:
        raise ProbeError(f"the matrix must have two entries or more, not {m} x {n}")
    return m, n
