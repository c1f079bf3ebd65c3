"""Entries of the claims about batches of text, judged on made-up studies of a model."""

from types import SimpleNamespace

import numpy as np
import pytest

from zotheory.budget import BUDGETS
from zotheory.checks import modelled
from zotheory.claims import batches, select
from zotheory.context import Context
from zotheory.judge import judge
from zotheory.model.directions import NoiseStudy, StepStudy
from zotheory.montecarlo import MonteCarlo

IDS = (
    "smezo.fig2b.same_batch",
    "smezo.fig2b.held_out",
    "smezo.fig2c.large_weights",
    "own.held_out",
)
STEP, NORM = 1e-4, 50.0


def steps(directions: int = 204, seed: int = 0) -> StepStudy:
    """Four batches whose gradients have a common part, losses a little bent along the steps."""
    rng = np.random.default_rng(seed)
    count = batches.BATCHES
    cosines = np.array([0.9, 0.4])[:, None, None] * np.ones((count, count))
    for matrix in cosines:
        np.fill_diagonal(matrix, 1.0)
    cosines[:, 0, 1] = cosines[:, 1, 0] = (0.95, 0.1)
    start = np.array([[8.0], [1.0]]) * np.ones(count)
    ordered = [(i, j) for i in range(count) for j in range(count) if i != j]
    pairs = np.array([ordered[(t // 2) % len(ordered)] for t in range(directions)])
    slopes = np.empty((directions, 2, 2))
    for t, pair in enumerate(pairs):
        for loss, matrix in enumerate(cosines):
            root = np.linalg.cholesky(matrix[np.ix_(pair, pair)])
            slopes[t, loss] = NORM * root @ rng.standard_normal(2)
    at = start[:, pairs].transpose(1, 0, 2)
    ends = [at + sign * STEP * slopes + 1e-4 for sign in (1, -1)]
    return StepStudy(STEP, NORM**2 * cosines, start, pairs, np.stack(ends, axis=1), slopes)


def noise(draws: int = batches.DRAWS, seed: int = 0) -> NoiseStudy:
    """Noise on the largest weights that raises the losses more."""
    rng = np.random.default_rng(seed)
    norms = np.array(batches.NORMS)
    means = norms[:, None, None] ** 2 * np.array([[30.0, 20.0], [8.0, 4.0]])
    raises = means * (1 + 0.3 * rng.standard_normal((draws, len(norms), 2, 2)))
    return NoiseStudy(norms, raises, np.ones((2, batches.BATCHES)))


def entries() -> list[dict]:
    """One entry a claim of `IDS`, judged by its own checks on those studies."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(modelled, "_load", lambda name: SimpleNamespace(name=name))
        patch.setattr(batches, "steps", lambda context: steps())
        patch.setattr(batches, "noise", lambda context: noise())
        return [judge(claim, _context(claim.id)).to_json() for claim in select(IDS)]


def _context(claim: str) -> Context:
    return Context(claim, 0, BUDGETS["quick"], MonteCarlo(0), "made up", None)
