"""What is written in one pass over memory: `out = scale * base + sum_j w_j z_j`."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

Part = tuple[int, int]
"""Entries of an `out`, from one to another, that are written at once or not at all."""

DTYPES = (torch.float32, torch.float64, torch.bfloat16, torch.float16)


@dataclass(eq=False)  # not frozen, which takes three times as long to make: tensors may be many
class Sum:
    """out = scale * base + weight * dense + sum_j w_j z_j for the entries of one tensor.

    out: floating, of any shape; its entry k (row by row) is entry `offset` + k of the streams.
    base: of the same shape, any of the four types (float64 if and only if `out` is); None is zero;
    it may be `out` itself, but must not overlap it otherwise. terms: pairs (w_j, 64-bit key of
    z_j), added in this order. signs: whether z are signs, not normal numbers.

    dense: a pair (weight, tensor of the shape of out in the computing type). factor: a tensor like
    it by which every z_j is multiplied. mask: boolean, where noise is added; threshold: it is added
    where |base| <= threshold, compared in the computing type; sparse: a pair (key, level), it is
    added where the 32-bit word of that stream is at least level, hence with probability
    1 - level / 2^32. Elsewhere no z_j is added.

    rounding: the key by which a 16-bit `out` is rounded stochastically; None is to nearest.

    rows: int64, shape (k,); `out` and what has its shape are then (k, n), and entry (i, j) is entry
    `offset` + rows[i] n + j of the streams: rows looked up alone.

    Arithmetic, rounded to nearest at each step, in float64 for a float64 `out`, else in float32,
    with z widened and every number given by Python rounded to it:

        acc = base * scale              (0 without base)
        acc = acc + weight * dense
        acc = acc + w_j * z_j           j in order; (w_j * z_j) * factor where there is one
        out = acc rounded to the type of out
    """

    out: Tensor
    base: Tensor | None
    terms: Sequence[tuple[float, int]] = ()
    offset: int = 0
    scale: float = 1.0
    signs: bool = False
    rounding: int | None = None
    dense: tuple[float, Tensor] | None = None
    factor: Tensor | None = None
    mask: Tensor | None = None
    threshold: float | None = None
    sparse: tuple[int, int] | None = None
    rows: Tensor | None = None

    @property
    def wide(self) -> torch.dtype:
        """The type in which it is computed."""
        return torch.float64 if self.out.dtype == torch.float64 else torch.float32

    def beside(self) -> list[Tensor]:
        """Return the tensors, other than `out`, that are read entry by entry."""
        base, dense, factor, mask = self.base, self.dense, self.factor, self.mask
        found = [] if base is None or base is self.out else [base]
        if dense is not None or factor is not None or mask is not None:
            given = dense and dense[1], factor, mask
            found += [tensor for tensor in given if tensor is not None]
        return found

    def check(self) -> None:
        """Raise ValueError where something does not fit."""
        out, base = self.out, self.base
        if out.dtype not in DTYPES:
            raise ValueError(f"out must be one of {DTYPES}, got {out.dtype}")
        check_offset(self.offset)
        if self.threshold is not None and base is None:
            raise ValueError("threshold needs base, of which it selects the entries")
        beside = self.beside()
        if beside:
            self._check_beside(beside)
        if self.rows is not None and (
            self.rows.dtype != torch.int64 or self.rows.shape != out.shape[:1] or out.ndim != 2
        ):
            raise ValueError(
                f"rows must be int64 of shape ({out.shape[0] if out.ndim else ''},) for an out of "
                f"shape (rows, n); got {self.rows.dtype} {tuple(self.rows.shape)} for "
                f"{tuple(out.shape)}"
            )

    def _check_beside(self, beside: Sequence[Tensor]) -> None:
        out, base = self.out, self.base
        for tensor in beside:
            if tensor.shape != out.shape or tensor.device != out.device:
                raise ValueError(
                    f"base, dense, factor and mask must have out's shape and device, "
                    f"{tuple(out.shape)} on {out.device}; got {tuple(tensor.shape)} on "
                    f"{tensor.device}"
                )
        if base is not None and (
            base.dtype not in DTYPES
            or (base.dtype == torch.float64) != (out.dtype == torch.float64)
        ):
            raise ValueError(f"base of {base.dtype} does not go with out of {out.dtype}")
        wides = [self.factor, self.dense and self.dense[1]]
        if any(tensor is not None and tensor.dtype != self.wide for tensor in wides):
            raise ValueError(f"dense and factor must be {self.wide}")
        if self.mask is not None and self.mask.dtype != torch.bool:
            raise ValueError(f"mask must be boolean, got {self.mask.dtype}")


def check_offset(offset: int) -> None:
    """Raise ValueError unless 0 <= offset < 2^62."""
    if not 0 <= offset < 1 << 62:
        raise ValueError(f"offset must lie in [0, 2^62), got {offset}")
