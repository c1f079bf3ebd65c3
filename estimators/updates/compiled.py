"""Updates with dense moments compiled for the CPU by numba: one pass over memory, not one a term.

They equal what the updates say in PyTorch bit for bit in float32: every product, sum, quotient and
root is rounded to nearest by itself. Arrays are flat, contiguous and as long as each other;
`numbers` are in an array, too, so that they have the same type.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from estimators.philox.compiled import jit


@jit
def sign(w: Any, z: Any, numbers: Any) -> None:
    """w <- scale (w + back z) - lr sign(g) with g = weight z."""
    weight, back, scale, lr = numbers[0], numbers[1], numbers[2], numbers[3]
    for i in range(len(w)):
        g = z[i] * weight
        step = lr if g > 0 else -lr if g < 0 else lr - lr
        w[i] = (w[i] + z[i] * back) * scale - step


@jit
def momentum(w: Any, z: Any, m: Any, numbers: Any) -> None:
    """m <- beta m + rest g and w <- scale (w + back z) - lr m with g = weight z."""
    weight, back, scale, lr = numbers[0], numbers[1], numbers[2], numbers[3]
    beta, rest = numbers[4], numbers[5]
    for i in range(len(w)):
        first = m[i] * beta + z[i] * weight * rest
        m[i] = first
        w[i] = (w[i] + z[i] * back) * scale - first * lr


@jit
def adam(w: Any, z: Any, m: Any, v: Any, numbers: Any) -> None:
    """m <- beta1 m + rest1 g, v <- beta2 v + rest2 g^2 with g = weight z, and
    w <- scale (w + back z) - lr m / ((sqrt(v_share v) + delta) m_share).
    """
    weight, back, scale, lr = numbers[0], numbers[1], numbers[2], numbers[3]
    beta1, rest1, beta2, rest2 = numbers[4], numbers[5], numbers[6], numbers[7]
    v_share, delta, m_share = numbers[8], numbers[9], numbers[10]
    for i in range(len(w)):
        g = z[i] * weight
        first = m[i] * beta1 + g * rest1
        second = v[i] * beta2 + g * g * rest2
        m[i] = first
        v[i] = second
        root = np.sqrt(second * v_share) + delta
        w[i] = (w[i] + z[i] * back) * scale - first / (root * m_share) * lr


@jit
def adamu(w: Any, s: Any, t: Any, m: Any, numbers: Any) -> None:
    """w <- scale (w + back_m m + back_s s) + step m' / sqrt(v + delta) and m <- m' with
    m' = keep m + r s and v = rest2 (m + c s + d t)^2 + beta2 (a s + b t)^2.
    """
    a, b, c, d = numbers[0], numbers[1], numbers[2], numbers[3]
    keep, r, back_m, back_s = numbers[4], numbers[5], numbers[6], numbers[7]
    scale, step = numbers[8], numbers[9]
    beta2, rest2, delta = numbers[10], numbers[11], numbers[12]
    for i in range(len(w)):
        fresh = s[i] * a + t[i] * b
        past = m[i] + s[i] * c + t[i] * d
        root = np.sqrt(past * past * rest2 + fresh * fresh * beta2 + delta)
        there = (m[i] * back_m + w[i] + s[i] * back_s) * scale
        first = m[i] * keep + s[i] * r
        m[i] = first
        w[i] = there + first * step / root


def run(kernel: Callable[..., None], tensors: Sequence[Tensor], numbers: Sequence[float]) -> None:
    """Call a kernel with tensors, the first of which are the weights."""
    kernel(*(tensor.view(-1).numpy() for tensor in tensors), np.array(numbers, np.float32))
    torch.autograd.graph.increment_version(tensors[0])
