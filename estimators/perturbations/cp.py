"""Directions from a CP decomposition over time (TeZO)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from estimators.bases import CPBasis
from estimators.evaluation import Evaluation
from estimators.perturbations.base import LowRankPerturbation, Rebase, check_interval
from estimators.slots import Slot


class CP(LowRankPerturbation):
    """Z_t = sum_s tau_s u_s v_s^T, tau drawn anew, u and v kept (TeZO, Eq. 3 and Algorithm 1).

    u_s, v_s, tau_s are Gaussian; E[<G, Z> Z] = r G over all three (TeZO, Theorem 1). The paper
    draws u and v once for the whole run (`interval=None`); an interval redraws them.

    `rank` is one rank for all matrices (ValueError if some matrix is smaller), or None for the
    rule of Eq. 7, by which r_l never exceeds min(m, n); see `select_ranks`.
    """

    def __init__(
        self,
        rank: int | None = None,
        *,
        threshold: float = 0.25,
        max_rank: int = 64,
        interval: int | None = None,
    ) -> None:
        if not 0.0 < threshold < 1.0:
            raise ValueError(f"threshold must lie in (0, 1), got {threshold}")
        if max_rank < 1:
            raise ValueError(f"max_rank must be at least 1, got {max_rank}")
        self.rank = rank
        self.threshold = threshold
        self.max_rank = max_rank
        self.interval = check_interval(interval)

    def validate(self, slot: Slot) -> None:
        if slot.is_matrix and self.rank is not None:
            slot.check_rank(self.rank)

    def kept(self, slots: Sequence[Slot]) -> list[dict[str, Any]]:
        matrices = [slot for slot in slots if slot.is_matrix]
        ranks: Mapping[str, int | None] = {slot.name: self.rank for slot in matrices}
        if matrices and self.rank is None:
            ranks = select_ranks(
                {slot.name: slot.matrix for slot in matrices},
                {slot.name: slot.layer or slot.name for slot in matrices},
                threshold=self.threshold,
                max_rank=self.max_rank,
            )
        return [{"rank": ranks[slot.name]} if slot.is_matrix else {} for slot in slots]

    def prepare(self, slots: Sequence[Slot], evaluation: Evaluation, rebase: Rebase) -> None:
        new = [slot for slot in slots if slot.is_matrix and "rank" not in slot.state]
        for slot, entries in zip(new, self.kept(new), strict=True):
            slot.state.update(entries)
        super().prepare(slots, evaluation, rebase)

    def new_basis(self, slot: Slot, seed: int, epoch: int) -> dict:
        rank = slot.state["rank"]
        return {
            key: slot.stream(seed, key, epoch).normal((size, rank), slot.dtype)
            for key, size in (("U", slot.m), ("V", slot.n))
        }

    def basis(self, slot: Slot) -> CPBasis:
        return CPBasis(slot.state["U"], slot.state["V"])

    def coordinate_shape(self, slot: Slot) -> tuple[int]:
        return (slot.state["rank"],)


def select_ranks(
    weights: dict[str, Tensor],
    blocks: dict[str, str],
    *,
    threshold: float,
    max_rank: int,
) -> dict[str, int]:
    """Return the rank of each matrix by TeZO's Eq. 7: r_l = min(Rank(W_k), r_max), k in its block.

    Rank(W) counts the singular values above `threshold` times the largest one (Sec. 4.2: "the
    percentage of the largest singular value"; 25% in Table 6); it is at least 1. `blocks` names
    the block (a transformer layer) of each matrix. Raises ValueError on non-finite weights.
    """
    ranks: dict[str, int] = {}
    for name, weight in weights.items():
        count = _numerical_rank(name, weight, threshold)
        ranks[blocks[name]] = min(ranks.get(blocks[name], max_rank), count)
    return {name: ranks[blocks[name]] for name in weights}


def _numerical_rank(name: str, weight: Tensor, threshold: float) -> int:
    if weight.device.type == "meta":
        return min(weight.shape)
    wide = weight.to(torch.float64 if weight.dtype == torch.float64 else torch.float32)
    if not wide.isfinite().all():
        raise ValueError(f"{name} has non-finite weights, its rank is undefined")
    # Squared singular values from the smaller Gram matrix: far cheaper, and accurate enough to
    # compare with a threshold of some percent.
    gram = wide @ wide.T if len(wide) < wide.shape[1] else wide.T @ wide
    squares = torch.linalg.eigvalsh(gram)
    return max(1, int((squares > threshold**2 * squares[-1]).sum()))
