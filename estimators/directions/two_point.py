"""One two-sided difference (MeZO)."""

from __future__ import annotations

from estimators.directions.base import Direction, Estimate, two_sided
from estimators.evaluation import Evaluation


class TwoPoint(Direction):
    """kappa Z with kappa = (f(theta + eps Z) - f(theta - eps Z)) / (2 eps): SPSA.

    Malladi et al. (2023), Definition 1; TeZO, Eq. 2. Two evaluations.
    """

    def run(self, evaluation: Evaluation) -> Estimate:
        draw = evaluation.draw(0)
        found = two_sided(evaluation, {draw: 1.0})
        return Estimate({draw: found.slope}, found.loss, points=found.points(found.slope))
