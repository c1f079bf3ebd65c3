"""The rows of a comparison, and their order."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from zotheory.probing.measure import Estimator
from zotheory.probing.objectives import Objective
from zotheory.probing.quantities import Quantities
from zotheory.probing.theory import Exact


@dataclass(frozen=True)
class Row:
    """One estimator on one objective with d entries."""

    estimator: str
    own: bool
    objective: str
    entries: int
    samples: int
    found: Quantities

    @classmethod
    def of(
        cls,
        estimator: Estimator,
        objective: Objective,
        samples: int,
        found: Quantities,
        theory: Exact | None,
    ) -> Row:
        """The row with exact values beside the measured ones, where there is a theory."""
        d = objective.entries
        if theory is not None:
            spent, cos2 = found.losses - 1, theory.cos2
            efficiency = cos2 * d / spent if cos2 is not None and spent > 0 else None
            found = Quantities(
                found.losses,
                found.scale.beside(theory.scale),
                found.angle.beside(theory.angle),
                found.variance.beside(theory.variance),
                found.cos2.beside(cos2),
                found.efficiency.beside(efficiency),
            )
        return cls(estimator.name, estimator.own, objective.name, d, samples, found)


def objectives(rows: Sequence[Row]) -> tuple[str, ...]:
    """The objectives of rows, in the order asked for."""
    return tuple(dict.fromkeys(row.objective for row in rows))


def ranked(rows: Sequence[Row], objective: str) -> list[Row]:
    """The rows of one objective by falling efficiency, the exact one where it is known."""
    return sorted((row for row in rows if row.objective == objective), key=_efficiency)


def _efficiency(row: Row) -> float:
    """Sorts the most efficient first and what has no efficiency (NaN) last."""
    found = row.found.efficiency
    value = found.value if found.exact is None else found.exact
    return -value if value == value else math.inf
