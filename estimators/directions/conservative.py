"""Conservative two-sided difference (ZO-SGD-Cons)."""

from __future__ import annotations

from estimators.directions.base import Direction, Estimate, two_sided
from estimators.directions.two_point import TwoPoint
from estimators.evaluation import Evaluation


class Conservative(Direction):
    """kappa Z, -kappa Z or 0: whichever SGD step has the lowest loss on the same batch.

    ZO-SGD-Cons (Kim et al. 2021; Zhang et al. 2024, Sec. 3). Five evaluations: f(theta), the
    two-sided difference, and f(theta -/+ lr kappa Z). Ties prefer staying, then the forward step.
    The candidates are the steps of `SGD` without weight decay.
    """

    measured = TwoPoint()  # which of the steps is taken depends on the rate

    def run(self, evaluation: Evaluation) -> Estimate:
        draw = evaluation.draw(0)
        (centre,) = evaluation.evaluate([{}])
        found = two_sided(evaluation, {draw: 1.0})
        slope = found.slope
        forward, backward = evaluation.evaluate([{draw: -slope}, {draw: slope}], by="lr")
        losses = {0.0: centre, 1.0: forward, -1.0: backward}
        sign = min(losses, key=losses.__getitem__)
        return Estimate({draw: sign * slope}, centre, points=found.points(sign * slope))
