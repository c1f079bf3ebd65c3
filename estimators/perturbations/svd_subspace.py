"""Directions in the subspace of an estimated gradient (SVD-0)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor

from estimators.directions.averaged import Averaged
from estimators.evaluation import Evaluation
from estimators.perturbations.base import Rebase
from estimators.perturbations.gaussian import Gaussian
from estimators.perturbations.subspace import Subspace, orthonormal
from estimators.slots import Slot


class SVDSubspace(Subspace):
    """Z = U S V^T with U, V the leading singular vectors of a MeZO estimate (SVD-0).

    SVD-0, Algorithms 1 to 3. Every `interval` steps, the first included, G is estimated by
    `queries` two-sided Gaussian directions (the paper: one) and U, V are its r leading left and
    right singular vectors. Algorithm 3 counts t from 1 and refreshes at t mod F = 0, which leaves
    U and V undefined for the first F - 1 steps; the text ("once at the start step and every F
    steps thereafter") is what is done here. Lines 12 to 15 omit the first perturbation and the
    restoring one; they are done.
    """

    def __init__(self, rank: int, interval: int, queries: int = 1) -> None:
        super().__init__(rank, interval)
        self.source = Gaussian("svd")
        self.direction = Averaged(queries)

    def prepare(self, slots: Sequence[Slot], evaluation: Evaluation, rebase: Rebase) -> None:
        epoch = evaluation.step // self.interval if self.interval else 0
        stale = [s for s in slots if s.is_matrix and s.state.get("epoch") != epoch]
        if not stale:
            return
        estimate = self.direction.run(evaluation.over(self.source))
        if not any(estimate.terms.values()):  # a flat loss has no gradient: any subspace will do
            estimate.terms.update(dict.fromkeys(estimate.terms, 1.0))
        for slot in stale:
            terms = evaluation.terms(slot, estimate.terms)
            gradient = cast(Tensor, sum(noise.dense() * weight for noise, weight in terms.items()))
            left, right = leading_vectors(gradient, self.rank)
            factors = {"U": left.to(slot.dtype), "V": right.to(slot.dtype)}
            self.renew(slot, factors, epoch, rebase)


def leading_vectors(matrix: Tensor, rank: int) -> tuple[Tensor, Tensor]:
    """Return orthonormal bases (m x r, n x r) of the leading left and right singular subspaces.

    From the eigenvectors of the smaller Gram matrix: O(mn min(m, n)), without the full SVD.
    """
    if len(matrix) < matrix.shape[1]:
        right, left = leading_vectors(matrix.T, rank)
        return left, right
    if matrix.device.type == "meta":
        return matrix[:, :rank], matrix.T[:, :rank]
    matrix = matrix / matrix.abs().max()
    right = torch.linalg.eigh(matrix.T @ matrix).eigenvectors[:, -rank:].flip(1)
    return orthonormal(matrix @ right), right
