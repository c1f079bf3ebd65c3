"""One-sided differences round a shared point."""

from __future__ import annotations

import torch

from estimators.directions.base import Direction, Estimate, check_count
from estimators.evaluation import Evaluation, Weights


class OneSided(Direction):
    """(1/q) sum_i (f(theta + eps V_i) - f(theta)) / eps V_i. q + 1 evaluations.

    V_i = Z_i, or with `orthonormal` the Gram-Schmidt orthonormalisation of Z_1, ..., Z_q (over
    all tensors together) times sqrt(d), so that ||V_i||^2 = d as for Gaussian draws: the mean of
    the estimate on a linear loss is then g, and (q/d) times it is the projection of g.
    """

    def __init__(self, queries: int, *, orthonormal: bool = False) -> None:
        self.queries = check_count("queries", queries, 1)
        self.orthonormal = orthonormal

    def run(self, evaluation: Evaluation) -> Estimate:
        directions = self._directions(evaluation)
        points = [{}, *({d: evaluation.eps * w for d, w in v.items()} for v in directions)]
        first = evaluation.position()
        centre, *losses = evaluation.evaluate(points)
        terms: Weights = {}
        seen: dict[int, float] = {}
        for index, (loss, direction) in enumerate(zip(losses, directions, strict=True), 1):
            slope = (loss - centre) / evaluation.eps / self.queries
            seen[first + index] = slope / evaluation.eps
            for draw, weight in direction.items():
                terms[draw] = terms.get(draw, 0.0) + slope * weight
        return Estimate(terms, centre, points=seen)

    def _directions(self, evaluation: Evaluation) -> list[Weights]:
        draws = [evaluation.draw(query) for query in range(self.queries)]
        if not self.orthonormal:
            return [{draw: 1.0} for draw in draws]
        dimension = evaluation.dimension()
        if self.queries > dimension:
            raise ValueError(
                f"{self.queries} directions cannot be orthogonal in {dimension} weights"
            )
        # With G = L L^T the Gram matrix of the draws, the rows of L^-1 Z are orthonormal.
        gram = evaluation.gram(draws)
        factor, failed = torch.linalg.cholesky_ex(gram)
        left = factor.diagonal().square() / gram.diagonal()  # of each draw, off the ones before it
        if failed or left.min() < 1e-12:  # rounding leaves that much of nothing
            raise ValueError(f"{self.queries} draws are linearly dependent; use fewer queries")
        identity = torch.eye(self.queries, dtype=torch.float64, device="cpu")
        rows = torch.linalg.solve_triangular(factor, identity, upper=False) * dimension**0.5
        return [
            {draw: float(w) for draw, w in zip(draws[: i + 1], row, strict=False)}
            for i, row in enumerate(rows)
        ]
