"""Masks by a threshold on the weights: what they select, and perturbing in place under them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

import estimators

Rule = Literal["signed", "absolute"]
Mask = Literal["stored", "again"]
EPS = 1e-3


def weight_matrices(model: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """All matrices among the parameters, by name."""
    for name, parameter in model.named_parameters():
        if parameter.ndim == 2:
            yield name, parameter.detach()


def compared(weights: Tensor, rule: Rule) -> Tensor:
    """What a rule compares with its threshold: the weights or their magnitudes, flat."""
    return weights.flatten() if rule == "signed" else weights.abs().flatten()


def selected(weights: Tensor, rule: Rule, percentile: float) -> Tensor:
    """The weights at or below a percentile of what the rule compares: (N,) of bool.

    The percentile p is the (N p)-th smallest value, N p rounded to a whole number from 1 to N.
    """
    values = compared(weights, rule)
    count = min(max(1, round(percentile * values.numel())), values.numel())
    return values <= values.kthvalue(count).values


def beyond_smallest(weights: Tensor, chosen: Tensor) -> int:
    """How many chosen weights are larger in magnitude than all of the equally many smallest."""
    sizes = weights.abs().flatten()
    count = int(chosen.sum())
    if count == 0:
        return 0
    return int(torch.count_nonzero(sizes[chosen] > sizes.kthvalue(count).values))


@dataclass(frozen=True)
class Cycle:
    """Perturbing in place by +eps, -2 eps, +eps under a mask, tensor by tensor summed.

    Attributes:
        weights: of all tensors.
        masked: selected by the mask of the unperturbed weights.
        changed: in the masks of the second and the third move but not in the first's, or vice
            versa.
        displaced: not back at the end, by more than the moves' rounding.
        farthest: the largest distance from where a weight began.
    """

    weights: int
    masked: int
    changed: tuple[int, int]
    displaced: int
    farthest: float


@torch.no_grad()
def cycle(model: nn.Module, mask: Mask, sparsity: float, seed: int) -> Cycle:
    """One cycle of S-MeZO's Algorithm 1 with its noise regenerated from the seed in every move.

    mask: "stored" from the unperturbed weights, or computed "again" from those at hand before each
    move. The weights stay where the cycle leaves them.
    """
    weights = masked = displaced = 0
    changed, farthest = [0, 0], 0.0
    for slot, noise in masked_noise(model, mask, sparsity, seed):
        start, first = slot.matrix.clone(), None
        for move, scale in enumerate((EPS, -2 * EPS, EPS)):
            entries = noise.dense()
            on = entries != 0  # a Gaussian is nowhere 0 but where it is masked
            first = on if first is None else first
            if move:
                changed[move - 1] += int(torch.count_nonzero(on != first))
            slot.matrix.add_(entries, alpha=scale)
        moved = (slot.matrix - start).abs()
        rounding = 4 * torch.finfo(start.dtype).eps * (start.abs() + 16 * EPS)
        weights, masked = weights + start.numel(), masked + int(torch.count_nonzero(first))
        displaced += int(torch.count_nonzero(moved > rounding))
        farthest = max(farthest, float(moved.max()))
    return Cycle(weights, masked, (changed[0], changed[1]), displaced, farthest)


def masked_noise(model: nn.Module, mask: Mask, sparsity: float, seed: int) -> Iterator[tuple]:
    """Every trainable tensor's slot with the noise of S-MeZO's first step.

    Noise whose mask is not stored reads the weights at hand whenever it is asked for.
    """
    way = {"stored": "mask", "again": "forward"}[mask]
    optimizer = estimators.s_mezo(model, lr=0.0, sparsity=sparsity, implementation=way, seed=seed)
    slots = optimizer.slots()
    optimizer.perturbation.prepare(slots, None, None)
    for slot in slots:
        yield slot, optimizer.perturbation.draw(slot, seed, 0, 0)


def step_losses(
    model: nn.Module, closure, implementation: str, sparsity: float, seed: int
) -> list[float]:
    """The losses that a step of S-MeZO evaluates, at theta + eps m z and theta - eps m z."""
    seen: list[float] = []

    def listening() -> float:
        seen.append(float(closure()))
        return seen[-1]

    estimators.s_mezo(
        model, lr=0.0, sparsity=sparsity, implementation=implementation, eps=EPS, seed=seed
    ).step(listening)
    return seen


@torch.no_grad()
def losses_masked_again(model: nn.Module, closure, sparsity: float, seed: int) -> list[float]:
    """The same in place, with the mask of the perturbed weights in the second move."""
    noises = list(masked_noise(model, "again", sparsity, seed))
    seen = []
    for scale in (EPS, -2 * EPS):
        for slot, noise in noises:
            slot.matrix.add_(noise.dense(), alpha=scale)
        seen.append(float(closure()))
    return seen
