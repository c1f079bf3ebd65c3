"""How far weights move when nothing should move them: perturbation cycles at learning rate 0."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from estimators.streams import Stream
from estimators.zeroth_order import ZerothOrder
from zotheory.counting.passes import Passes

SCALE = 0.02  # standard deviation of the weights
_PIECE = 1 << 15  # weights of one stream: PyTorch's kernels stay on the calling thread


@dataclass(frozen=True)
class Drift:
    """How many weights are not what they were, and ||w - w_0|| / ||w_0||."""

    changed: int
    moved: float


def drift_of(before: Tensor, after: Tensor) -> Drift:
    """The drift between two vectors of one type; NaN and -0 against 0 count as changed bits."""
    bits = {2: torch.int16, 4: torch.int32, 8: torch.int64}[before.element_size()]
    changed = int((before.view(bits) != after.view(bits)).sum())
    start = before.double()
    return Drift(changed, float((after.double() - start).norm() / start.norm()))


@cache
def printed_cycles(
    size: int, cycles: int, dtypes: tuple[torch.dtype, ...], eps: float, seed: int
) -> dict[torch.dtype, Drift]:
    """MeZO's cycle as released, w <- w + s * z * eps for s = 1, -2, 1, on `size` weights.

    Weights are N(0, 0.02^2) rounded to each type; every cycle has new standard normal z, drawn in
    32 bits and rounded to the type (as accelerators draw them), the same for its three
    perturbations, as regeneration from a seed makes them.
    """

    def run(piece: int) -> dict[torch.dtype, tuple[Tensor, Tensor]]:
        count = min(_PIECE, size - piece * _PIECE)
        source = Stream(torch.device("cpu"), "drift", seed, piece).generator()
        drawn = SCALE * torch.randn(count, generator=source)
        before = {dtype: drawn.to(dtype) for dtype in dtypes}
        weights = {dtype: w.clone() for dtype, w in before.items()}
        z = torch.empty(count)
        for _ in range(cycles):
            z.normal_(generator=source)
            for dtype, w in weights.items():
                cycle(w, z.to(dtype), eps)
        return {dtype: (before[dtype], weights[dtype]) for dtype in dtypes}

    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        pieces = list(pool.map(run, range(-(-size // _PIECE))))
    joined = {
        d: [torch.cat(both) for both in zip(*(p[d] for p in pieces), strict=True)] for d in dtypes
    }
    return {dtype: drift_of(before, after) for dtype, (before, after) in joined.items()}


def cycle(w: Tensor, z: Tensor, eps: float) -> None:
    """MeZO's three perturbations with one z, in place: every product and sum is rounded."""
    once, back = z * eps, (-2 * z).mul_(eps)
    w.add_(once).add_(back).add_(once)


@cache
def own_steps(
    recipe: Callable[..., ZerothOrder],
    size: int,
    steps: int,
    dtype: torch.dtype,
    eps: float,
    seed: int,
    restore: str | None = None,
) -> Drift:
    """Steps of one of our optimisers at learning rate 0 on such weights; `restore` as there."""
    source = Stream(torch.device("cpu"), "drift", seed).generator()
    weights = (SCALE * torch.randn(size, generator=source)).to(dtype)
    parameter = torch.nn.Parameter(weights.clone())
    optimizer = recipe([parameter], lr=0.0, eps=eps, seed=seed, restore=restore)
    closure = Passes()
    for _ in range(steps):
        optimizer.step(closure)
    return drift_of(weights, parameter.detach())
