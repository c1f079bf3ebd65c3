"""Stochastic rounding to 16-bit floats: E[round(x)] = x, so that small numbers are not lost."""

import torch
from torch import Tensor


def stochastic_round(x: Tensor, dtype: torch.dtype, random: Tensor) -> Tensor:
    """Round float32 `x` to `dtype` (float16 or bfloat16), up or down at random, unbiased.

    With lo <= x <= hi the neighbours of x in `dtype`, the result is hi with probability
    (x - lo) / (hi - lo), in steps of 2^-16; `random` are uniform 16-bit integers of the shape of
    x. A representable x is returned as it is; nothing is rounded to infinity that rounding to
    nearest keeps finite.

    Example:
        >>> x = torch.full((40_000,), 1.0 + 2**-9)
        >>> random = torch.randint(-(2**15), 2**15, x.shape, dtype=torch.int16)
        >>> float(stochastic_round(x, torch.bfloat16, random).unique().float().sum())
        2.0078125
    """
    # Floats of one sign are ordered like their bit patterns: adding to the bits that `dtype`
    # drops carries into those that it keeps, with the probability wanted.
    dropped = 16 if dtype == torch.bfloat16 else 13
    mask = (1 << dropped) - 1
    bits = random.to(torch.int32).bitwise_and_(mask).add_(x.contiguous().view(torch.int32))
    result = bits.bitwise_and_(~mask).view(torch.float32)
    if dtype == torch.float16:  # below the smallest normal number the spacing is constant
        scaled = x.abs().mul_(2.0**24)
        up = random.to(torch.float32).add_(2.0**15).mul_(2.0**-16)
        small = up.add_(scaled).floor_().mul_(2.0**-24).copysign_(x)
        result = torch.where(scaled < 2.0**10, small, result)
    narrow = result.to(dtype)
    if x.device.type == "meta" or bool(narrow.isfinite().all()):
        return narrow
    return torch.where(narrow.isfinite(), narrow, x.to(dtype))
