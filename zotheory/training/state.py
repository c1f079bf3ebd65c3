"""Where a trial stands: all that is not in the weights and the optimiser."""

from __future__ import annotations

import re
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel

# Counting what a run costs, at the model itself.


BACKWARD = 2  # a backward pass has twice the products of a forward pass: by inputs and by weights


@dataclass
class Tally:
    """Forward and backward passes that were made, and tokens that the forward passes read."""

    forward: int = 0
    backward: int = 0
    tokens: int = 0

    @property
    def passes(self) -> int:
        """The cost in forward passes."""
        return self.forward + BACKWARD * self.backward

    def add(self, other: Tally) -> None:
        self.forward += other.forward
        self.backward += other.backward
        self.tokens += other.tokens


class Counter:
    """Sees every pass of the language model inside `model`, however it is wrapped."""

    def __init__(self, model: nn.Module) -> None:
        self._tally = Tally()
        base = next(m for m in model.modules() if isinstance(m, PreTrainedModel))
        base.register_forward_hook(self._passed, with_kwargs=True)

    @contextmanager
    def into(self, tally: Tally) -> Iterator[None]:
        """Count into `tally` inside this context."""
        before, self._tally = self._tally, tally
        try:
            yield
        finally:
            self._tally = before

    def _passed(self, module: nn.Module, args: tuple, kwargs: dict[str, Any], output: Any) -> None:
        self._tally.forward += 1
        self._tally.tokens += kwargs["input_ids"].numel()
        if output.logits.requires_grad:
            output.logits.register_hook(self._passed_back)

    def _passed_back(self, gradient: Any) -> None:
        self._tally.backward += 1


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
    rates: the (step, learning rate) from which on it held, where lr="auto" chose it; readings: what
    it measured, a `Reading` each as (step, own, fresh, curvature).
    seconds, peak: time and largest memory (bytes) of the steps alone.
    """

    step: int = 0
    steps_cost: Tally = field(default_factory=Tally)
    evaluations_cost: Tally = field(default_factory=Tally)
    recent: tuple[float, int] = (0.0, 0)
    seconds: float = 0.0
    peak: int = 0
    history: list[Point] = field(default_factory=list)
    rates: list[list[float]] = field(default_factory=list)
    readings: list[list[float]] = field(default_factory=list)
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


# Peak memory: of the GPU's allocator, or of the whole process on a CPU.


_SELF = Path("/proc/self")


def restart_peak(device: torch.device) -> None:
    """Forget the peak so far, where the system can."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return
    # Where this is not Linux, or not allowed, the peak is that of the process's whole life.
    with suppress(OSError):
        (_SELF / "clear_refs").write_text("5")


def peak_bytes(device: torch.device) -> int:
    """The largest number of bytes in use since `restart_peak`."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    try:
        (found,) = re.findall(r"VmHWM:\s+(\d+) kB", (_SELF / "status").read_text())
        return 1024 * int(found)
    except (OSError, ValueError):
        unit = 1 if sys.platform == "darwin" else 1024
        return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
