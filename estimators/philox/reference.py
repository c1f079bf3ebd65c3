"""The noise in plain PyTorch, on any device: what every other implementation must equal."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from estimators.philox.definition import (
    BITS,
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
from estimators.philox.rounding import stochastic_round
from estimators.philox.sums import Part, Sum

_LOW = 0xFFFFFFFF
_CHUNK = 1 << 17  # entries computed at a time: a word takes eight bytes, and there are copies


def philox(counter: Sequence[Tensor], key: int) -> list[Tensor]:
    """Philox4x32-10 of four counter words; words are int64 in [0, 2^32)."""
    c0, c1, c2, c3 = counter
    k0, k1 = key & _LOW, key >> 32
    for _ in range(ROUNDS):
        p, q = c0 * MULTIPLIERS[0], c2 * MULTIPLIERS[1]  # modulo 2^64, in two's complement
        c0, c1 = (q >> 32) & _LOW ^ c1 ^ k0, q & _LOW
        c2, c3 = (p >> 32) & _LOW ^ c3 ^ k1, p & _LOW
        k0, k1 = k0 + KEY_STEPS[0] & _LOW, k1 + KEY_STEPS[1] & _LOW
    return [c0, c1, c2, c3]


def words(key: int, purpose: int, tile: int, count: int, device: torch.device) -> Tensor:
    """Return the words of `count` tiles from number `tile` on, int64 of shape (count, 64)."""
    counter = torch.arange(count * COUNTERS, dtype=torch.int64, device=device)
    counter = counter.add_(tile * COUNTERS).view(count, COUNTERS)
    zero = torch.zeros_like(counter)
    given = [counter & _LOW, counter >> 32, zero + purpose, zero]
    return torch.cat(philox(given, key), dim=1)


def normal_tiles(drawn: Tensor) -> Tensor:
    """Return the normal numbers of tiles of words, float32 of the same shape (count, 64)."""
    u, v = drawn.view(-1, 2, 2, COUNTERS).unbind(2)
    x = u.to(torch.float32) + 0.5
    bits = x.view(torch.int32)
    e = (bits - SPLIT) >> 23
    f = (bits - (e << 23)).view(torch.float32) - 1.0
    f2 = f * f
    high = (LOG[7] * f + LOG[6]) * f2 + (LOG[5] * f + LOG[4])
    low = (LOG[3] * f + LOG[2]) * f2 + (LOG[1] * f + LOG[0])
    p = high * (f2 * f2) + low
    square = (32 - e).to(torch.float32) * TWO_LOG_2 + f * p
    # Through float64: PyTorch's square root of float32 is off by one unit on some CPUs.
    r = square.to(torch.float64).sqrt().to(torch.float32)

    v = torch.where(v >= 1 << 31, v - (1 << 32), v).to(torch.int32)
    s = (v << 2).to(torch.float32) * 2.0**-31
    y = s * s
    a = (((SIN[3] * y + SIN[2]) * y + SIN[1]) * y + SIN[0]) * s * r
    c = (((COS[3] * y + COS[2]) * y + COS[1]) * y + COS[0]) * r
    c = torch.where(v >> 30 & 1 == 1, -c, c)
    swapped = v < 0
    return torch.stack((torch.where(swapped, a, c), torch.where(swapped, c, a)), 2).flatten(1)


def field_tiles(drawn: Tensor, bits: int) -> Tensor:
    """Return the fields of `bits` bits of tiles of words, int64 of shape (count, 2048 / bits)."""
    shifts = torch.arange(0, 32, bits, dtype=torch.int64, device=drawn.device)
    return (drawn.unsqueeze(1) >> shifts.view(-1, 1) & (1 << bits) - 1).flatten(1)


def entries(kind: int, key: int, start: int, stop: int, device: torch.device) -> Tensor:
    """Return entries start..stop of a stream: float32, or int64 fields for BITS16 and BITS32."""
    width = TILE * 32 // BITS[kind]
    first = start // width
    drawn = words(key, kind, first, -(-stop // width) - first, device)
    tiles = normal_tiles(drawn) if kind == NORMAL else field_tiles(drawn, BITS[kind])
    found = tiles.flatten()[start - first * width : stop - first * width]
    return 1.0 - 2.0 * found.to(torch.float32) if kind == SIGN else found


def fill(out: Tensor, kind: int, key: int, offset: int) -> None:
    """Write entries offset, offset + 1, ... of a stream to a contiguous `out`."""
    flat = out.view(-1)
    for low in range(0, len(flat), _CHUNK):
        part = flat[low : low + _CHUNK]
        drawn = entries(kind, key, offset + low, offset + low + len(part), out.device)
        if kind in (BITS16, BITS32):  # as signed integers of as many bits
            half = 1 << BITS[kind] - 1
            drawn = torch.where(drawn >= half, drawn - 2 * half, drawn)
        part.copy_(drawn)


def write(sums: Sequence[Sum], done: Sequence[set[Part]]) -> None:
    """Write sums, every tensor of which is contiguous.

    done: the parts of each that are written already, to which those are added that now are.
    """
    for one, parts in zip(sums, done, strict=True):
        for low, high, start in _parts(one):
            if (low, high) not in parts:
                _write(one, low, high, start)
                parts.add((low, high))


def _parts(one: Sum) -> Iterator[tuple[int, int, int]]:
    """Yield entries low..high of `out` to be written at once, the first entry `start` of the
    streams: (low, high, start).
    """
    if one.rows is None:
        for low in range(0, one.out.numel(), _CHUNK):
            yield low, min(one.out.numel(), low + _CHUNK), one.offset + low
    else:
        n = one.out.shape[1]
        for index, row in enumerate(one.rows.tolist()):
            yield index * n, (index + 1) * n, one.offset + row * n


def _write(one: Sum, low: int, high: int, start: int) -> None:
    """Write entries low..high of `out`, the first of which is entry `start` of the streams."""
    wide, device = one.wide, one.out.device
    stop = start + high - low

    def part(tensor: Tensor) -> Tensor:
        return tensor.view(-1)[low:high]

    base = torch.zeros(high - low, dtype=wide, device=device)
    if one.base is not None:
        base = part(one.base).to(wide)
    kept = None if one.mask is None else part(one.mask)
    if one.threshold is not None:
        below = base.abs() <= one.threshold
        kept = below if kept is None else kept & below
    if one.sparse is not None:
        above = entries(BITS32, one.sparse[0], start, stop, device) >= one.sparse[1]
        kept = above if kept is None else kept & above
    total = base * one.scale
    if one.dense is not None:
        total = total + part(one.dense[1]) * one.dense[0]
    for weight, key in one.terms:
        drawn = entries(SIGN if one.signs else NORMAL, key, start, stop, device).to(wide) * weight
        if one.factor is not None:
            drawn = drawn * part(one.factor)
        moved = total + drawn
        total = moved if kept is None else torch.where(kept, moved, total)
    if one.rounding is not None and one.out.element_size() == 2:
        random = torch.empty(high - low, dtype=torch.int16, device=device)
        fill(random, BITS16, one.rounding, start)
        total = stochastic_round(total, one.out.dtype, random)
    part(one.out).copy_(total)


def gram(keys: Sequence[int], count: int, offset: int, kind: int, device: torch.device) -> Tensor:
    """Return sum_i z_a[i] z_b[i] over entries offset..offset + count, float64 of shape (K, K).

    Entries are summed by chunks of 2^15 from `offset` on: in a chunk, lane l of 64 sums every
    64th product in order, and lanes l and l + 32, then l and l + 16, ... are added; chunks are
    added in order. The product of two float32 is exact in float64.
    """
    total = torch.zeros(len(keys), len(keys), dtype=torch.float64, device=device)
    for low in range(0, count, GRAM_CHUNK):
        high = min(count, low + GRAM_CHUNK)
        z = torch.zeros(len(keys), -(-(high - low) // TILE) * TILE, dtype=torch.float64)
        z = z.to(device)
        for row, key in zip(z, keys, strict=True):
            row[: high - low] = entries(kind, key, offset + low, offset + high, device)
        lanes = torch.zeros(len(keys), len(keys), TILE, dtype=torch.float64, device=device)
        for tile in z.view(len(keys), -1, TILE).unbind(1):
            lanes += tile.unsqueeze(0) * tile.unsqueeze(1)
        while lanes.shape[-1] > 1:
            first, second = lanes.chunk(2, dim=-1)
            lanes = first + second
        total += lanes.squeeze(-1)
    return total
