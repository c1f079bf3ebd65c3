"""Two-sided difference with the centre (HiZOO)."""

from __future__ import annotations

from estimators.directions.base import Direction, Estimate
from estimators.evaluation import Evaluation


class ThreePoint(Direction):
    """kappa Z, and the curvature (f(+) - 2 f(0) + f(-)) / (2 eps^2) along Z.

    HiZOO (Zhao et al. 2024, Algorithm 1). Three evaluations.
    """

    def run(self, evaluation: Evaluation) -> Estimate:
        draw, eps = evaluation.draw(0), evaluation.eps
        first = evaluation.position()
        centre, plus, minus = evaluation.evaluate([{}, {draw: eps}, {draw: -eps}])
        slope = (plus - minus) / (2.0 * eps)
        curvature = (plus - 2.0 * centre + minus) / (2.0 * eps**2)
        points = {first + 1: slope / (2.0 * eps), first + 2: -slope / (2.0 * eps)}
        return Estimate({draw: slope}, centre, curvature, points)
