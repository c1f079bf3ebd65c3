"""Natural evolution strategies."""

from __future__ import annotations

from estimators.directions.base import Direction, Estimate, check_count
from estimators.evaluation import Evaluation


class NES(Direction):
    """(1 / (q - 1)) sum_i ((f(theta + eps Z_i) - mean f) / eps) Z_i. q evaluations.

    The search gradient of an isotropic Gaussian (Wierstra et al. 2014; Salimans et al. 2017) with
    the mean loss as baseline. Dividing by q - 1 instead of q makes it unbiased: it equals the
    average over i with the mean of the other losses as the baseline of draw i.
    """

    def __init__(self, queries: int) -> None:
        self.queries = check_count("queries", queries, 2)

    def run(self, evaluation: Evaluation) -> Estimate:
        draws = [evaluation.draw(query) for query in range(self.queries)]
        first, eps = evaluation.position(), evaluation.eps
        losses = evaluation.evaluate([{draw: eps} for draw in draws])
        mean = sum(losses) / self.queries
        scale = eps * (self.queries - 1)
        terms = {d: (loss - mean) / scale for d, loss in zip(draws, losses, strict=True)}
        seen = {first + index: weight / eps for index, weight in enumerate(terms.values())}
        return Estimate(terms, mean, points=seen)
