"""A small optimiser that passes every check: MeZO on PyTorch alone, and where one can go wrong.

Each method is a place at which an optimiser of `wrong.py` does something else.
"""

from __future__ import annotations

import hashlib
import math
import signal
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor


class Right(torch.optim.Optimizer):
    """Two-sided differences along Gaussian noise in place, restored from copies, SGD."""

    def __init__(
        self, params: Any, lr: float = 1e-3, eps: float = 1e-3, seed: int | None = None
    ) -> None:
        self.eps = eps
        self.seed = int(torch.randint(2**62, ())) if seed is None else seed
        self.steps, self.equal, self.told = 0, 0, False
        super().__init__(params, {"lr": lr, "weight_decay": 0.0})
        if any(p.device.type == "meta" for p in self.parameters()):
            raise ValueError("weights on the meta device take no noise")

    def parameters(self) -> list[Tensor]:
        """Those that move now."""
        return [p for group in self.param_groups for p in group["params"] if p.requires_grad]

    def key(self, index: int, step: int) -> int:
        """The seed of one tensor's noise in one step."""
        text = f"{self.seed} {step} {index}"
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:7], "big")

    def noise(self, p: Tensor, index: int, where: str) -> Tensor:
        """Z of one tensor; where: "+", "-" or "update"."""
        generator = torch.Generator("cpu").manual_seed(self.key(index, self.steps))
        return torch.randn(p.shape, dtype=torch.float64, generator=generator, device="cpu")

    def noises(self, where: str) -> list[Tensor]:
        return [self.noise(p, i, where).to(p.dtype) for i, p in enumerate(self.parameters())]

    def perturb(self, kept: list[Tensor], noises: list[Tensor], scale: float) -> None:
        for p, w, z in zip(self.parameters(), kept, noises, strict=True):
            p.copy_(w + scale * z)

    def restore(self, kept: list[Tensor]) -> None:
        for p, w in zip(self.parameters(), kept, strict=True):
            p.copy_(w)

    def difference(self, plus: float, minus: float) -> float:
        return (plus - minus) / (2 * self.eps)

    def directions(self, seen: list[list[Tensor]], kept: list[Tensor]) -> list[Tensor]:
        """What is written, from what was seen at + and -: their difference, rounded as it was."""
        return [(a.double() - b.double()) / (2 * self.eps) for a, b in zip(*seen, strict=True)]

    def write(self, slope: float, along: list[Tensor], kept: list[Tensor]) -> None:
        group_of = {id(p): group for group in self.param_groups for p in group["params"]}
        for p, w, z in zip(self.parameters(), kept, along, strict=True):
            lr, decay = self.rate(group_of[id(p)]), group_of[id(p)]["weight_decay"]
            self.store(p, (1 - lr * decay) * w.double() - lr * slope * z)

    def rate(self, group: dict[str, Any]) -> float:
        return group["lr"]

    def store(self, p: Tensor, value: Tensor) -> None:
        p.copy_(value)

    @contextmanager
    def surroundings(self) -> Iterator[Callable[[], Any]]:
        """Leave what is round the step; gives the autocast in which its closure is called."""
        cast, kind = torch.is_autocast_enabled("cpu"), torch.get_autocast_dtype("cpu")
        with ExitStack() as stack:
            for context in (torch.inference_mode(False), torch.no_grad(), torch.device("cpu")):
                stack.enter_context(context)
            stack.enter_context(torch.autocast("cpu", enabled=False))
            yield lambda: torch.autocast("cpu", kind, cast, cache_enabled=False)

    @contextmanager
    def interrupts(self) -> Iterator[Callable[[Callable[[], Any]], Any]]:
        """Hold SIGINT back, but for what is called through what this gives."""
        held: list[int] = []
        if threading.current_thread() is not threading.main_thread():
            yield lambda call: call()
            return
        with ExitStack() as stack:
            old = signal.signal(signal.SIGINT, lambda number, frame: held.append(number))
            stack.callback(lambda: held and signal.raise_signal(signal.SIGINT))
            stack.callback(signal.signal, signal.SIGINT, old)
            yield lambda call: call()

    def value(self, loss: Any) -> float:
        value = float(loss)
        if not math.isfinite(value):
            raise ValueError(f"the loss is {value}")
        return value

    def look(self, losses: list[float]) -> None:
        self.equal = self.equal + 1 if losses[0] == losses[1] else 0
        if self.equal >= 5 and not self.told:
            self.told = True
            warnings.warn("the losses do not see the noise", stacklevel=3)

    def call(self, closure: Callable[[], Any], around: Callable[[], Any]) -> float:
        with around():
            return self.value(closure())

    def step(self, closure: Callable[[], Any] | None = None) -> float:
        if closure is None:  # asked for by torch.distributed.checkpoint, to have the state made
            return 0.0
        with self.interrupts() as through, self.surroundings() as around:
            kept = [p.clone() for p in self.parameters()]
            losses, seen = [], []
            try:
                for sign, where in ((1.0, "+"), (-1.0, "-")):
                    self.perturb(kept, self.noises(where), sign * self.eps)
                    seen.append([p.clone() for p in self.parameters()])
                    losses.append(through(lambda: self.call(closure, around)))
            finally:
                self.restore(kept)
            self.write(self.difference(*losses), self.directions(seen, kept), kept)
            self.look(losses)
            self.steps += 1
        return sum(losses) / 2

    def state_dict(self) -> dict[str, Any]:
        kept = super().state_dict()
        kept["param_groups"] = [
            {**g, "step": self.steps, "seed": self.seed} for g in kept["param_groups"]
        ]
        return kept

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict(state_dict)
        for group in self.param_groups:
            self.steps, self.seed = group.pop("step"), group.pop("seed")

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__.copy()
