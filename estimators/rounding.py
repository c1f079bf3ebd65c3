"""Stochastic rounding to 16-bit floats: E[round(x)] = x, so small updates are not lost."""

import torch
from torch import Tensor


def stochastic_round(x: Tensor, dtype: torch.dtype, generator: torch.Generator | None) -> Tensor:
    """Round float32 `x` to `dtype` (float16 or bfloat16), up or down at random, unbiased.

    With lo <= x <= hi the neighbours of x in `dtype`, the result is hi with probability
    (x - lo) / (hi - lo), in steps of 2^-24. A representable x is returned as it is; nothing is
    rounded to infinity that rounding to nearest keeps finite.
    """
    nearest = x.to(dtype)
    rest = x - nearest
    # Floats of one sign are ordered like their bit patterns: the neighbour is one integer away.
    bits = nearest.view(torch.int16)
    away = (rest > 0) == (nearest > 0)
    step = torch.where(away, 1, -1).to(torch.int16)
    neighbour = (bits + step).view(dtype)
    smallest = torch.ones((), dtype=torch.int16, device=x.device).view(dtype)
    neighbour = torch.where(nearest == 0, torch.copysign(smallest, rest.to(dtype)), neighbour)
    gap = neighbour.to(torch.float32) - nearest
    uniform = torch.rand(x.shape, device=x.device, generator=generator)
    return torch.where(uniform * gap.abs() < rest.abs(), neighbour, nearest)
