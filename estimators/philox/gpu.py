"""The noise compiled for GPUs by Triton, on first use; equal to the reference bit for bit.

A program computes 2048 entries that begin at a multiple of 2048. Fusion of products and sums is
switched off, the square root is the rounded one, and 16-bit floats are made from bits.
"""

from collections.abc import Sequence
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from estimators.philox import definition
from estimators.philox.definition import BITS16, BITS32, GRAM_CHUNK, NORMAL, SIGN, TILE
from estimators.philox.sums import Part, Sum

_BLOCK = 2048
_CHUNKS = 64  # chunks of a Gram matrix whose streams are held at a time

_jit: Any = triton.jit
_COUNTERS = tl.constexpr(definition.COUNTERS)
_TILE = tl.constexpr(TILE)
_SPLIT = tl.constexpr(definition.SPLIT)
_TWO_LOG_2 = tl.constexpr(definition.TWO_LOG_2)
_L0, _L1, _L2, _L3, _L4, _L5, _L6, _L7 = map(tl.constexpr, definition.LOG)
_S0, _S1, _S2, _S3 = map(tl.constexpr, definition.SIN)
_C0, _C1, _C2, _C3 = map(tl.constexpr, definition.COS)
_TO_UNIT = tl.constexpr(2.0**-31)
_NORMAL, _SIGN = tl.constexpr(NORMAL), tl.constexpr(SIGN)
_BITS16, _BITS32 = tl.constexpr(BITS16), tl.constexpr(BITS32)

# Formats of memory; 16-bit floats are passed as integers.
_WIDE, _BF16, _F16 = 0, 1, 2
_BRAIN, _HALF = tl.constexpr(_BF16), tl.constexpr(_F16)
_FORMATS = {torch.bfloat16: _BF16, torch.float16: _F16}


@_jit
def _philox(key, tile, purpose: tl.constexpr, tiles: tl.constexpr):  # type: ignore[no-untyped-def]
    """The four words of the counters of `tiles` tiles from number `tile` on."""
    counter = tile * _COUNTERS + tl.arange(0, tiles * _COUNTERS)
    low = counter.to(tl.uint32)
    high = (counter >> 32).to(tl.uint32)
    return tl.philox(key, low, high, low * 0 + purpose, low * 0)


@_jit
def _in_order(w0, w1, w2, w3, tiles: tl.constexpr):  # type: ignore[no-untyped-def]
    """What belongs to the four words of counters, as entries in order, shape (tiles, 64)."""
    joined = tl.join(tl.join(w0, w2), tl.join(w1, w3))  # word 2 a + b at [counter, a, b]
    apart = tl.reshape(joined, [tiles, _COUNTERS, 4])
    return tl.reshape(tl.permute(apart, [0, 2, 1]), [tiles, _TILE])


@_jit
def _pair(u, v):  # type: ignore[no-untyped-def]
    x = u.to(tl.float32) + 0.5
    bits = x.to(tl.int32, bitcast=True)
    e = (bits - _SPLIT) >> 23
    f = (bits - (e << 23)).to(tl.float32, bitcast=True) - 1.0
    f2 = f * f
    high = (_L7 * f + _L6) * f2 + (_L5 * f + _L4)
    low = (_L3 * f + _L2) * f2 + (_L1 * f + _L0)
    p = high * (f2 * f2) + low
    r = tl.sqrt_rn((32 - e).to(tl.float32) * _TWO_LOG_2 + f * p)
    s = (v << 2).to(tl.int32, bitcast=True).to(tl.float32) * _TO_UNIT
    y = s * s
    a = (((_S3 * y + _S2) * y + _S1) * y + _S0) * s * r
    c = (((_C3 * y + _C2) * y + _C1) * y + _C0) * r
    flip = ((v >> 30) & 1) << 31
    c = (c.to(tl.uint32, bitcast=True) ^ flip).to(tl.float32, bitcast=True)
    swapped = (v >> 31) != 0
    return tl.where(swapped, a, c), tl.where(swapped, c, a)


@_jit
def _entries(key, block, kind: tl.constexpr):  # type: ignore[no-untyped-def]
    """Entries 2048 block, ... of a stream: float32, or int32 for streams of integers."""
    if kind == _NORMAL:
        w0, w1, w2, w3 = _philox(key, block * 32, _NORMAL, 32)
        z0, z1 = _pair(w0, w1)
        z2, z3 = _pair(w2, w3)
        return tl.reshape(_in_order(z0, z1, z2, z3, 32), [2048])
    elif kind == _SIGN:  # noqa: RET505  only one branch is compiled
        w0, w1, w2, w3 = _philox(key, block, _SIGN, 1)
        words = _in_order(w0, w1, w2, w3, 1)
        fields = tl.reshape(tl.arange(0, 32), [32, 1]).to(tl.uint32)
        bits = ((words >> fields) & 1) << 31 | 0x3F800000
        return tl.reshape(bits.to(tl.float32, bitcast=True), [2048])
    elif kind == _BITS16:
        w0, w1, w2, w3 = _philox(key, block * 16, _BITS16, 16)
        words = tl.reshape(_in_order(w0, w1, w2, w3, 16), [16, 1, _TILE])
        fields = tl.reshape(tl.arange(0, 2), [1, 2, 1]).to(tl.uint32)
        bits = (words << (16 - 16 * fields)).to(tl.int32, bitcast=True) >> 16
        return tl.reshape(bits, [2048])
    else:
        w0, w1, w2, w3 = _philox(key, block * 32, _BITS32, 32)
        words = _in_order(w0, w1, w2, w3, 32).to(tl.int32, bitcast=True)
        return tl.reshape(words, [2048])


@_jit
def _from16(h, form: tl.constexpr):  # type: ignore[no-untyped-def]
    h = h.to(tl.int32)
    if form == _BRAIN:
        return (h << 16).to(tl.float32, bitcast=True)
    bits = (h & 0x7FFF) << 13
    exponent = bits & (0x7C00 << 13)
    bits = bits + (112 << 23)
    bits = tl.where(exponent == (0x7C00 << 13), bits + (112 << 23), bits)
    subnormal = (bits + (1 << 23)).to(tl.float32, bitcast=True) - 0.00006103515625
    bits = tl.where(exponent == 0, subnormal.to(tl.int32, bitcast=True), bits)
    return (bits | ((h & 0x8000) << 16)).to(tl.float32, bitcast=True)


@_jit
def _to16(x, form: tl.constexpr):  # type: ignore[no-untyped-def]
    """Bits of float32 x rounded to nearest, in the low half of int32."""
    bits = x.to(tl.int32, bitcast=True)
    size = bits & 0x7FFFFFFF
    if form == _BRAIN:
        rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16
        return tl.where(size > 0x7F800000, (bits >> 16) | 0x40, rounded)
    normal = (size - (112 << 23) + 0xFFF + ((size >> 13) & 1)) >> 13
    small = (size.to(tl.float32, bitcast=True) + 0.5).to(tl.int32, bitcast=True) - 0x3F000000
    h = tl.where(size < (113 << 23), small, normal)
    h = tl.where(size >= (143 << 23), tl.where(size > 0x7F800000, 0x7E00, 0x7C00), h)
    return h | ((bits >> 16) & 0x8000)


@_jit
def _dithered16(x, random, form: tl.constexpr):  # type: ignore[no-untyped-def]
    """Bits of float32 x rounded by 16-bit integers, in the low half of int32."""
    bits = x.to(tl.int32, bitcast=True)
    if form == _BRAIN:
        h = (bits + (random & 0xFFFF)) >> 16
        return tl.where((h & 0x7F80) != 0x7F80, h, _to16(x, form))
    cut = (bits + (random & 0x1FFF)) & ~0x1FFF
    size = tl.abs(x) * 16777216.0
    up = (random.to(tl.float32) + 32768.0) * 0.0000152587890625
    small = tl.floor(up + size) * 0.000000059604644775390625
    small_bits = small.to(tl.int32, bitcast=True) | (bits & -0x80000000)
    h = _to16(tl.where(size < 1024.0, small_bits, cut).to(tl.float32, bitcast=True), form)
    return tl.where((h & 0x7C00) != 0x7C00, h, _to16(x, form))


@_jit
def _number(table, position, wide: tl.constexpr):  # type: ignore[no-untyped-def]
    return tl.load(table + position).to(tl.float64, bitcast=True).to(wide)


@_jit
def _write(  # type: ignore[no-untyped-def]
    out,
    base,
    dense,
    factor,
    mask,
    rows,
    table,  # scale, weight of dense, threshold, keys of the mask and of rounding, level, terms
    terms,
    offset,
    width,
    wide: tl.constexpr,
    kind: tl.constexpr,
    out_form: tl.constexpr,
    base_form: tl.constexpr,
    has_base: tl.constexpr,
    has_dense: tl.constexpr,
    has_factor: tl.constexpr,
    has_mask: tl.constexpr,
    has_threshold: tl.constexpr,
    is_sparse: tl.constexpr,
    rounds: tl.constexpr,
    has_rows: tl.constexpr,
):
    row = tl.program_id(1).to(tl.int64)
    first = offset + row * 0
    if has_rows:
        first += tl.load(rows + row) * width
    block = first // 2048 + tl.program_id(0).to(tl.int64)
    column = block * 2048 + tl.arange(0, 2048) - first
    inside = (column >= 0) & (column < width)
    at = row * width + column
    acc = tl.zeros([2048], wide)
    if has_base:
        if base_form == 0:
            acc = tl.load(base + at, inside, 0.0).to(wide)
        else:
            acc = _from16(tl.load(base + at, inside, 0), base_form)
    keep = inside
    if has_mask:
        keep = keep & (tl.load(mask + at, inside, 0) != 0)
    if has_threshold:
        keep = keep & (tl.abs(acc) <= _number(table, 2, wide))
    if is_sparse:
        drawn = _entries(tl.load(table + 3), block, _BITS32).to(tl.uint32, bitcast=True)
        keep = keep & (drawn.to(tl.int64) >= tl.load(table + 5))
    acc = acc * _number(table, 0, wide)
    if has_dense:
        acc = acc + tl.load(dense + at, inside, 0.0) * _number(table, 1, wide)
    for j in range(terms):
        moved = _entries(tl.load(table + 7 + 2 * j), block, kind).to(wide)
        moved = moved * _number(table, 6 + 2 * j, wide)
        if has_factor:
            moved = moved * tl.load(factor + at, inside, 0.0)
        acc = tl.where(keep, acc + moved, acc)
    if out_form == 0:
        tl.store(out + at, acc, inside)
    elif rounds:
        random = _entries(tl.load(table + 4), block, _BITS16)
        tl.store(out + at, _dithered16(acc, random, out_form).to(tl.int16), inside)
    else:
        tl.store(out + at, _to16(acc, out_form).to(tl.int16), inside)


@_jit
def _fill(  # type: ignore[no-untyped-def]
    out, key, offset, count, kind: tl.constexpr, form: tl.constexpr, wide: tl.constexpr
):
    block = offset // 2048 + tl.program_id(0).to(tl.int64)
    at = block * 2048 + tl.arange(0, 2048) - offset
    inside = (at >= 0) & (at < count)
    drawn = _entries(tl.load(key), block, kind)
    if form == 0:
        tl.store(out + at, drawn.to(wide), inside)
    else:
        tl.store(out + at, _to16(drawn, form).to(tl.int16), inside)


@_jit
def _products(z, lanes, keys, count):  # type: ignore[no-untyped-def]
    """Sums of the products of rows a and b of z (keys, count), chunk by chunk, in 64 lanes."""
    chunk = tl.program_id(0).to(tl.int64)
    a, b = tl.program_id(1).to(tl.int64), tl.program_id(2).to(tl.int64)
    lane = tl.arange(0, 64)
    total = tl.zeros([64], tl.float64)
    for tile in range(512):
        at = chunk * 32768 + tile * 64 + lane
        first = tl.load(z + a * count + at, at < count, 0.0).to(tl.float64)
        second = tl.load(z + b * count + at, at < count, 0.0).to(tl.float64)
        total += first * second
    tl.store(lanes + ((chunk * keys + a) * keys + b) * 64 + lane, total)


def _memory(tensor: Tensor) -> Tensor:
    """Return `tensor` as kernels see it."""
    if tensor.dtype in _FORMATS:
        return tensor.view(torch.int16)
    return tensor.view(torch.uint8) if tensor.dtype == torch.bool else tensor


def _uploaded(numbers: Sequence[float | int], device: torch.device) -> Tensor:
    """Return a table of 64-bit words: floats by their bits, keys modulo 2^64."""
    words = [
        torch.tensor(number, dtype=torch.float64).view(torch.int64).item()
        if isinstance(number, float)
        else number - (number >> 63 << 64)
        for number in numbers
    ]
    return torch.tensor(words, dtype=torch.int64).to(device, non_blocking=True)


def _blocks(offset: int, count: int) -> int:
    """Return how many aligned blocks hold entries offset..offset + count."""
    return -(-(offset + count) // _BLOCK) - offset // _BLOCK


def _wide(dtype: torch.dtype) -> Any:
    return {torch.float64: tl.float64, torch.int16: tl.int16, torch.int32: tl.int32}.get(
        dtype, tl.float32
    )


def write(sums: Sequence[Sum], done: Sequence[set[Part]]) -> None:
    """Write sums, every tensor of which is contiguous and on one GPU; see `reference.write`."""
    for one, parts in zip(sums, done, strict=True):
        if parts:
            continue
        dense_weight, dense = one.dense or (0.0, one.out)
        sparse_key, level = one.sparse or (0, 0)
        numbers = [float(one.scale), float(dense_weight), float(one.threshold or 0.0)]
        table = [*numbers, sparse_key, one.rounding or 0, level]
        for weight, key in one.terms:
            table += [float(weight), key]
        out, rows = one.out, one.rows
        width = out.numel() if rows is None else out.shape[1]
        # A row may begin anywhere in a block.
        across = _blocks(one.offset, width) if rows is None else (width + 2 * _BLOCK - 2) // _BLOCK
        _write[(across, 1 if rows is None else len(rows))](
            _memory(out),
            _memory(out if one.base is None else one.base),
            dense,
            out if one.factor is None else one.factor,
            _memory(out if one.mask is None else one.mask),
            out if rows is None else rows.contiguous(),
            _uploaded(table, out.device),
            len(one.terms),
            one.offset,
            width,
            wide=_wide(one.wide),
            kind=SIGN if one.signs else NORMAL,
            out_form=_FORMATS.get(out.dtype, _WIDE),
            base_form=_WIDE if one.base is None else _FORMATS.get(one.base.dtype, _WIDE),
            has_base=one.base is not None,
            has_dense=one.dense is not None,
            has_factor=one.factor is not None,
            has_mask=one.mask is not None,
            has_threshold=one.threshold is not None,
            is_sparse=one.sparse is not None,
            rounds=one.rounding is not None,
            has_rows=rows is not None,
            enable_fp_fusion=False,
        )
        _written(out)
        parts.add((0, out.numel()))


def fill(out: Tensor, kind: int, key: int, offset: int) -> None:
    """Write entries offset, offset + 1, ... of a stream to a contiguous `out` on a GPU."""
    _fill[(_blocks(offset, out.numel()),)](
        _memory(out),
        _uploaded([key], out.device),
        offset,
        out.numel(),
        kind=kind,
        form=_FORMATS.get(out.dtype, _WIDE),
        wide=_wide(out.dtype),
        enable_fp_fusion=False,
    )
    _written(out)


def gram(keys: Sequence[int], count: int, offset: int, kind: int, device: torch.device) -> Tensor:
    """Return the inner products of streams, summed in the order of the reference."""
    total = torch.zeros(len(keys), len(keys), dtype=torch.float64)
    for low in range(0, count, _CHUNKS * GRAM_CHUNK):
        held = min(count - low, _CHUNKS * GRAM_CHUNK)
        z = torch.empty(len(keys), held, device=device)
        for row, key in zip(z, keys, strict=True):
            fill(row, kind, key, offset + low)
        chunks = -(-held // GRAM_CHUNK)
        shape = chunks, len(keys), len(keys), TILE
        lanes = torch.empty(shape, dtype=torch.float64, device=device)
        _products[shape[:3]](z, lanes, len(keys), held)
        while lanes.shape[-1] > 1:
            first, second = lanes.chunk(2, dim=-1)
            lanes = first + second
        for chunk in lanes.squeeze(-1).cpu():
            total += chunk
    return total.to(device)


def _written(out: Tensor) -> None:
    """Tell autograd, which cannot see what kernels write."""
    if not out.is_inference():
        torch.autograd.graph.increment_version(out)
