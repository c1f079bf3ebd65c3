"""Direction: what is done with draws of Z before the update."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import ClassVar

from estimators.evaluation import Evaluation
from estimators.noise import Draw


@dataclass(frozen=True)
class Estimate:
    """A gradient estimate sum_j g_j Z_j.

    terms: {Z_j: g_j}. loss: an estimate of the loss at theta. curvature: for three-point
    methods, (f(+) - 2 f(0) + f(-)) / (2 eps^2), an estimate of Z^T H Z / 2. points: the same
    estimate as {i: c_i}, sum_i c_i (P_i - theta) over points of evaluation by their position in
    the step; without it, rounding in the writing of noise is not accounted for.
    """

    terms: dict[Draw, float]
    loss: float
    curvature: float = 0.0
    points: dict[int, float] | None = None

    def times(self, factor: float) -> Estimate:
        """Return the estimate `factor` times as long, at the same loss and curvature."""
        points = self.points and {i: factor * share for i, share in self.points.items()}
        terms = {draw: factor * weight for draw, weight in self.terms.items()}
        return replace(self, terms=terms, points=points)


class Direction(ABC):
    """A way to choose the points of evaluation and to combine their losses."""

    # The direction by whose estimates a step size is measured; None for this one itself.
    measured: ClassVar[Direction | None] = None

    @abstractmethod
    def run(self, evaluation: Evaluation) -> Estimate:
        """Evaluate, and return the estimate."""


def check_count(name: str, value: int, least: int) -> int:
    """Return `value`, or raise ValueError if it is below `least`."""
    if value < least:
        raise ValueError(f"{name} must be at least {least}, got {value}")
    return value


@dataclass(frozen=True)
class Difference:
    """f(theta + eps v) - f(theta - eps v) over 2 eps, and the mean of both losses.

    plus: the position of the first point; the other follows.
    """

    slope: float
    loss: float
    plus: int
    eps: float

    def points(self, weight: float) -> dict[int, float]:
        """Return `weight` times v, as points of evaluation."""
        share = weight / (2.0 * self.eps)
        return {self.plus: share, self.plus + 1: -share}


def two_sided(evaluation: Evaluation, terms: dict[Draw, float]) -> Difference:
    """Return the difference along v = sum_j w_j Z_j, given by `terms`."""
    first, eps = evaluation.position(), evaluation.eps
    plus, minus = evaluation.evaluate(
        [{draw: sign * eps * w for draw, w in terms.items()} for sign in (1.0, -1.0)]
    )
    return Difference((plus - minus) / (2.0 * eps), (plus + minus) / 2.0, first, eps)
