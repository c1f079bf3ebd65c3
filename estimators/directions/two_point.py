"""One two-sided difference (MeZO)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from estimators.directions.base import Direction, Estimate, two_sided

if TYPE_CHECKING:
    from estimators.probe import Probe


class TwoPoint(Direction):
    """kappa Z with kappa = (f(theta + eps Z) - f(theta - eps Z)) / (2 eps): SPSA.

    Malladi et al. (2023), Definition 1; TeZO, Eq. 2. Two evaluations.
    """

    def run(self, probe: Probe) -> Estimate:
        draw = probe.draw(0)
        found = two_sided(probe, {draw: 1.0})
        return Estimate({draw: found.slope}, found.loss, points=found.points(found.slope))
