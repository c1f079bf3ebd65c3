"""Counter-based noise: a number is a function of (64-bit key of the stream, index of the entry).

`fill` writes a stream, `write` sums of streams and weights in one pass over memory, `gram` the
inner products of streams. They agree bit for bit wherever they run: compiled by numba on the CPU,
by Triton on CUDA, and in plain PyTorch where these are missing. `docs/noise.md` is the definition.

On the meta device nothing is computed.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from importlib import import_module
from types import ModuleType

import torch
from torch import Tensor

from estimators.philox import reference
from estimators.philox.definition import BITS16, BITS32, NORMAL, SIGN
from estimators.philox.sums import DTYPES, Part, Sum, check_offset

__all__ = ["Sum", "Writing", "bits16", "bits32", "gram", "normals", "signs", "watchers", "write"]

watchers: list[Callable[[Sequence[Sum]], None]] = []
"""Who is told of every sum before it is written, on the meta device, too: instruments that count.

A stream that fills a tensor, or whose norm is taken, is told as the sum of that stream alone."""


@cache
def implementation(device_type: str) -> ModuleType:
    """Return the fastest implementation installed for a type of device."""
    fast = {"cpu": "compiled", "cuda": "gpu"}.get(device_type)
    if fast is None:
        return reference
    try:  # imported on first use: numba and Triton take their time
        return import_module(f"estimators.philox.{fast}")
    except ImportError:
        return reference


def normals(out: Tensor, key: int, offset: int = 0) -> Tensor:
    """Fill `out` with entries offset, offset + 1, ... of the normal stream `key`; return it.

    out: floating, any shape. The numbers are float32; they are widened to float64, and rounded to
    nearest in 16 bits.

    Example:
        >>> normals(torch.empty(3), key=0)
        tensor([-0.9247, -0.1808, -2.5441])
    """
    return _fill(out, NORMAL, key, offset)


def signs(out: Tensor, key: int, offset: int = 0) -> Tensor:
    """Fill `out` (floating) with +1 and -1, with probability 1/2 each; return it."""
    return _fill(out, SIGN, key, offset)


def bits16(out: Tensor, key: int, offset: int = 0) -> Tensor:
    """Fill `out` (int16) with uniform 16-bit integers; return it."""
    return _fill(out, BITS16, key, offset)


def bits32(out: Tensor, key: int, offset: int = 0) -> Tensor:
    """Fill `out` (int32) with uniform 32-bit integers; return it."""
    return _fill(out, BITS32, key, offset)


class Writing(list[Sum]):
    """Sums of which is known what is written: after an error, `write` goes on with the rest."""

    def __init__(self, sums: Sequence[Sum]) -> None:
        super().__init__(sums)
        self._done: dict[Sum, set[Part]] = {}
        for one in sums:
            if not one.out.is_meta and one.out.numel():
                one.check()
                self._done[one] = set()

    def run(self) -> None:
        """Write what is left."""
        by_device: dict[torch.device, list[Sum]] = {}
        for one, parts in self._done.items():
            if _is_contiguous(one):
                by_device.setdefault(one.out.device, []).append(one)
            elif not parts:
                flat = _contiguous(one)
                implementation(one.out.device.type).write([flat], [set()])
                one.out.copy_(flat.out)
                parts.add((0, one.out.numel()))
        for device, here in by_device.items():
            implementation(device.type).write(here, [self._done[one] for one in here])

    def take_back(self) -> None:
        """Take off, up to rounding, what is written in place.

        But for sums with a threshold, which stay: what it was compared with is there no more.
        """
        for one, parts in self._done.items():
            if one.out is one.base and one.threshold is None and one.rows is None:
                for low, high in sorted(parts):
                    write([_opposite(one, low, high)])
                    _entries(one.out, low, high).div_(one.scale)
                parts.clear()


def write(sums: Sequence[Sum]) -> None:
    """Write sums to memory in one call, each in one pass; see `Sum` for what a sum is.

    No two of them may touch the same entries. Raises ValueError where a sum is malformed, before
    anything is written.
    """
    for watcher in watchers:
        watcher(sums)
    writing = sums if isinstance(sums, Writing) else Writing(sums)
    writing.run()


def gram(
    keys: Sequence[int],
    count: int,
    offset: int = 0,
    *,
    device: torch.device,
    signs: bool = False,
) -> Tensor:
    """Return <z_a, z_b> over entries offset..offset + count of K streams, float64 (K, K).

    The order of the sums is part of the definition: see `reference.gram`.
    """
    check_offset(offset)
    if watchers:
        drawn = torch.empty(count, device="meta")
        terms = [Sum(drawn, None, [(1.0, key)], offset=offset, signs=signs) for key in keys]
        for watcher in watchers:
            watcher(terms)
    if device.type == "meta":
        return torch.empty(len(keys), len(keys), dtype=torch.float64, device=device)
    kind = SIGN if signs else NORMAL
    return implementation(device.type).gram(keys, count, offset, kind, device)


def _fill(out: Tensor, kind: int, key: int, offset: int) -> Tensor:
    check_offset(offset)
    expected = {BITS16: (torch.int16,), BITS32: (torch.int32,)}.get(kind, DTYPES)
    if out.dtype not in expected:
        raise ValueError(f"out must be one of {expected}, got {out.dtype}")
    for watcher in watchers:
        watcher([Sum(out, None, [(1.0, key)], offset=offset, signs=kind == SIGN)])
    if out.device.type == "meta" or not out.numel():
        return out
    flat = (
        out if out.is_contiguous() else torch.empty_like(out, memory_format=torch.contiguous_format)
    )
    implementation(out.device.type).fill(flat, kind, key, offset)
    return out if flat is out else out.copy_(flat)


def _is_contiguous(one: Sum) -> bool:
    beside = one.beside()
    return one.out.is_contiguous() and (not beside or all(t.is_contiguous() for t in beside))


def _contiguous(one: Sum) -> Sum:
    """Return `one` with other tensors, contiguous ones."""
    dense = one.dense and (one.dense[0], one.dense[1].contiguous())
    base, factor, mask = (
        tensor if tensor is None else tensor.contiguous()
        for tensor in (one.base, one.factor, one.mask)
    )
    out = torch.empty_like(one.out, memory_format=torch.contiguous_format)
    return replace(one, out=out, base=base, dense=dense, factor=factor, mask=mask)


def _entries(tensor: Tensor, low: int, high: int) -> Tensor:
    """Return entries low..high of a tensor, or all."""
    return tensor if high - low == tensor.numel() else tensor.view(-1)[low:high]


def _opposite(one: Sum, low: int, high: int) -> Sum:
    """Return what takes off the noise that `one` has added to entries low..high in place."""
    out = _entries(one.out, low, high)
    factor, mask = (
        None if tensor is None else _entries(tensor, low, high) for tensor in (one.factor, one.mask)
    )
    dense = one.dense and (-one.dense[0], _entries(one.dense[1], low, high))
    return Sum(
        out,
        out,
        [(-weight, key) for weight, key in one.terms],
        one.offset + low,
        signs=one.signs,
        dense=dense,
        factor=factor,
        mask=mask,
        sparse=one.sparse,
    )
