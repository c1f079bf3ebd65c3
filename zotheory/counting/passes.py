"""Forward passes, and losses for runs in which the loss is beside the point."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Passes:
    """A closure that counts its calls and returns 2, 1, 2, 1, ...

    Runs on the meta device have no loss; alternating values keep projected gradients from
    vanishing, so that a step writes its update. `forward` is called each time, for what it holds.
    """

    def __init__(self, forward: Callable[[], Any] = lambda: None) -> None:
        self.forward = forward
        self.made = 0

    def __call__(self) -> float:
        self.forward()
        self.made += 1
        return 1.0 + self.made % 2
