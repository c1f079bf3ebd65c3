"""Parameters that share memory: one storage has one noise."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

Layout = tuple[torch.device, int, torch.Size, tuple[int, ...], torch.dtype]


def layout(tensor: Tensor) -> Layout:
    """Return what tells two tensors on the same memory, entry by entry, from others."""
    strides = tensor.stride() if tensor.layout == torch.strided else ()
    return tensor.device, address(tensor), tensor.shape, strides, tensor.dtype


def address(tensor: Tensor) -> int:
    """Return where a tensor's memory begins, or a negative number of its own if it has none."""
    if tensor.device.type == "meta":
        return -id(tensor)
    try:
        return tensor.data_ptr()
    except (RuntimeError, ValueError):  # wrappers of other tensors
        return -id(tensor)


def aliases(named: Sequence[tuple[str, Tensor]]) -> set[int]:
    """Return the positions of tensors whose memory lies within an earlier or a larger tensor's.

    Whoever perturbs and updates the others perturbs and updates these. Memory is compared by
    address, so that it does not matter how it came to be shared: a Parameter used twice, `.data`
    assigned, a view, a transpose, an array of numpy.

    Raises ValueError for tensors that overlap in part, or that repeat entries (`expand`).
    """
    spans = []
    for position, (name, tensor) in enumerate(named):
        if tensor.device.type == "meta":
            continue
        extent = _extent(tensor)
        if _repeats(tensor):
            raise ValueError(f"entries of {name} share memory (expand?); give it a clone")
        start = tensor.data_ptr()
        spans.append((str(tensor.device), start, start + extent * tensor.element_size(), position))
    spans.sort(key=lambda span: (span[0], span[1], -span[2], span[3]))
    found: set[int] = set()
    open_spans: list[tuple[str, int, int, int]] = []
    for span in spans:
        device, start, _, position = span
        open_spans = [other for other in open_spans if other[0] == device and other[2] > start]
        for _, _, _, other in open_spans:
            if other not in found and position not in found:
                inner = _inner(named, other, position)
                if inner is not None:
                    found.add(inner)
        open_spans.append(span)
    return found


def _extent(tensor: Tensor) -> int:
    """Return how many entries the memory of a tensor spans, from its first to its last."""
    return 1 + sum((n - 1) * s for n, s in zip(tensor.shape, tensor.stride(), strict=True))


def _repeats(tensor: Tensor) -> bool:
    """Whether two entries of a tensor are at one place."""
    dimensions = sorted((s, n) for n, s in zip(tensor.shape, tensor.stride(), strict=True) if n > 1)
    reach = 0
    for stride, size in dimensions:
        if stride <= reach:  # steps of this dimension come back into what is spanned
            return int(_marks(tensor, 0, _extent(tensor)).sum()) < tensor.numel()
        reach += (size - 1) * stride
    return False


def _marks(tensor: Tensor, offset: int, length: int) -> Tensor:
    """Return which of `length` places the entries of a tensor take, from `offset` on."""
    marks = torch.zeros(length, dtype=torch.bool, device="cpu")
    marks.as_strided(tensor.shape, tensor.stride(), offset).fill_(True)
    return marks


def _inner(named: Sequence[tuple[str, Tensor]], first: int, second: int) -> int | None:
    """Return which of two tensors lies within the other, None if they have nothing in common."""
    (_, a), (_, b) = named[first], named[second]
    if layout(a) == layout(b):
        return max(first, second)
    if a.dtype == b.dtype:
        shared = _shared_entries(a, b)
        if not shared:
            return None
        if shared == a.numel() == b.numel():
            return max(first, second)
        if shared in (a.numel(), b.numel()):
            return first if shared == a.numel() else second
    raise ValueError(
        f"{named[first][0]} and {named[second][0]} share a part of their memory; optimise the "
        "tensor that both are views of"
    )


def _shared_entries(a: Tensor, b: Tensor) -> int:
    """Return how many entries two tensors of one type have in common."""
    size = a.element_size()
    base = min(a.data_ptr(), b.data_ptr())
    if (a.data_ptr() - b.data_ptr()) % size:
        return -1  # half of a number each
    places = [(t, (t.data_ptr() - base) // size) for t in (a, b)]
    end = max(offset + _extent(tensor) for tensor, offset in places)
    one, other = (_marks(tensor, offset, end) for tensor, offset in places)
    return int((one & other).sum())
