"""Gradients of further batches along fine-tuning: their cosines, and what small weights hold."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from zotheory.model.gradients import layer_weights
from zotheory.model.language_model import LanguageModel, fixed_threads
from zotheory.model.prompts import Batch, Loss, label_word_ids, last_logits, make_batch, prompt_loss
from zotheory.model.reviews import Example

Tell = Callable[[int, int], None]
TRAINED: Loss = "vocabulary"


@dataclass(frozen=True)
class TrainedStudy:
    """B batches that are not trained on, looked at after some numbers of updates ("phases").

    Attributes:
        weights: the number of entries of the blocks' matrices together.
        masked: how many of them are among the smallest of their matrix.
        shares: by loss and phase, (B,) the share of the squared gradient of these matrices that the
            smallest entries hold.
        cosines: by phase, (B, B) of whole gradients, of the loss that is trained.
        losses: (T,) of the batches trained on, before their updates.
    """

    weights: int
    masked: int
    shares: Mapping[tuple[Loss, int], np.ndarray]
    cosines: Mapping[int, np.ndarray]
    losses: np.ndarray


def measure_trained(
    model: LanguageModel,
    text: Sequence[Example],
    *,
    share: float,
    phases: Mapping[int, Sequence[Loss]],
    steps: int,
    batches: int,
    batch_size: int,
    learning_rate: float,
    seed: int,
    tell: Tell = lambda done, of: None,
) -> TrainedStudy:
    """Fine-tune a copy by SGD, and take the gradients of `batches` further batches at each phase.

    The t-th batch is the t-th slice of a seeded permutation of the text; no sentence is used twice.
    `phases`: after how many updates, and of which losses. All gradients of a phase and a loss are
    in memory at once. Raises ValueError for too little text and for a phase beyond the last step.
    """
    if not all(0 <= phase <= steps for phase in phases):
        raise ValueError(f"phases lie between 0 and {steps} updates, got {sorted(phases)}")
    needed = (steps + len(phases) * batches) * batch_size
    if len(text) < needed:
        raise ValueError(f"the run needs {needed} sentences, got {len(text)}")
    order = np.random.default_rng(seed).permutation(len(text))
    rows = order[:needed].reshape(-1, batch_size)
    made = [make_batch(model.tokenizer, [text[i] for i in row]) for row in rows]
    further = dict(zip(sorted(phases), _slices(made[steps:], batches), strict=True))
    trained = LanguageModel(model.name, copy.deepcopy(model.model), model.tokenizer)
    names = {weight.name for weight in layer_weights(trained.model)}
    shares, cosines, losses = {}, {}, []
    with fixed_threads():
        for t in range(steps + 1):
            tell(t, steps)
            for loss in phases.get(t, ()):
                gradients = [_gradient(trained, batch, loss)[1] for batch in further[t]]
                masks = smallest(trained.model, names, share)
                shares[loss, t] = np.array([_share(g, masks) for g in gradients])
                if loss == TRAINED:
                    cosines[t] = _cosines(gradients)
            if t < steps:
                value, gradient = _gradient(trained, made[t], TRAINED)
                losses.append(value)
                _descend(trained.model, gradient, learning_rate)
        masks = [m for m in smallest(model.model, names, share) if m is not None]
    total = sum(m.numel() for m in masks)
    return TrainedStudy(total, sum(int(m.sum()) for m in masks), shares, cosines, np.array(losses))


@torch.no_grad()
def smallest(model: nn.Module, names: set[str], share: float) -> list[Tensor | None]:
    """By parameter, the share of its entries that is smallest in magnitude; None if not named."""
    masks: list[Tensor | None] = []
    for name, parameter in model.named_parameters():
        sizes = parameter.abs()
        count = max(1, round(share * sizes.numel()))
        masks.append(sizes <= sizes.flatten().kthvalue(count).values if name in names else None)
    return masks


def _slices(batches: Sequence[Batch], size: int) -> list[Sequence[Batch]]:
    return [batches[i : i + size] for i in range(0, len(batches), size)]


def _gradient(model: LanguageModel, batch: Batch, loss: Loss) -> tuple[float, list[Tensor]]:
    words = label_word_ids(model.tokenizer)
    value = prompt_loss(last_logits(model, batch), batch.labels, words, loss)
    return float(value.detach()), list(torch.autograd.grad(value, list(model.model.parameters())))


@torch.no_grad()
def _descend(model: nn.Module, gradient: Sequence[Tensor], rate: float) -> None:
    for parameter, part in zip(model.parameters(), gradient, strict=True):
        parameter.add_(part, alpha=-rate)


@torch.no_grad()
def _share(gradient: Sequence[Tensor], masks: Sequence[Tensor | None]) -> float:
    """Of the squared gradient of the masked matrices, what the masks' entries hold."""
    inside = whole = 0.0
    for part, mask in zip(gradient, masks, strict=True):
        if mask is not None:
            squares = part.double().square()
            inside, whole = inside + float(squares[mask].sum()), whole + float(squares.sum())
    return inside / whole


@torch.no_grad()
def _cosines(gradients: Sequence[Sequence[Tensor]]) -> np.ndarray:
    def inner(a: Sequence[Tensor], b: Sequence[Tensor]) -> float:
        return sum(float(x.flatten() @ y.flatten()) for x, y in zip(a, b, strict=True))

    gram = np.array([[inner(a, b) for b in gradients] for a in gradients])
    norms = np.sqrt(np.diag(gram))
    return (gram / np.outer(norms, norms)).clip(-1, 1)
