"""What a run tells while it works; nothing, unless someone overrides this."""

from __future__ import annotations

from zotheory.training.state import Point, State


class Watch:
    """Hears of every step and every evaluation."""

    def begin(self, title: str, total: int, unit: str) -> None:
        """Something begins that takes `total` passes, steps or sentences (`unit`)."""

    def step(self, state: State, done: int) -> None:
        """A step was made; `done` counts towards the total."""

    def evaluated(self, point: Point, best: bool) -> None:
        """An evaluation was made, the best so far or not."""

    def tell(self, what: str) -> None:
        """Something else is being done."""
