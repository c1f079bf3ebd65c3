"""Directions centred at their own momentum (ZO-AdaMU)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from estimators import philox
from estimators.evaluation import Evaluation
from estimators.kept import kept
from estimators.noise import DenseNoise, Entries
from estimators.perturbations.base import Perturbation, Rebase
from estimators.slots import Slot
from estimators.streams import Stream


class MomentumCentredNoise(DenseNoise):
    """m' = beta1 z0 + (1 - beta1) z1, z0 ~ N(0, alpha), z1 ~ N(m, 1 - alpha).

    m' = r s + (1 - beta1) m with a normal s, so that one stream is drawn wherever m' is added; z0
    and z1 are made of s and a second one: of all that add up to m', they are the independent ones.
    """

    def __init__(
        self, slot: Slot, stream: Stream, second: Stream, alpha: float, beta1: float, beta2: float
    ) -> None:
        super().__init__(slot, stream)
        self.second = second
        self.alpha = alpha
        self.beta1 = beta1
        self.beta2 = beta2
        self._shares = beta1 * math.sqrt(alpha), (1.0 - beta1) * math.sqrt(1.0 - alpha)

    @kept
    def entries(self) -> Entries:
        keep, r = self.both
        return Entries(((r, self.stream.key),), dense=(keep, self.slot.state["m"]))

    @kept
    def mix(self) -> tuple[float, float, float, float]:
        """(a, b, c, d) of z0 = a s + b t and z1 = m + c s + d t, t the second normal numbers."""
        (c0, c1), size = self._shares, math.hypot(*self._shares)
        a0, a1 = math.sqrt(self.alpha) / size, math.sqrt(1.0 - self.alpha) / size
        return a0 * c0, a0 * c1, a1 * c1, -a1 * c0

    @property
    def both(self) -> tuple[float, float]:
        """(1 - beta1, r) of m' = (1 - beta1) m + r s."""
        return 1.0 - self.beta1, math.hypot(*self._shares)

    def normals(self, rows: slice) -> tuple[Tensor, Tensor | None]:
        """Return some rows of s and of t, None if z0 and z1 are made of s alone."""
        _, b, _, d = self.mix
        return self._drawn(self.stream, rows), self._drawn(self.second, rows) if b or d else None

    def parts(self, rows: slice) -> tuple[Tensor, Tensor, Tensor]:
        """Return some rows of s, z0 and z1."""
        (a, b, c, d), (s, t) = self.mix, self.normals(rows)
        z0, z1 = s * a, (s * c).add_(self.slot.state["m"][rows])
        if t is not None:
            z0.add_(t * b)
            z1.add_(t * d)
        return s, z0, z1

    def _drawn(self, stream: Stream, rows: slice) -> Tensor:
        slot = self.slot
        shape = rows.stop - rows.start, slot.n
        out = torch.empty(shape, dtype=slot.compute_dtype, device=slot.device)
        return philox.normals(out, stream.key, rows.start * slot.n)

    def mixed(self, s: Tensor, rows: slice) -> Tensor:
        """Return some rows of m', from those of s."""
        return self.added(None, s, rows, 1.0)

    def added(self, base: Tensor | None, s: Tensor, rows: slice, weight: float) -> Tensor:
        """Return some rows of `base` + `weight` m', rounded as `entries` are added."""
        keep, r = self.both
        mean = self.slot.state["m"][rows] * (weight * keep)
        total = mean if base is None else mean.add_(base)
        return total.add_(s * (weight * r))


class MomentumCentred(Perturbation):
    """Z is a mix of fresh noise and noise centred at the last direction (ZO-AdaMU).

    Jiang et al. (2024), Algorithm 1: z0 ~ N(0, alpha_t), z1 ~ N(m_t, 1 - alpha_t),
    Z = m_{t+1} = beta1 z0 + (1 - beta1) z1. alpha, beta1 and (for the second moment) beta2 are
    1 for the first `warmup` steps, then follow half a cosine,
    (1 + cos(pi phi (t - warmup) / (horizon - warmup))) / 2 with phi = 1, 0.1 and 1.5, and keep
    their value of `plateau` from there on. The released code changes the period at every call,
    hence with the number of tensors; the schedule here is a function of t alone.
    """

    def __init__(self, warmup: int, plateau: int, horizon: int) -> None:
        if not 0 <= warmup < plateau <= horizon:
            raise ValueError(
                f"need 0 <= warmup < plateau <= horizon, got {warmup}, {plateau}, {horizon}"
            )
        self.warmup = warmup
        self.plateau = plateau
        self.horizon = horizon

    def anneal(self, step: int, phi: float) -> float:
        """Return the value of the schedule with speed `phi` at `step`."""
        passed = max(0, min(step, self.plateau) - self.warmup)
        phase = min(1.0, phi * passed / (self.horizon - self.warmup))
        return (1.0 + math.cos(math.pi * phase)) / 2.0

    def prepare(self, slots: Sequence[Slot], evaluation: Evaluation, rebase: Rebase) -> None:
        for slot in slots:
            if "m" not in slot.state:
                shape = slot.m, slot.n
                slot.state["m"] = torch.zeros(shape, dtype=slot.compute_dtype, device=slot.device)

    def draw(self, slot: Slot, seed: int, step: int, query: int) -> MomentumCentredNoise:
        alpha, beta1, beta2 = (self.anneal(step, phi) for phi in (1.0, 0.1, 1.5))
        first = slot.stream(seed, "z", step, query)
        second = slot.stream(seed, "z1", step, query)
        return MomentumCentredNoise(slot, first, second, alpha, beta1, beta2)
