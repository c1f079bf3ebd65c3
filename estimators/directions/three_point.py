"""Two-sided difference with the centre (HiZOO)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from estimators.directions.base import Direction, Estimate

if TYPE_CHECKING:
    from estimators.probe import Probe


class ThreePoint(Direction):
    """kappa Z, and the curvature (f(+) - 2 f(0) + f(-)) / (2 eps^2) along Z.

    HiZOO (Zhao et al. 2024, Algorithm 1). Three evaluations.
    """

    def run(self, probe: Probe) -> Estimate:
        draw = probe.draw(0)
        first = probe.position()
        centre, plus, minus = probe.evaluate([{}, {draw: probe.eps}, {draw: -probe.eps}])
        slope = (plus - minus) / (2.0 * probe.eps)
        curvature = (plus - 2.0 * centre + minus) / (2.0 * probe.eps**2)
        points = {first + 1: slope / (2.0 * probe.eps), first + 2: -slope / (2.0 * probe.eps)}
        return Estimate({draw: slope}, centre, curvature, points)
