"""The log of a run: its seed, losses and rates, from which the weights can be rebuilt."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

if TYPE_CHECKING:
    from estimators.zeroth_order import ZerothOrder


class Log:
    """What a run is made of besides its method: a few numbers a step.

    seed: of all noise. losses[t]: the values the closure returned in step t, in order; every
    projected gradient is a function of them, (losses[t][0] - losses[t][1]) / (2 eps) for MeZO.
    rates: (step, learning rates, weight decays) of all groups, where they changed.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.losses: list[list[float]] = []
        self.rates: list[tuple[int, list[float], list[float]]] = []

    def __len__(self) -> int:
        return len(self.losses)

    def record(self, losses: list[float], groups: list[dict[str, Any]]) -> None:
        """Append a step."""
        now = [[float(group[key]) for group in groups] for key in ("lr", "weight_decay")]
        if not self.rates or list(self.rates[-1][1:]) != now:
            self.rates.append((len(self.losses), *now))
        self.losses.append(losses)

    def state_dict(self) -> dict[str, Any]:
        """Return the log as tensors, losses in 32 bits if they are 32-bit numbers."""
        counts = [len(losses) for losses in self.losses]
        return {
            "seed": self.seed,
            "losses": _narrow([loss for losses in self.losses for loss in losses]),
            "counts": torch.tensor(counts, dtype=torch.int16),
            "changes": torch.tensor([step for step, _, _ in self.rates], dtype=torch.int32),
            "lr": _narrow([lr for _, lr, _ in self.rates]),
            "weight_decay": _narrow([decay for _, _, decay in self.rates]),
        }

    @classmethod
    def from_state_dict(cls, state: dict[str, Any]) -> Log:
        """Return the log that `state_dict` described."""
        log = cls(state["seed"])
        parts = state["losses"].double().split(state["counts"].tolist())
        log.losses = [part.tolist() for part in parts] if len(state["counts"]) else []
        columns = (state[key].tolist() for key in ("changes", "lr", "weight_decay"))
        log.rates = list(zip(*columns, strict=True))
        return log

    def save(self, path: str | Path) -> None:
        """Write the log to a file."""
        torch.save(self.state_dict(), path)

    @classmethod
    def load(cls, path: str | Path) -> Log:
        """Read a log from a file."""
        return cls.from_state_dict(torch.load(path, weights_only=True))


def _narrow(values: list) -> Tensor:
    exact = torch.tensor(values, dtype=torch.float64)
    narrow = exact.float()
    return narrow if torch.equal(narrow.double(), exact) else exact


def replay(optimizer: ZerothOrder, log: Log) -> None:
    """Rebuild the weights of a logged run, bit for bit, without evaluating anything.

    `optimizer` is built like that of the run, over the weights it started from (or, resumed,
    those it had after `optimizer.steps` steps). Learning rates and weight decays are the logged
    ones. In place, the weights go through the same perturbations as in the run, since its
    rounding errors are part of it.

    Raises ValueError if the log does not fit the method or is shorter than `optimizer.steps`.
    """
    if optimizer.steps > len(log):
        raise ValueError(f"the log has {len(log)} steps, the optimiser is at {optimizer.steps}")
    optimizer.seed = optimizer.log.seed = log.seed
    start = optimizer.steps
    rates = {max(start, step): values for step, *values in log.rates}
    for step in range(start, len(log)):
        if step in rates:
            _set_rates(optimizer, *rates[step])
        optimizer.advance(recorded=log.losses[step])


def _set_rates(optimizer: ZerothOrder, lrs: list[float], decays: list[float]) -> None:
    if len(lrs) != len(optimizer.param_groups):
        raise ValueError("the log has another number of parameter groups")
    for group, lr, decay in zip(optimizer.param_groups, lrs, decays, strict=True):
        group["lr"], group["weight_decay"] = lr, decay
