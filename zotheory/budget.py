"""What a run may spend, and measures on unless told otherwise; the errors do not depend on it."""

from __future__ import annotations

from dataclasses import dataclass

OWN_MODEL = "smollm2-135m"  # what a run measures on unless told otherwise
ALPHA = 1e-4  # probability that one measured check wrongly refutes a true statement


@dataclass(frozen=True)
class Budget:
    """Limits of one run: `samples` scales Monte Carlo, `evaluations` bounds one search.

    `batches` is the number of different text batches that a model claim is measured over.
    """

    name: str
    samples: float
    evaluations: int
    batches: int


BUDGETS = {
    budget.name: budget
    for budget in (
        Budget("quick", samples=1.0, evaluations=4_000, batches=25),
        Budget("standard", samples=4.0, evaluations=6_000, batches=25),
        Budget("deep", samples=64.0, evaluations=100_000, batches=64),
    )
}
