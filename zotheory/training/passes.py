"""Counting what a run costs, at the model itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from torch import nn
from transformers import PreTrainedModel

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
