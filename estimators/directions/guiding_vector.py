"""Guiding vector of M draws (MeZO-GV)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from estimators.directions.base import Direction, Estimate, check_count, two_sided

if TYPE_CHECKING:
    from estimators.probe import Probe


class GuidingVector(Direction):
    """A two-sided difference along v = mean of the best draws - mean of the others.

    "Prior-informed ZO", Eqs. 5 and 6, Algorithms 1 and 2: M draws are evaluated one-sided at
    theta + eps Z_i, the floor(alpha M) lowest losses are the elite. M + 2 evaluations. As printed,
    v points downhill; its sign cancels in kappa v. Ties keep the order of the draws.

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

    def run(self, probe: Probe) -> Estimate:
        draws = [probe.draw(query) for query in range(self.candidates)]
        losses = probe.evaluate([{draw: probe.eps} for draw in draws])
        order = sorted(range(self.candidates), key=losses.__getitem__)
        rest = self.candidates - self.best
        guide = {
            draws[index]: 1.0 / self.best if place < self.best else -1.0 / rest
            for place, index in enumerate(order)
        }
        slope, loss = two_sided(probe, guide)
        return Estimate({draw: slope * weight for draw, weight in guide.items()}, loss)
