"""Guiding vector of M draws (MeZO-GV)."""

from __future__ import annotations

from estimators.directions.base import Direction, Estimate, check_count, two_sided
from estimators.evaluation import Evaluation, Weights
from estimators.noise import Draw

_HALF = 0.5**0.5


class GuidingVector(Direction):
    """A two-sided difference along v = mean of the best draws - mean of the others.

    "Prior-informed ZO", Eqs. 5 and 6, Algorithms 1 and 2: M draws are evaluated one-sided at
    theta + eps Z_i, the floor(alpha M) lowest losses are the elite. M + 2 evaluations. As printed,
    v points downhill; its sign cancels in kappa v. Ties keep the order of the draws.

    If half of the candidates are the elite and draws are Gaussian, pairs of candidates are
    (Y_1 + Y_2) / sqrt 2 and (Y_1 - Y_2) / sqrt 2 with fresh draws Y. These are independent draws
    too; but whether the elite takes one or both of a pair, one of the two Y cancels in v, so that
    M / 2 draws are regenerated, not M, wherever v is added (14 or 15 against 19 in a step in
    place with M = 4, 14 against 16 in the forward pass).

    Raises ValueError unless both sets are non-empty.
    """

    def __init__(self, candidates: int, elite: float = 0.5) -> None:
        self.candidates = check_count("candidates", candidates, 2)
        self.best = int(elite * candidates)
        if not 1 <= self.best < candidates:
            raise ValueError(
                f"elite share {elite} of {candidates} candidates leaves {self.best} in the elite; "
                f"need 1 to {candidates - 1}"
            )

    def run(self, evaluation: Evaluation) -> Estimate:
        candidates = self._candidates(evaluation)
        losses = evaluation.evaluate([_combined([(evaluation.eps, z)]) for z in candidates])
        order = sorted(range(self.candidates), key=losses.__getitem__)
        rest = self.candidates - self.best
        shares = [1.0 / self.best] * self.best + [-1.0 / rest] * rest
        guide = _combined([(w, candidates[i]) for w, i in zip(shares, order, strict=True)])
        found = two_sided(evaluation, guide)
        terms = {draw: found.slope * weight for draw, weight in guide.items()}
        return Estimate(terms, found.loss, points=found.points(found.slope))

    def _candidates(self, evaluation: Evaluation) -> list[Weights]:
        draws = [evaluation.draw(query) for query in range(self.candidates)]
        if 2 * self.best != self.candidates or not evaluation.source.gaussian:
            return [{draw: 1.0} for draw in draws]
        pairs = zip(draws[::2], draws[1::2], strict=True)
        return [{y: _HALF, x: sign * _HALF} for y, x in pairs for sign in (1.0, -1.0)]


def _combined(parts: list[tuple[float, Weights]]) -> Weights:
    """Return the sum of weighted combinations of draws, without those that cancel."""
    total: dict[Draw, float] = {}
    for weight, combination in parts:
        for draw, share in combination.items():
            total[draw] = total.get(draw, 0.0) + weight * share
    return {draw: weight for draw, weight in total.items() if weight}
