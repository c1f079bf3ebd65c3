"""Directions on a subset of layers (LeZO)."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from estimators.evaluation import Evaluation
from estimators.noise import Noise
from estimators.perturbations.base import Perturbation, Rebase, check_sparsity
from estimators.slots import Slot
from estimators.streams import Stream


class LayerSubset(Perturbation):
    """Z of another perturbation on some layers, zero on the others (LeZO, Algorithm 1).

    Of the N repeated layers of the model, floor(sparsity N) are left out, drawn anew each step.
    Tensors outside the repeated layers (embeddings, final norm, head) are always perturbed, as
    in the paper. The layers are the blocks that the model repeats, see `names.layers_of`.

    Raises ValueError if there are none.
    """

    def __init__(self, inner: Perturbation, sparsity: float) -> None:
        self.inner = inner
        self.gaussian = inner.gaussian
        self.sparsity = check_sparsity(sparsity)
        self._off: frozenset[str] = frozenset()

    @property
    def reads_weights(self) -> bool:
        return self.inner.reads_weights

    def validate(self, slot: Slot) -> None:
        self.inner.validate(slot)

    def check(self, slots: Sequence[Slot]) -> None:
        if all(slot.layer is None for slot in slots):
            raise ValueError(
                "no layers are found among the parameters: give the module (params or model=), or "
                'the names of its blocks, layers=["blocks.0", "blocks.1", ...]'
            )

    def prepare(self, slots: Sequence[Slot], evaluation: Evaluation, rebase: Rebase) -> None:
        layers = sorted({slot.layer for slot in slots if slot.layer is not None})
        count = int(self.sparsity * len(layers))
        stream = Stream(torch.device("cpu"), evaluation.seed, "layers", evaluation.step)
        order = stream.normal((len(layers),), torch.float32).argsort(stable=True)
        self._off = frozenset(layers[index] for index in order[:count].tolist())
        self.inner.prepare(slots, evaluation, rebase)

    def draw(self, slot: Slot, seed: int, step: int, query: int) -> Noise | None:
        return None if slot.layer in self._off else self.inner.draw(slot, seed, step, query)
