"""Gradients of a language model along a short first-order fine-tuning run, in numbers.

The setting is that of the TeZO paper's Figures 1, 5, 6 and 7: plain fine-tuning on a sentiment
prompt, batches of 16 sentences, each batch of other text.
"""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from zotheory.model.gradients import SpectrumQueue, Weight, consumed_gradients, layer_weights
from zotheory.model.language_model import LanguageModel, ModelError, fixed_threads
from zotheory.model.prompts import (
    Batch,
    Loss,
    check_packing,
    label_word_ids,
    last_logits,
    make_batch,
    prompt_loss,
)
from zotheory.model.reviews import Example
from zotheory.model.scratch import Scratch, fingerprint

ATTENTION = ("q_proj", "k_proj", "v_proj", "o_proj", "out_proj")
# The matrices of the feed-forward blocks are wide: their spectra are taken at every fifth batch
# only.
FEED_FORWARD_EVERY = 5


@dataclass(frozen=True)
class GradientStudy:
    """What ``measure_gradients`` measured, over T batches.

    Attributes:
        seed, batch_size, loss, learning_rate: the settings.
        weights: the matrices whose spectra were taken.
        losses: (T,) the loss of each batch before its update.
        spectra: by parameter name, (T, min(m, n)) falling singular values of each batch gradient;
            rows of batches that were not measured (feed-forward matrices, four of five) are NaN.
        cosines: by parameter name, (T, T) inner products of the normalised gradients, for the
            matrices of the similarity layers.
    """

    seed: int
    batch_size: int
    loss: Loss
    learning_rate: float
    weights: tuple[Weight, ...]
    losses: np.ndarray
    spectra: dict[str, np.ndarray]
    cosines: dict[str, np.ndarray]


def spread(model: nn.Module, layers: int) -> tuple[int, ...]:
    """``layers`` decoder layers evenly spread: the middles of as many slices of the model.

    Raises:
        ValueError: fewer than one, or more than the model has.
    """
    depth = len({weight.layer for weight in layer_weights(model)})
    if not 1 <= layers <= depth:
        raise ValueError(f"the model has {depth} layers, cannot choose {layers}")
    return tuple((2 * i + 1) * depth // (2 * layers) for i in range(layers))


def measure_gradients(
    language_model: LanguageModel,
    text: Sequence[Example],
    *,
    seed: int,
    batches: int = 25,
    batch_size: int = 16,
    loss: Loss = "vocabulary",
    learning_rate: float = 1e-3,
    layers: Sequence[int] | None = None,
    similarity_layers: Sequence[int] | None = None,
    scratch: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> GradientStudy:
    """Fine-tune a copy of the model by SGD and measure each batch gradient on the way.

    Batch t is the t-th slice of a seeded permutation of ``text``, so no two batches share a
    sentence. Its gradient is taken at the weights that the t batches before it produced; the same
    backward pass measures and updates. Each loss has a trajectory of its own: it is the loss that
    is being trained.

    Args:
        language_model: left as it is; a copy is trained.
        text: labelled sentences, at least ``batches * batch_size``.
        seed: of the permutation.
        loss: which cross-entropy is trained and measured.
        learning_rate: constant, of plain SGD on every parameter, embeddings included.
        layers: decoder layers whose spectra are taken; all by default.
        similarity_layers: decoder layers whose normalised gradients are compared; four spread
            ones by default. Their gradients of all batches lie on disk meanwhile.
        scratch: folder in which finished batches are kept, so that a killed run goes on where it
            stopped, to the same numbers; a temporary one by default.
        progress: called with (finished batches, all batches).

    Raises:
        ModelError: the model does not fit the prompt, has no matrices in these layers, or a
            gradient is zero or not finite.
        OSError: the scratch folder cannot be written or is full (SmolLM2 needs 2.5 GB).
        ValueError: too little text, or a number out of its range.
    """
    _check_numbers(text, batches, batch_size, learning_rate)
    everything = layer_weights(language_model.model)
    weights = _in_layers(everything, layers)
    if similarity_layers is None:
        similarity_layers = spread(language_model.model, min(4, len({w.layer for w in everything})))
    compared = _in_layers(everything, similarity_layers)
    words = label_word_ids(language_model.tokenizer)
    order = np.random.default_rng(seed).permutation(len(text))
    chosen = [text[i] for i in order[: batches * batch_size]]
    settings = {
        "seed": seed,
        "batches": batches,
        "batch_size": batch_size,
        "loss": loss,
        "learning_rate": learning_rate,
        "layers": [weight.name for weight in weights],
        "compared": [weight.name for weight in compared],
        "text": chosen,
        "torch": torch.__version__,
    }
    with fixed_threads():
        check_packing(language_model, chosen[:2])
        with Scratch(scratch, fingerprint(language_model.model, settings), batches) as store:
            run = _Run(language_model, words, loss, learning_rate, weights, compared, store)
            run.go(chosen, batch_size, progress)
            measured = store.results()
    return _assemble(measured, seed, batch_size, loss, learning_rate, weights, compared)


def _check_numbers(
    text: Sequence[Example], batches: int, batch_size: int, learning_rate: float
) -> None:
    if batches < 2 or batch_size < 1:
        raise ValueError(f"need batches >= 2, batch_size >= 1, got {batches} and {batch_size}")
    if not 0 <= learning_rate < float("inf"):
        raise ValueError(f"need a finite learning rate >= 0, got {learning_rate}")
    if batches * batch_size > len(text):
        raise ValueError(
            f"{batches} batches of {batch_size} sentences need {batches * batch_size} sentences,"
            f" got {len(text)}"
        )


def _in_layers(everything: Sequence[Weight], layers: Sequence[int] | None) -> tuple[Weight, ...]:
    known = {weight.layer for weight in everything}
    wanted = known if layers is None else set(layers)
    if not wanted or not wanted <= known:
        raise ModelError(
            f"no matrices in layers {sorted(wanted - known)}; there are {sorted(known)}"
        )
    found = tuple(weight for weight in everything if weight.layer in wanted)
    if not any(weight.module in ATTENTION for weight in found):
        raise ModelError(f"no attention matrix is called one of {', '.join(ATTENTION)}")
    return found


class _Run:
    """One fine-tuning run; the state between batches is in the model's weights and the store."""

    def __init__(
        self,
        language_model: LanguageModel,
        words: tuple[int, int],
        loss: Loss,
        learning_rate: float,
        weights: Sequence[Weight],
        compared: Sequence[Weight],
        store: Scratch,
    ) -> None:
        self.trained = LanguageModel(
            language_model.name, copy.deepcopy(language_model.model), language_model.tokenizer
        )
        self.words, self.loss, self.learning_rate = words, loss, learning_rate
        self.weights = {weight.name: weight for weight in weights}
        self.places = _places(compared)
        self.store = store

    def go(
        self,
        chosen: Sequence[Example],
        batch_size: int,
        progress: Callable[[int, int], None] | None,
    ) -> None:
        total = len(chosen) // batch_size
        for t in range(self.store.restore(self.trained.model), total):
            examples = chosen[t * batch_size : (t + 1) * batch_size]
            measured = self._batch(t, make_batch(self.trained.tokenizer, examples))
            self.store.finish(t, measured, self.trained.model)
            if progress is not None:
                progress(t + 1, total)

    def _batch(self, t: int, batch: Batch) -> dict[str, np.ndarray]:
        directions = self.store.directions(self.places)
        measured: dict[str, np.ndarray] = {}

        def emit(name: str, values: np.ndarray) -> None:
            measured[f"spectrum/{name}"] = values

        def consume(name: str, parameter: nn.Parameter, gradient: torch.Tensor) -> None:
            parameter.add_(gradient, alpha=-self.learning_rate)
            weight = self.weights.get(name)
            if weight and (weight.module in ATTENTION or t % FEED_FORWARD_EVERY == 0):
                queue.put(name, gradient)
            if name in self.places:
                norm = float(torch.linalg.vector_norm(gradient.double()))
                if not 0 < norm < float("inf"):
                    raise ModelError(f"the gradient of {name} at batch {t} has norm {norm}")
                row = (gradient.double() / norm).float().flatten().numpy()
                begin, end = self.places[name]
                directions[t, begin:end] = row
                measured[f"cosine/{name}"] = directions[:t, begin:end] @ row

        logits = last_logits(self.trained, batch)
        value = prompt_loss(logits, batch.labels, self.words, self.loss)
        if not torch.isfinite(value):
            raise ModelError(
                f"the loss of batch {t} is {value.item()}: the learning rate is too high"
            )
        measured["loss"] = np.array(value.item())
        with SpectrumQueue(emit) as queue, consumed_gradients(self.trained.model, consume):
            value.backward()
        return measured


def _places(compared: Sequence[Weight]) -> dict[str, tuple[int, int]]:
    """Where each flattened matrix lies in the row of all of them."""
    ends = np.cumsum([m * n for m, n in (weight.shape for weight in compared)]).tolist()
    return {
        weight.name: (begin, end)
        for weight, begin, end in zip(compared, [0, *ends], ends, strict=False)
    }


def _assemble(
    measured: Sequence[dict[str, np.ndarray]],
    seed: int,
    batch_size: int,
    loss: Loss,
    learning_rate: float,
    weights: tuple[Weight, ...],
    compared: tuple[Weight, ...],
) -> GradientStudy:
    spectra = {
        w.name: np.stack(
            [row.get(f"spectrum/{w.name}", np.full(min(w.shape), np.nan)) for row in measured]
        )
        for w in weights
    }
    cosines = {w.name: np.eye(len(measured)) for w in compared}
    for name, matrix in cosines.items():
        for t, row in enumerate(measured):
            matrix[t, :t] = matrix[:t, t] = row[f"cosine/{name}"]
    losses = np.array([float(row["loss"]) for row in measured])
    return GradientStudy(seed, batch_size, loss, learning_rate, weights, losses, spectra, cosines)
