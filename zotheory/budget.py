"""What a run may spend, and measures on unless told otherwise; the errors do not depend on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

OWN_MODEL = "smollm2-135m"  # what a run measures on unless told otherwise
ALPHA = 1e-4  # probability that one measured check wrongly refutes a true statement

BudgetName = Literal["quick", "standard", "deep"]


@dataclass(frozen=True)
class Budget:
    """Limits of one run: `samples` scales Monte Carlo, `evaluations` bounds one search.

    `batches` is the number of different text batches that a model claim is measured over.
    """

    name: BudgetName
    samples: float
    evaluations: int
    batches: int


BUDGETS: dict[str, Budget] = {
    budget.name: budget
    for budget in (
        Budget("quick", samples=1.0, evaluations=4_000, batches=25),
        Budget("standard", samples=4.0, evaluations=6_000, batches=25),
        Budget("deep", samples=64.0, evaluations=100_000, batches=64),
    )
}
