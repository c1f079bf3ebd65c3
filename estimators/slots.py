"""A slot: one trainable tensor as the parts of a method see it."""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from estimators.kept import kept
from estimators.streams import Stream, block_size, compute_dtype


@dataclass(frozen=True, eq=False)
class Slot:
    """A parameter with its name, its group's options and its persistent state, for one step.

    Perturbations see a tensor as an m x n matrix: m is its first dimension, n the product of
    the others (a vector is a column, a scalar is 1 x 1).

    layer: the repeated block that the tensor belongs to ("model.layers.3"), None outside all.
    fixed: rows that nothing moves, those of `padding_idx`; see `settle`. renormed: whether its
    module writes it, having a `max_norm`.
    """

    name: str
    param: Tensor
    group: dict[str, Any]
    state: dict[str, Any]
    layer: str | None = None
    fixed: tuple[int, ...] = ()
    renormed: bool = False

    @kept
    def m(self) -> int:
        return self.param.shape[0] if self.param.ndim else 1

    @kept
    def n(self) -> int:
        return math.prod(self.param.shape[1:])

    @property
    def matrix(self) -> Tensor:
        """The weights as an m x n view, detached; a copy, kept with the slot, where strides such
        as those of channels_last allow no view: `settle` writes it through.
        """
        if not self._viewable:
            return self._staged
        weights = self.param.detach()
        return weights if weights.ndim == 2 else weights.view(self.m, self.n)

    @kept
    def _viewable(self) -> bool:
        if self.param.ndim <= 2 or self.param.is_contiguous():
            return True
        try:
            self.param.detach().view(self.m, self.n)
        except RuntimeError:
            return False
        return True

    @kept
    def _staged(self) -> Tensor:
        return self.param.detach().reshape(self.m, self.n)

    @kept
    def _kept(self) -> Tensor:
        return self.matrix[list(self.fixed)]

    def hold(self) -> None:
        """Remember the rows that stay, before the first write of a step."""
        if self.fixed:
            self._kept  # noqa: B018

    def settle(self) -> None:
        """End a write: put back the rows that stay, and write a copy through."""
        if self.fixed:
            self.matrix[list(self.fixed)] = self._kept
        if not self._viewable:
            self.param.detach().copy_(self._staged.view(self.param.shape))

    @property
    def is_matrix(self) -> bool:
        """Whether low-rank methods apply; vectors get dense noise, as in the released codes."""
        return self.param.ndim >= 2

    @property
    def device(self) -> torch.device:
        return self.param.device

    @property
    def dtype(self) -> torch.dtype:
        return self.param.dtype

    @property
    def compute_dtype(self) -> torch.dtype:
        return compute_dtype(self.param.dtype)

    @property
    def rounds(self) -> bool:
        """Whether writing noise rounds it perceptibly: in 16 bits, or below the spacing."""
        return self.param.element_size() < 4 or bool(self.state.get("coarse"))

    @kept
    def rows_per_block(self) -> int:
        """Rows that are worked on at a time."""
        return max(1, block_size(self.device) // self.n) if self.n else 1

    def rows_within(self, entries: int) -> int:
        """Rows of whole blocks that hold at most so many entries; one block at least."""
        return self.rows_per_block * max(1, entries // (self.rows_per_block * self.n))

    @kept
    def blocks(self) -> int:
        return -(-self.m // self.rows_per_block)

    def stream(self, *parts: int | str) -> Stream:
        """Return the stream of this tensor keyed by `parts`."""
        return Stream(self.device, *parts, self.name)

    def check_rank(self, rank: int) -> None:
        """Raise ValueError unless 1 <= rank <= min(m, n)."""
        if not 1 <= rank <= min(self.m, self.n):
            raise ValueError(
                f"rank must lie in [1, {min(self.m, self.n)}] for {self.name} "
                f"of shape {tuple(self.param.shape)}, got {rank}"
            )
