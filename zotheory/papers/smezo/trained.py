"""Gradients of several batches along fine-tuning: their cosines, and what small weights hold."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from zotheory.model.gradients import layer_weights
from zotheory.model.language_model import LanguageModel, ModelError, fixed_threads
from zotheory.model.prompts import Batch, Loss, label_word_ids, last_logits, make_batch, prompt_loss
from zotheory.model.reviews import Example

Tell = Callable[[int, int], None]
TRAINED: Loss = "vocabulary"


@dataclass(frozen=True)
class TrainedStudy:
    """Independent batches, looked at after some numbers of updates ("phases").

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
    shares_of: Mapping[int, Sequence[Loss]],
    batches: Mapping[int, int],
    steps: int,
    batch_size: int,
    learning_rate: float,
    seed: int,
    tell: Tell = lambda done, of: None,
) -> TrainedStudy:
    """Fine-tune a copy by SGD, and take the gradients of several batches at some of its weights.

    The t-th batch is the t-th slice of a seeded permutation of the text. A phase's batches are
    the one that is trained on next, whose sentences no weights have seen yet, and further ones of
    sentences that the run never trains on. Of these each batch is drawn anew, whatever others
    hold: given the weights, all of a phase's batches are independent.

    Args:
        model: left as it is.
        text: more than ``steps * batch_size`` sentences, by a batch at least.
        share: of a matrix's entries that count as its smallest.
        shares_of: at which of the phases, and for which losses, shares are taken.
        batches: by phase, the number of updates before it, how many batches are looked at. All
            their gradients are in memory at once.

    Raises:
        ModelError: a gradient is zero or not finite.
        ValueError: too little text, or a phase beyond the last step.
    """
    if not all(0 <= phase <= steps for phase in batches):
        raise ValueError(f"phases lie between 0 and {steps} updates, got {sorted(batches)}")
    needed = (steps + 1) * batch_size
    if len(text) < needed:
        raise ValueError(f"the run needs {needed} sentences, got {len(text)}")
    order = np.random.default_rng(seed).permutation(len(text))
    rows, others = np.split(order, [steps * batch_size])
    made = [_made(model, text, row) for row in rows.reshape(steps, batch_size)]
    trained = LanguageModel(model.name, copy.deepcopy(model.model), model.tokenizer)
    names = {weight.name for weight in layer_weights(trained.model)}
    shares, cosines, losses = {}, {}, []
    with fixed_threads():
        for t in range(steps + 1):
            tell(t, steps)
            drawn = np.random.default_rng([seed, t])
            looked_at = made[t : t + 1]
            while len(looked_at) < batches.get(t, 0):
                row = drawn.choice(others, batch_size, replace=False)
                looked_at.append(_made(model, text, row))
            masks = smallest(trained.model, names, share) if t in shares_of else ()
            for loss in shares_of.get(t, ()):
                if loss != TRAINED:
                    gradients = (_gradient(trained, batch, loss)[1] for batch in looked_at)
                    shares[loss, t] = np.array([_share(g, masks) for g in gradients])
            found = [_gradient(trained, batch, TRAINED) for batch in looked_at]
            gradients = [gradient for _, gradient in found]
            if t in batches:
                cosines[t] = _cosines(gradients)
            if TRAINED in shares_of.get(t, ()):
                shares[TRAINED, t] = np.array([_share(g, masks) for g in gradients])
            if t < steps:
                losses.append(found[0][0])
                _descend(trained.model, gradients[0], learning_rate)
            del found, gradients
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


def _made(model: LanguageModel, text: Sequence[Example], row: np.ndarray) -> Batch:
    return make_batch(model.tokenizer, [text[i] for i in row])


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
    """(B, B): the tensors' inner products in 32 bits, their sum in 64."""
    gram = np.zeros((len(gradients), len(gradients)))
    for i, j in zip(*np.triu_indices(len(gradients)), strict=True):
        pairs = zip(gradients[i], gradients[j], strict=True)
        gram[i, j] = gram[j, i] = sum(float(x.flatten() @ y.flatten()) for x, y in pairs)
    norms = np.sqrt(np.diag(gram))
    if not (np.isfinite(norms).all() and (norms > 0).all()):
        raise ModelError(f"gradients of batches have the norms {norms.tolist()}")
    return (gram / np.outer(norms, norms)).clip(-1, 1)
