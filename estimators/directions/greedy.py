"""Greedy choice among M draws (MeZO-Greedy)."""

from __future__ import annotations

from estimators.directions.base import Direction, Estimate, check_count, two_sided
from estimators.evaluation import Evaluation


class Greedy(Direction):
    """A two-sided difference along the draw of lowest loss f(theta + eps Z_i).

    "Prior-informed ZO", Eqs. 7 and 8, Algorithms 3 and 4. M + 2 evaluations, as printed: the
    loss at theta + eps Z* is evaluated a second time.
    """

    def __init__(self, candidates: int) -> None:
        self.candidates = check_count("candidates", candidates, 1)

    def run(self, evaluation: Evaluation) -> Estimate:
        draws = [evaluation.draw(query) for query in range(self.candidates)]
        losses = evaluation.evaluate([{draw: evaluation.eps} for draw in draws])
        best = draws[min(range(self.candidates), key=losses.__getitem__)]
        found = two_sided(evaluation, {best: 1.0})
        return Estimate({best: found.slope}, found.loss, points=found.points(found.slope))
