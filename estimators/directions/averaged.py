"""The average of q two-sided differences."""

from __future__ import annotations

from estimators.directions.base import Direction, Estimate, check_count
from estimators.evaluation import Evaluation


class Averaged(Direction):
    """(1/q) sum_i kappa_i Z_i with independent Z_i (q-SPSA). 2q evaluations.

    Malladi et al. (2023), Definition 1 (n-SPSA).
    """

    def __init__(self, queries: int) -> None:
        self.queries = check_count("queries", queries, 1)

    def run(self, evaluation: Evaluation) -> Estimate:
        draws = [evaluation.draw(query) for query in range(self.queries)]
        points = [{draw: sign * evaluation.eps} for draw in draws for sign in (1.0, -1.0)]
        first = evaluation.position()
        losses = evaluation.evaluate(points)
        scale = 2.0 * evaluation.eps * self.queries
        pairs = zip(draws, losses[::2], losses[1::2], strict=True)
        terms = {draw: (plus - minus) / scale for draw, plus, minus in pairs}
        shares = [w / (2.0 * evaluation.eps) for w in terms.values() for w in (w, -w)]
        seen = {first + index: share for index, share in enumerate(shares)}
        return Estimate(terms, sum(losses) / len(losses), points=seen)
