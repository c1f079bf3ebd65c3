"""The noise compiled for the CPU by numba, on first use; equal to the reference bit for bit.

Kernels see memory by address and release the interpreter lock; threads are `estimators.threads`'.
A block of 2048 entries at a time is computed in the first cache: weights in, noise added, rounded,
out. Loops run over whole tiles of 64, which is what makes them vectorise.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from llvmlite import ir
from numba import carray, int32, njit, types, uint32, uint64
from numba.extending import intrinsic
from torch import Tensor

from estimators.philox.definition import (
    BITS16,
    BITS32,
    COS,
    COUNTERS,
    GRAM_CHUNK,
    KEY_STEPS,
    LOG,
    MULTIPLIERS,
    NORMAL,
    ROUNDS,
    SIGN,
    SIN,
    SPLIT,
    TILE,
    TWO_LOG_2,
)
from estimators.philox.sums import Part, Sum
from estimators.threads import parallel

BLOCK = 2048  # entries in the first cache: 8 KiB each of sums, noise and words
_PIECE = 1 << 16  # entries of one tensor handled by one thread at a time
_SCRATCH = BLOCK + 2 * TILE  # a block that begins within a tile

_OPTIONS = {"nogil": True, "error_model": "numpy"}
_njit: Any = njit  # its declared types and `intrinsic`'s are not those of what they return
_intrinsic: Any = intrinsic


def jit(function: Callable[..., Any]) -> Any:
    """Compile on first call, kept on disk where there is a place to write."""
    try:
        return _njit(cache=True, **_OPTIONS)(function)
    except RuntimeError:  # no such place
        return _njit(**_OPTIONS)(function)


# Called from compiled code only: no wrappers for Python, which take half the time of compiling.
_inner = _njit(no_cpython_wrapper=True, no_cfunc_wrapper=True, **_OPTIONS)
_inline = _njit(inline="always")


def _bitcast(source: Any, target: Any, llvm: ir.Type) -> Any:
    @_intrinsic
    def cast(_context: Any, _value: Any) -> Any:
        def generate(_c: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            return builder.bitcast(arguments[0], llvm)

        return target(source), generate

    return cast


@_intrinsic
def _at(_context: Any, _address: Any) -> Any:
    """The address as a pointer."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], context.get_value_type(signature.return_type))

    return types.voidptr(types.int64), generate


_bits = _bitcast(types.float32, types.int32, ir.IntType(32))
_float = _bitcast(types.int32, types.float32, ir.FloatType())
# Codes of the types, and the columns of a table of sums.
_F32, _F64, _BF16, _F16, _I16, _I32 = range(6)
_CODES = {
    torch.float32: _F32,
    torch.float64: _F64,
    torch.bfloat16: _BF16,
    torch.float16: _F16,
    torch.int16: _I16,
    torch.int32: _I32,
}
(
    _OUT,
    _OUT_TYPE,
    _BASE,
    _BASE_TYPE,
    _OFFSET,
    _WIDTH,
    _ROWS,
    _DENSE,
    _FACTOR,
    _MASK,
    _KIND,
    _ASSIGN,
    _THRESHOLD,
    _SPARSE,
    _LEVEL,
    _ROUNDING,
    _FIRST,
    _LAST,
) = range(18)
_SCALE, _DENSE_WEIGHT, _THRESHOLD_VALUE = range(3)
_SPARSE_KEY, _ROUNDING_KEY = range(2)

_A, _B = map(np.uint64, MULTIPLIERS)
_STEP_A, _STEP_B = map(np.uint32, KEY_STEPS)
_32 = np.uint64(32)
_L0, _L1, _L2, _L3, _L4, _L5, _L6, _L7 = map(np.float32, LOG)
_S0, _S1, _S2, _S3 = map(np.float32, SIN)
_C0, _C1, _C2, _C3 = map(np.float32, COS)
_TWO_LOG_2 = np.float32(TWO_LOG_2)
_HALF, _ONE = np.float32(0.5), np.float32(1.0)
_NOTHING = np.float32(-0.0)  # added, it leaves every number as it is, and the loop a vector's
_TO_UNIT = np.float32(2.0**-31)
_ONE_BITS = np.int32(0x3F800000)
_SIGN_BIT = np.uint32(0x80000000)


@_inner
def _words(w: Any, tiles: int, tile: int, purpose: int, key: int) -> None:
    """Write the words of `tiles` tiles from number `tile` on."""
    key_low, key_high = uint32(key), uint32(key >> _32)
    for t in range(tiles):
        counter = uint64(tile + t) * uint64(COUNTERS)
        low, high = uint32(counter), uint32(counter >> _32)
        o = w[t * TILE : (t + 1) * TILE]
        for lane in range(COUNTERS):
            c0, c1, c2, c3 = uint32(low + uint32(lane)), high, uint32(purpose), uint32(0)
            k0, k1 = key_low, key_high
            for _ in range(ROUNDS):
                p, q = uint64(c0) * _A, uint64(c2) * _B
                c0, c1 = uint32(q >> _32) ^ c1 ^ k0, uint32(q)
                c2, c3 = uint32(p >> _32) ^ c3 ^ k1, uint32(p)
                k0, k1 = uint32(k0 + _STEP_A), uint32(k1 + _STEP_B)
            o[lane] = c0
            o[COUNTERS + lane] = c1
            o[2 * COUNTERS + lane] = c2
            o[3 * COUNTERS + lane] = c3


@_inline
def _pair(u, v):  # type: ignore[no-untyped-def]
    x = np.float32(u) + _HALF
    bits = _bits(x)
    e = int32(bits - int32(SPLIT)) >> int32(23)
    f = _float(int32(bits - (e << int32(23)))) - _ONE
    f2 = f * f
    high = (_L7 * f + _L6) * f2 + (_L5 * f + _L4)
    low = (_L3 * f + _L2) * f2 + (_L1 * f + _L0)
    p = high * (f2 * f2) + low
    r = np.sqrt(np.float32(int32(32) - e) * _TWO_LOG_2 + f * p)
    s = np.float32(int32(v << uint32(2))) * _TO_UNIT
    y = s * s
    a = (((_S3 * y + _S2) * y + _S1) * y + _S0) * s * r
    c = (((_C3 * y + _C2) * y + _C1) * y + _C0) * r
    c = _float(_bits(c) ^ int32((v << uint32(1)) & _SIGN_BIT))
    swapped = int32(v) < int32(0)
    return (a if swapped else c), (c if swapped else a)


@_inner
def _normals(z: Any, w: Any, tiles: int) -> None:
    """Write the normal numbers of `tiles` tiles of words."""
    for half in range(2 * tiles):
        j = half * 2 * COUNTERS
        u, v = w[j : j + COUNTERS], w[j + COUNTERS : j + 2 * COUNTERS]
        first, second = z[j : j + COUNTERS], z[j + COUNTERS : j + 2 * COUNTERS]
        for lane in range(COUNTERS):
            first[lane], second[lane] = _pair(u[lane], v[lane])


@_inner
def _entries(z: Any, w: Any, kind: int, key: int, start: int, stop: int) -> int:
    """Write entries start..stop of a stream of floats to z from the returned position on."""
    group, last = start // TILE, (stop + TILE - 1) // TILE
    if kind == NORMAL:
        _words(w, last - group, group, kind, key)
        _normals(z, w, last - group)
    else:
        first = group // 32
        _words(w, (last + 31) // 32 - first, first, kind, key)
        for g in range(group, last):
            words, o = w[(g // 32 - first) * TILE :], z[(g - group) * TILE :]
            shift = uint32(31 - g % 32)
            for j in range(TILE):
                o[j] = _float(int32((words[j] << shift) & _SIGN_BIT) | _ONE_BITS)
    return start - group * TILE


@_inner
def _integers(r: Any, w: Any, kind: int, key: int, start: int, stop: int) -> int:
    """Write entries start..stop of a stream of integers to r from the returned position on."""
    group, last = start // TILE, (stop + TILE - 1) // TILE
    each = 1 if kind == BITS32 else 2
    first = group // each
    _words(w, (last + each - 1) // each - first, first, kind, key)
    for g in range(group, last):
        words, o = w[(g // each - first) * TILE :], r[(g - group) * TILE :]
        if kind == BITS32:
            for j in range(TILE):
                o[j] = int32(words[j])
        else:
            shift = uint32(16 * (1 - g % 2))
            for j in range(TILE):  # sign-extended
                o[j] = int32(words[j] << shift) >> int32(16)
    return start - group * TILE


@_inline
def _from_half(h):  # type: ignore[no-untyped-def]
    bits = int32(h & 0x7FFF) << int32(13)
    exponent = bits & int32(0x7C00 << 13)
    bits = int32(bits + int32(112 << 23))
    if exponent == int32(0x7C00 << 13):
        bits = int32(bits + int32(112 << 23))
    subnormal = _bits(_float(int32(bits + int32(1 << 23))) - np.float32(2.0**-14))
    bits = subnormal if exponent == int32(0) else bits
    return _float(bits | (int32(h & 0x8000) << int32(16)))


@_inline
def _to_half(x):  # type: ignore[no-untyped-def]
    bits = _bits(x)
    size = bits & int32(0x7FFFFFFF)
    odd = (size >> int32(13)) & int32(1)
    normal = int32(size - int32(112 << 23) + int32(0xFFF) + odd) >> int32(13)
    small = int32(_bits(_float(size) + np.float32(0.5)) - _bits(np.float32(0.5)))
    large = int32(0x7E00) if size > int32(0x7F800000) else int32(0x7C00)
    h = small if size < int32(113 << 23) else normal
    h = large if size >= int32(143 << 23) else h
    return np.uint16(h | ((bits >> int32(16)) & int32(0x8000)))


@_inline
def _to_brain(x):  # type: ignore[no-untyped-def]
    bits = _bits(x)
    odd = (bits >> int32(16)) & int32(1)
    rounded = int32(bits + int32(0x7FFF) + odd) >> int32(16)
    quiet = (bits >> int32(16)) | int32(0x40)
    return np.uint16(quiet if bits & int32(0x7FFFFFFF) > int32(0x7F800000) else rounded)


@_inline
def _dithered_brain(x, random):  # type: ignore[no-untyped-def]
    h = int32(_bits(x) + (random & int32(0xFFFF))) >> int32(16)
    finite = h & int32(0x7F80) != int32(0x7F80)
    return np.uint16(h) if finite else _to_brain(x)


@_inline
def _dithered_half(x, random):  # type: ignore[no-untyped-def]
    bits = _bits(x)
    cut = int32(bits + (random & int32(0x1FFF))) & int32(~0x1FFF)
    size = abs(x) * np.float32(2.0**24)
    up = (np.float32(random) + np.float32(2.0**15)) * np.float32(2.0**-16)
    small = np.floor(up + size) * np.float32(2.0**-24)
    small_bits = _bits(small) | (bits & int32(-0x80000000))
    h = _to_half(_float(small_bits if size < np.float32(2.0**10) else cut))
    finite = int32(h) & int32(0x7C00) != int32(0x7C00)
    return h if finite else _to_half(x)


@_inner
def _load16(acc: Any, address: int, code: int) -> None:
    """Read 16-bit numbers into acc, float32."""
    narrow = carray(_at(address), len(acc), np.uint16)
    if code == _BF16:
        for i in range(len(acc)):
            acc[i] = _float(int32(narrow[i]) << int32(16))
    else:
        for i in range(len(acc)):
            acc[i] = _from_half(narrow[i])


@_inner
def _store16(acc: Any, address: int, code: int) -> None:
    """Write acc, float32, as 16-bit numbers, rounded to nearest."""
    narrow = carray(_at(address), len(acc), np.uint16)
    if code == _BF16:
        for i in range(len(acc)):
            narrow[i] = _to_brain(acc[i])
    else:
        for i in range(len(acc)):
            narrow[i] = _to_half(acc[i])


@_inner
def _store16_dithered(acc: Any, r: Any, address: int, code: int) -> None:
    """Write acc, float32, as 16-bit numbers, rounded by the 16-bit integers r."""
    narrow = carray(_at(address), len(acc), np.uint16)
    if code == _BF16:
        for i in range(len(acc)):
            narrow[i] = _dithered_brain(acc[i], r[i])
    else:
        for i in range(len(acc)):
            narrow[i] = _dithered_half(acc[i], r[i])


@_inner
def _accumulate(acc: Any, z: Any, weight: Any, factor: Any, keep: Any) -> None:
    """acc += weight z [factor] where kept; factor and keep may be empty."""
    if len(factor):
        for i in range(len(acc)):
            moved = weight * z[i] * factor[i]
            acc[i] += moved if keep[i] != 0 else _NOTHING
    elif len(keep):
        for i in range(len(acc)):
            moved = weight * z[i]
            acc[i] += moved if keep[i] != 0 else _NOTHING
    else:
        for i in range(len(acc)):
            acc[i] += weight * z[i]


@_inner
def _segment(
    low: int,
    high: int,
    start: int,
    job: Any,
    keys: Any,
    streams: Any,
    single: Any,
    acc: Any,
    numbers: Any,
    weights: Any,
    z: Any,
    w: Any,
    r: Any,
    keep_of: Any,
) -> None:
    """Write entries low..high of one tensor, the first of which is entry `start` of the streams.

    acc is scratch of the computing type, that of `numbers` and `weights`; `single` is scratch
    of float32, acc itself where that is the type.
    """
    size = acc.itemsize
    narrow_base = job[_BASE_TYPE] == _BF16 or job[_BASE_TYPE] == _F16
    narrow_out = job[_OUT_TYPE] == _BF16 or job[_OUT_TYPE] == _F16
    masked = job[_MASK] != 0 or job[_THRESHOLD] != 0 or job[_SPARSE] != 0
    while low < high:
        stop = min(start + high - low, (start // BLOCK + 1) * BLOCK)
        count = stop - start
        total = acc[:count]
        if job[_BASE] != 0 and narrow_base:
            _load16(single[:count], job[_BASE] + 2 * low, job[_BASE_TYPE])
        elif job[_BASE] != 0:
            base = carray(_at(job[_BASE] + size * low), count, acc.dtype)
            for i in range(count):
                total[i] = base[i]
        else:
            total[:] = 0
        keep = keep_of[:0]
        if masked or job[_FACTOR] != 0:
            keep = keep_of[:count]
            keep[:] = 1
        if job[_MASK] != 0:
            mask = carray(_at(job[_MASK] + low), count, np.uint8)
            for i in range(count):
                keep[i] = mask[i]
        if job[_THRESHOLD] != 0:
            threshold = numbers[_THRESHOLD_VALUE]
            for i in range(count):
                keep[i] = keep[i] if abs(total[i]) <= threshold else int32(0)
        if job[_SPARSE] != 0:
            shift = _integers(r, w, np.int64(BITS32), keys[_SPARSE_KEY], start, stop)
            drawn = r[shift : shift + count]
            level = job[_LEVEL]
            for i in range(count):
                keep[i] = keep[i] if np.int64(uint32(drawn[i])) >= level else int32(0)
        scale = numbers[_SCALE]
        if scale != 1:
            for i in range(count):
                total[i] *= scale
        if job[_DENSE] != 0:
            dense = carray(_at(job[_DENSE] + size * low), count, acc.dtype)
            weight = numbers[_DENSE_WEIGHT]
            for i in range(count):
                total[i] += weight * dense[i]
        present = count if job[_FACTOR] != 0 else 0
        factor = carray(_at(job[_FACTOR] + size * low), present, acc.dtype)
        for j in range(job[_FIRST], job[_LAST]):
            shift = _entries(z, w, job[_KIND], streams[j], start, stop)
            drawn = z[shift : shift + count]
            if job[_ASSIGN] != 0:
                for i in range(count):
                    total[i] = drawn[i]
            else:
                _accumulate(total, drawn, weights[j], factor, keep)
        if job[_ROUNDING] != 0:
            shift = _integers(r, w, np.int64(BITS16), keys[_ROUNDING_KEY], start, stop)
            address = job[_OUT] + 2 * low
            _store16_dithered(single[:count], r[shift : shift + count], address, job[_OUT_TYPE])
        elif narrow_out:
            _store16(single[:count], job[_OUT] + 2 * low, job[_OUT_TYPE])
        else:
            out = carray(_at(job[_OUT] + size * low), count, acc.dtype)
            for i in range(count):
                out[i] = total[i]
        low += count
        start = stop


@jit
def _run(pieces: Any, jobs: Any, numbers: Any, keys: Any, weights: Any, streams: Any) -> None:
    """Write pieces (sum, low, high) of the sums in the tables."""
    z = np.empty(_SCRATCH, np.float32)
    w = np.empty(_SCRATCH, np.uint32)
    r = np.empty(_SCRATCH, np.int32)
    keep = np.empty(BLOCK, np.int32)
    numbers32, weights32 = numbers.astype(np.float32), weights.astype(np.float32)
    single = np.empty(BLOCK, np.float32)
    double = np.empty(BLOCK, np.float64)
    for piece in range(len(pieces)):
        index, low, high = pieces[piece]
        job = jobs[index]
        width = job[_WIDTH]
        while low < high:
            row = low // width
            end = min(high, (row + 1) * width)
            start = job[_OFFSET] + low
            if job[_ROWS] != 0:
                rows = carray(_at(job[_ROWS]), row + 1, np.int64)
                start = job[_OFFSET] + rows[row] * width + low - row * width
            if job[_OUT_TYPE] == _F64:
                of = single, double, numbers[index], weights
                _segment(low, end, start, job, keys[index], streams, *of, z, w, r, keep)
            else:
                of32 = single, single, numbers32[index], weights32
                _segment(low, end, start, job, keys[index], streams, *of32, z, w, r, keep)
            low = end


def write(sums: Sequence[Sum], done: Sequence[set[Part]]) -> None:
    """Write sums, every tensor of which is contiguous and on the CPU; see `reference.write`."""
    try:
        _start(sums, done, assign=False)
    finally:
        _written([one.out for one in sums])


def _written(outs: Sequence[Tensor]) -> None:
    """Tell autograd, which cannot see what is written by address."""
    for out in outs:
        if not out.is_inference():
            torch.autograd.graph.increment_version(out)


def _start(sums: Sequence[Sum], done: Sequence[set[Part]], *, assign: bool) -> None:
    jobs: list[tuple[int, ...]] = []
    numbers: list[tuple[float, float, float]] = []
    keys: list[tuple[int, int]] = []
    weights: list[float] = []
    streams: list[int] = []
    sizes: list[int] = []
    indices: list[Tensor] = []  # held for as long as they are read
    for one in sums:
        out, base, rows, dense, sparse = one.out, one.base, one.rows, one.dense, one.sparse
        count, place = out.numel(), _memory(out)
        if rows is not None:
            indices.append(rows.contiguous())
        first = len(weights)
        for weight, key in one.terms:
            weights.append(weight)
            streams.append(key)
        narrow = one.rounding is not None and out.element_size() == 2
        jobs.append(
            (
                *place,
                *(place if base is out else _memory(base)),
                one.offset,
                count if rows is None else out.shape[1],
                0 if rows is None else indices[-1].data_ptr(),
                0 if dense is None else dense[1].data_ptr(),
                0 if one.factor is None else one.factor.data_ptr(),
                0 if one.mask is None else one.mask.data_ptr(),
                SIGN if one.signs else NORMAL,
                assign,
                one.threshold is not None,
                sparse is not None,
                0 if sparse is None else sparse[1],
                narrow,
                first,
                len(weights),
            )
        )
        numbers.append((one.scale, 0.0 if dense is None else dense[0], one.threshold or 0.0))
        keys.append((0 if sparse is None else sparse[0], one.rounding or 0))
        sizes.append(count)
    tables = (
        np.array(jobs, np.int64),
        np.array(numbers, np.float64),
        np.array(keys, np.uint64),
        np.array(weights, np.float64),
        np.array(streams, np.uint64),
    )
    shares = _shares(sizes)

    def task(index: int) -> None:
        pieces = shares[index]
        first, low, high = pieces[0]
        if (low, high) not in done[first]:
            _run(np.array(pieces, np.int64), *tables)
            for which, low, high in pieces:
                done[which].add((low, high))

    parallel(task, len(shares), torch.device("cpu"), sum(sizes))


def _memory(tensor: Tensor | None) -> tuple[int, int]:
    """Return where a tensor is, and the code of its type."""
    return (0, 0) if tensor is None else (tensor.data_ptr(), _CODES[tensor.dtype])


def _shares(sizes: Sequence[int]) -> list[list[tuple[int, int, int]]]:
    """Return pieces (tensor, low, high), together those that are written at once: `_PIECE`."""
    shares: list[list[tuple[int, int, int]]] = [[]]
    room = _PIECE
    for index, size in enumerate(sizes):
        low = 0
        while low < size:
            high = min(size, low + room)
            shares[-1].append((index, low, high))
            room -= high - low
            low = high
            if not room:
                shares.append([])
                room = _PIECE
    return [share for share in shares if share]


@jit
def _run_integers(address: int, kind: int, key: int, offset: int, low: int, high: int) -> None:
    """Write integers low..high of a stream that begins at entry `offset`."""
    r = np.empty(_SCRATCH, np.int32)
    w = np.empty(_SCRATCH, np.uint32)
    while low < high:
        stop = min(high, low + BLOCK)
        shift = _integers(r, w, kind, key, offset + low, offset + stop)
        drawn = r[shift : shift + stop - low]
        if kind == BITS32:
            out = carray(_at(address + 4 * low), stop - low, np.int32)
            out[:] = drawn
        else:
            narrow = carray(_at(address + 2 * low), stop - low, np.int16)
            for i in range(stop - low):
                narrow[i] = np.int16(drawn[i])
        low = stop


def fill(out: Tensor, kind: int, key: int, offset: int) -> None:
    """Write entries offset, offset + 1, ... of a stream to a contiguous `out` on the CPU."""
    if kind in (NORMAL, SIGN):
        one = Sum(out, None, [(1.0, key)], offset, signs=kind == SIGN)
        _start([one], [set()], assign=True)
    else:
        pieces = -(-out.numel() // _PIECE)

        def task(index: int) -> None:
            low = index * _PIECE
            high = min(out.numel(), low + _PIECE)
            _run_integers(out.data_ptr(), kind, np.uint64(key), offset, low, high)

        parallel(task, pieces, out.device, out.numel())
    _written([out])


@jit
def _gram_chunk(keys: Any, start: int, stop: int, kind: int, total: Any) -> None:
    """Write the inner products of streams over entries start..stop to total, float64 (K, K)."""
    count = len(keys)
    lanes = np.zeros((count, count, TILE), np.float64)
    z = np.zeros((count, _SCRATCH), np.float32)
    w = np.empty(_SCRATCH, np.uint32)
    while start < stop:
        end = min(stop, start + BLOCK)
        tiles = (end - start + TILE - 1) // TILE
        for a in range(count):
            shift = _entries(z[a], w, kind, keys[a], start, end)
            z[a, shift + end - start : shift + tiles * TILE] = 0
        for a in range(count):
            for b in range(a + 1):
                sums = lanes[a, b]
                for t in range(tiles):
                    first = z[a, shift + t * TILE : shift + (t + 1) * TILE]
                    second = z[b, shift + t * TILE : shift + (t + 1) * TILE]
                    for lane in range(TILE):
                        sums[lane] += np.float64(first[lane]) * np.float64(second[lane])
        start = end
    half = TILE // 2
    while half:
        lanes[:, :, :half] += lanes[:, :, half : 2 * half]
        half //= 2
    for a in range(count):
        for b in range(a + 1):
            total[a, b] = total[b, a] = lanes[a, b, 0]


def gram(keys: Sequence[int], count: int, offset: int, kind: int, device: torch.device) -> Tensor:
    """Return the inner products of streams, summed in the order of the reference."""
    streams = np.array(keys, np.uint64)
    chunks = np.zeros((-(-count // GRAM_CHUNK), len(keys), len(keys)))

    def task(index: int) -> None:
        low = index * GRAM_CHUNK
        high = min(count, low + GRAM_CHUNK)
        _gram_chunk(streams, offset + low, offset + high, kind, chunks[index])

    parallel(task, len(chunks), device, count * len(keys))
    total = np.zeros((len(keys), len(keys)))
    for chunk in chunks:
        total += chunk
    return torch.from_numpy(total)
