"""Printed steps of zeroth-order algorithms, executed literally.

`run` executes the lines of one step; weights and noise may be arrays, numbers or symbols: whatever
adds and multiplies. `Schedule` executes the control flow that decides when a subspace is drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Evaluate:
    """name <- loss(W)."""

    name: str

    def __str__(self) -> str:
        return f"{self.name} <- loss(W)"


@dataclass(frozen=True)
class Perturb:
    """W <- W + scale * eps * Z, the same Z at every call: the generator is reset first."""

    scale: int = 1

    def __str__(self) -> str:
        return f"W <- W + ({self.scale}) eps Z"


@dataclass(frozen=True)
class Update:
    """rho <- (first - second) / (2 eps); W <- W - eta rho Z."""

    first: str
    second: str

    def __str__(self) -> str:
        return f"W <- W - eta (({self.first} - {self.second}) / (2 eps)) Z"


Line = Evaluate | Perturb | Update


@dataclass(frozen=True)
class Executed:
    """The weights just before the update, and after it."""

    before: Any
    after: Any


def run(
    lines: Sequence[Line], weights: Any, loss: Callable[[Any], Any], noise: Any, eps: Any, eta: Any
) -> Executed:
    """Execute the lines one after the other; the last one is the update.

    Raises ValueError where an update comes before the end or not at all, KeyError where it reads
    a loss that was not evaluated.
    """
    if [isinstance(line, Update) for line in lines].count(True) != 1 or not lines:
        raise ValueError("a step has one update")
    if not isinstance(lines[-1], Update):
        raise ValueError("the update is the last line of a step")
    losses: dict[str, Any] = {}
    for line in lines[:-1]:
        if isinstance(line, Evaluate):
            losses[line.name] = loss(weights)
        else:
            weights = weights + line.scale * eps * noise
    last = lines[-1]
    slope = (losses[last.first] - losses[last.second]) / (2 * eps)
    return Executed(before=weights, after=weights - eta * slope * noise)


@dataclass(frozen=True)
class Schedule:
    """for t = start, start + 1, ...: where (t + shift) mod F = 0 draw U, V; else keep the last."""

    start: int = 1
    shift: int = 0

    def drawn_at(self, interval: int, steps: int) -> Iterator[tuple[int, int | None]]:
        """(t, the step at which the U, V of step t were drawn or None if they are undefined)."""
        current = None
        for t in range(self.start, self.start + steps):
            if (t + self.shift) % interval == 0:
                current = t
            yield t, current
