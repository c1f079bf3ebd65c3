"""Steps as the papers print and publish them, for what is claimed of *them*.

MeZO's and TeZO-Adam's on whole tensors of noise, regenerated from a seed, weights moved in place;
MeZO's and LeZO's as their reference code loops; SVD-0's Algorithm 3 as lines to be executed on
arrays, numbers or symbols. The estimators write the same steps block by block, and none of their
code is here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

Closure = Callable[[], float]


def generator(seed: int, device: torch.device) -> torch.Generator | None:
    """The generator that a reset of the seed gives; None on the meta device: nothing is drawn."""
    return None if device.type == "meta" else torch.Generator(device).manual_seed(seed)


class MeZO:
    """MeZO (Malladi et al. 2023, Algorithm 1) on `weights`: +eps, -2 eps, +eps, update.

    `economical` adds the noise z in one operation, `w += (s eps) z`, for which z is the only other
    tensor; otherwise each step is the expression `w + s * z * eps` of the released code, whose
    products are tensors of their own.
    """

    def __init__(self, weights: Sequence[Tensor], eps: float, lr: float, economical: bool) -> None:
        self.weights = weights
        self.eps = eps
        self.lr = lr
        self.economical = economical

    @torch.no_grad()
    def step(self, closure: Closure, seed: int) -> None:
        """One step with the noise of `seed`."""
        self.perturb(1, seed)
        plus = closure()
        self.perturb(-2, seed)
        minus = closure()
        self.perturb(1, seed)
        kappa = (plus - minus) / (2 * self.eps)
        self._add(lambda z: -self.lr * (kappa * z), -self.lr * kappa, seed)

    @torch.no_grad()
    def perturb(self, sign: int, seed: int) -> None:
        """w <- w + sign * eps * z, z drawn anew from `seed`."""
        self._add(lambda z: sign * z * self.eps, sign * self.eps, seed)

    def _add(self, move: Callable[[Tensor], Tensor], scale: float, seed: int) -> None:
        source = generator(seed, self.weights[0].device)
        for w in self.weights:
            z = torch.randn(w.shape, dtype=w.dtype, device=w.device, generator=source)
            add(w, z, move, scale, self.economical)


def cycle(w: Tensor, z: Tensor, eps: float) -> None:
    """MeZO's three perturbations with one z, in place: every product and sum is rounded."""
    once, back = z * eps, (-2 * z).mul_(eps)
    w.add_(once).add_(back).add_(once)


class TeZOAdam:
    """TeZO-Adam (TeZO, Algorithm 1) on `weights`: factors drawn once, Z_t, M_t and V_t formed.

    Every matrix gets `rank` factor pairs; tensors that are no matrices, of which the paper says
    nothing, get dense noise and dense moments. `economical` works in place wherever a line allows
    it, which leaves M_t and V_t as whole tensors; otherwise every operation makes a new tensor.
    """

    def __init__(
        self,
        weights: Sequence[Tensor],
        rank: int,
        eps: float,
        lr: float,
        economical: bool,
        betas: tuple[float, float] = (0.9, 0.99),
        delta: float = 1e-5,
        seed: int = 0,
    ) -> None:
        self.weights = weights
        self.eps = eps
        self.lr = lr
        self.economical = economical
        self.betas = betas
        self.delta = delta
        source = generator(seed, weights[0].device)
        self.factors = [
            tuple(_normal((size, rank), w, source) for size in w.shape) if w.ndim == 2 else None
            for w in weights
        ]
        shapes = [(rank,) if f else w.shape for f, w in zip(self.factors, weights, strict=True)]
        self.first, self.second = (
            [
                torch.zeros(s, dtype=w.dtype, device=w.device)
                for s, w in zip(shapes, weights, strict=True)
            ]
            for _ in range(2)
        )

    @torch.no_grad()
    def step(self, closure: Closure, seed: int) -> None:
        """One step with the coordinates tau of `seed`."""
        self.perturb(1, seed)
        plus = closure()
        self.perturb(-2, seed)
        minus = closure()
        self.perturb(1, seed)
        self._update((plus - minus) / (2 * self.eps), seed)

    @torch.no_grad()
    def perturb(self, sign: int, seed: int) -> None:
        """W <- W + sign * rho * Z_t, tau drawn anew from `seed`."""
        source = generator(seed, self.weights[0].device)
        for k, w in enumerate(self.weights):
            z = self._expand(k, _normal(self.first[k].shape, w, source))
            add(w, z, lambda z: sign * z * self.eps, sign * self.eps, self.economical)

    def _update(self, kappa: float, seed: int) -> None:
        source = generator(seed, self.weights[0].device)
        beta1, beta2 = self.betas
        for k, w in enumerate(self.weights):
            tau = _normal(self.first[k].shape, w, source).mul_(kappa)
            self.first[k].lerp_(tau, 1 - beta1)
            self.second[k].mul_(beta2).addcmul_(tau, tau, value=1 - beta2)
            mean = self._expand(k, self.first[k])
            square = self._expand(k, self.second[k], power=2)
            if self.economical and self.factors[k]:
                w.sub_(mean.div_(square.add_(self.delta).sqrt_()), alpha=self.lr)
            else:
                step = mean / torch.sqrt(square + self.delta)
                w.copy_(w - self.lr * step)

    def _expand(self, k: int, coordinates: Tensor, power: int = 1) -> Tensor:
        """sum_s c_s u_s v_s^T, or the same of the squares of u_s and v_s."""
        if self.factors[k] is None:
            return coordinates
        u, v = (f**power for f in self.factors[k]) if power > 1 else self.factors[k]
        return (u * coordinates) @ v.T


def add(
    w: Tensor, z: Tensor, move: Callable[[Tensor], Tensor], scale: float, economical: bool
) -> None:
    """w <- w + scale * z, in one operation, or as the expression w + move(z)."""
    if economical:
        w.add_(z, alpha=scale)
    else:
        w.copy_(w + move(z))


def _normal(shape: Sequence[int], like: Tensor, source: torch.Generator | None) -> Tensor:
    return torch.randn(shape, dtype=like.dtype, device=like.device, generator=source)


class PublishedStep:
    """Perturb by +eps, -2 eps, +eps, then update, one parameter after the other, as released.

    MeZO (Malladi et al. 2023), Algorithm 1; with `layers`, LeZO's Algorithm 1: of the groups of
    parameters in `layers`, the share `sparsity` is skipped in every pass, drawn anew each step.
    Noise is drawn anew in every pass; nothing is fused, no two tensors are drawn at a time.
    """

    def __init__(
        self,
        model: nn.Module,
        lr: float,
        eps: float = 1e-3,
        layers: nn.ModuleList | None = None,
        sparsity: float = 0.75,
    ) -> None:
        self.parameters = [p for p in model.parameters() if p.requires_grad]
        self.lr, self.eps = lr, eps
        self.layers, self.sparsity = layers, sparsity
        self.steps = 0

    def __call__(self, closure: Callable[[], Tensor]) -> None:
        """Make one step."""
        kept = self._kept()
        self.steps += 1
        with torch.no_grad():
            self._move(kept, self.eps)
            plus = float(closure())
            self._move(kept, -2 * self.eps)
            minus = float(closure())
            self._move(kept, self.eps)
            self._move(kept, -self.lr * (plus - minus) / (2 * self.eps))

    def _kept(self) -> list[nn.Parameter]:
        if self.layers is None:
            return self.parameters
        count = int(self.sparsity * len(self.layers))
        generator = torch.Generator().manual_seed(self.steps)
        off = torch.randperm(len(self.layers), generator=generator)[:count].tolist()
        skipped = {id(p) for index in off for p in self.layers[index].parameters()}
        return [p for p in self.parameters if id(p) not in skipped]

    def _move(self, kept: list[nn.Parameter], scale: float) -> None:
        generator = torch.Generator(kept[0].device).manual_seed(self.steps)
        for parameter in kept:
            z = torch.empty_like(parameter).normal_(generator=generator)
            parameter.data = parameter.data + scale * z


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

    Weights and noise are whatever adds and multiplies: arrays, numbers or symbols.

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


# SVD-0, Algorithm 3, lines 12 to 20, and the step that they abbreviate (MeZO's, along U Z V^T).
PRINTED: tuple[Line, ...] = (
    Evaluate("l_plus"),
    Perturb(),
    Evaluate("l_minus"),
    Perturb(),
    Update("l_plus", "l_minus"),
)
MEANT: tuple[Line, ...] = (
    Perturb(1),
    Evaluate("l_plus"),
    Perturb(-2),
    Evaluate("l_minus"),
    Perturb(1),
    Update("l_plus", "l_minus"),
)
