"""Where a trial stands: all that is not in the weights and the optimiser."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from zotheory.training.passes import Tally


@dataclass(frozen=True)
class Point:
    """An evaluation on the validation sentences.

    train_loss: the mean over the steps since the evaluation before, as the method saw it; None
    before the first step. passes, seconds: spent on steps so far.
    """

    step: int
    passes: int
    train_loss: float | None
    loss: float
    accuracy: float
    seconds: float


@dataclass
class State:
    """Steps made, what they and the evaluations cost, and the course of the losses.

    recent: the sum of the losses of the steps since the last evaluation, and their number.
    seconds, peak: time and largest memory (bytes) of the steps alone.
    """

    step: int = 0
    steps_cost: Tally = field(default_factory=Tally)
    evaluations_cost: Tally = field(default_factory=Tally)
    recent: tuple[float, int] = (0.0, 0)
    seconds: float = 0.0
    peak: int = 0
    history: list[Point] = field(default_factory=list)
    diverged: bool = False

    @property
    def best(self) -> Point:
        """The evaluation with the lowest loss, the first of several."""
        return min(self.history, key=lambda point: point.loss)

    def to_json(self) -> dict[str, Any]:
        """The state as plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> State:
        """The state that `to_json` described."""
        return cls(
            **{
                **values,
                "steps_cost": Tally(**values["steps_cost"]),
                "evaluations_cost": Tally(**values["evaluations_cost"]),
                "recent": tuple(values["recent"]),
                "history": [Point(**point) for point in values["history"]],
            }
        )
