"""What Gaussian noise on a model's weights does to several batches: steps along it, and raises."""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import permutations

import numpy as np
import torch
from torch import Tensor, nn

import estimators
from zotheory.model.gradients import layer_weights
from zotheory.model.language_model import LanguageModel, fixed_threads
from zotheory.model.prompts import Batch, Loss, label_word_ids, last_logits, make_batch, prompt_loss
from zotheory.model.reviews import Example

LOSSES: tuple[Loss, Loss] = ("vocabulary", "label_words")
Tell = Callable[[int, int], None]


@dataclass(frozen=True)
class StepStudy:
    """T directions z, each with an ordered pair (i, j) of B batches, both losses.

    Attributes:
        length: s of the two points theta + s z and theta - s z.
        gram: (2, B, B) inner products of the batches' true gradients, by loss.
        start: (2, B) the losses at theta.
        pairs: (T, 2) the batches i and j of each direction; two directions in a row share them.
        ends: (T, 2, 2, 2) the losses at the points +, -; by loss; of the batches i and j.
        linear: (T, 2, 2) the inner products of the true gradients with z, by loss, of i and j.
    """

    length: float
    gram: np.ndarray
    start: np.ndarray
    pairs: np.ndarray
    ends: np.ndarray
    linear: np.ndarray

    @property
    def slopes(self) -> np.ndarray:
        """(T, 2, 2) two-sided differences along z, by loss, of i and j."""
        return (self.ends[:, 0] - self.ends[:, 1]) / (2 * self.length)

    @property
    def changes(self) -> np.ndarray:
        """(T, 2, 2) by how much i's step of length s along -estimate changes the losses of i, j."""
        down = self.slopes[:, :, :1] > 0
        landed = np.where(down, self.ends[:, 1], self.ends[:, 0])
        return landed - self.start[:, self.pairs].transpose(1, 0, 2)

    @property
    def cosines(self) -> np.ndarray:
        """(2, B, B) of the batches' gradients, by loss."""
        norms = np.sqrt(np.einsum("lbb->lb", self.gram))
        return self.gram / (norms[:, :, None] * norms[:, None, :])


def make_batches(
    model: LanguageModel, text: Sequence[Example], *, count: int, size: int, seed: int
) -> list[Batch]:
    """`count` batches of `size` different sentences each. Raises ValueError for too little text."""
    if len(text) < count * size:
        raise ValueError(f"{count} batches need {count * size} sentences, got {len(text)}")
    order = np.random.default_rng(seed).permutation(len(text))
    rows = order[: count * size].reshape(count, size)
    return [make_batch(model.tokenizer, [text[i] for i in row]) for row in rows]


@torch.no_grad()
def both_losses(model: LanguageModel, batch: Batch) -> list[float]:
    """A batch's losses over the vocabulary and over the label words, from one forward pass."""
    logits, words = last_logits(model, batch), label_word_ids(model.tokenizer)
    return [float(prompt_loss(logits, batch.labels, words, loss)) for loss in LOSSES]


def measure_steps(
    model: LanguageModel,
    batches: Sequence[Batch],
    *,
    directions: int,
    length: float,
    seed: int,
    tell: Tell = lambda done, of: None,
) -> StepStudy:
    """Evaluate pairs of batches at theta + s z and theta - s z; z as MeZO draws them.

    All gradients are held meanwhile: two models' size a batch. The weights come back bit for bit.
    """
    pairs = list(permutations(range(len(batches)), 2))
    chosen = np.array([pairs[(t // 2) % len(pairs)] for t in range(directions)])
    with fixed_threads():
        gradients = [[_gradient(model, b, loss) for b in batches] for loss in LOSSES]
        gram = np.array([[[_inner(a, b) for b in row] for a in row] for row in gradients])
        start = np.array([both_losses(model, b) for b in batches]).T
        ends, linear = np.empty((directions, 2, 2, 2)), np.empty((directions, 2, 2))
        with _moved(model.model) as move:
            for t, pair in enumerate(chosen):
                tell(t, directions)
                z = draw(model.model, seed, t)
                linear[t] = [[_inner(row[b], z) for b in pair] for row in gradients]
                for side, sign in enumerate((1.0, -1.0)):
                    move(z, sign * length)
                    ends[t, side] = np.array([both_losses(model, batches[b]) for b in pair]).T
    return StepStudy(length, gram, start, chosen, ends, linear)


@dataclass(frozen=True)
class NoiseStudy:
    """How much noise on the largest and on the smallest weights raises the losses, in T draws.

    Attributes:
        norms: (S,) the noise's norms, relative to that of the blocks' matrices together.
        raises: (T, S, 2, 2) the mean raise by +noise and -noise; by norm; on the largest and on
            the smallest; by loss.
        start: (2, B) the losses without noise.
    """

    norms: np.ndarray
    raises: np.ndarray
    start: np.ndarray


def measure_noise(
    model: LanguageModel,
    batches: Sequence[Batch],
    *,
    share: float,
    norms: Sequence[float],
    draws: int,
    seed: int,
    tell: Tell = lambda done, of: None,
) -> NoiseStudy:
    """Put Gaussian noise on the share of largest, and of smallest, weights of the blocks' matrices.

    Both kinds of a draw have the same norm and see the same batch; batches take turns. Embeddings
    and vectors stay as they are.
    """
    with fixed_threads():
        names = {weight.name for weight in layer_weights(model.model)}
        masks = extremes(model.model, names, share)
        matrices = [p.detach() for name, p in model.model.named_parameters() if name in names]
        total = sum(float(matrix.square().sum()) for matrix in matrices) ** 0.5
        start = np.array([both_losses(model, b) for b in batches]).T
        raises = np.empty((draws, len(norms), 2, 2))
        with _moved(model.model) as move:
            for t in range(draws):
                tell(t, draws)
                z, b = draw(model.model, seed, t), t % len(batches)
                for kind, mask in enumerate(masks):
                    masked = [entries * on for entries, on in zip(z, mask, strict=True)]
                    unit = total / _inner(masked, masked) ** 0.5
                    for scale, norm in enumerate(norms):
                        found = []
                        for sign in (1.0, -1.0):
                            move(masked, sign * norm * unit)
                            found.append(both_losses(model, batches[b]))
                        raises[t, scale, kind] = np.mean(found, axis=0) - start[:, b]
    return NoiseStudy(np.array(norms), raises, start)


@torch.no_grad()
def extremes(
    model: nn.Module, names: Collection[str], share: float
) -> tuple[list[Tensor], list[Tensor]]:
    """Masks of the largest and of the smallest magnitudes of each named parameter; else none."""
    largest, smallest = [], []
    for name, parameter in model.named_parameters():
        sizes, count = parameter.abs(), round(share * parameter.numel()) if name in names else 0
        flat = sizes.flatten()
        if count:
            largest.append(sizes >= flat.kthvalue(flat.numel() - count + 1).values)
            smallest.append(sizes <= flat.kthvalue(count).values)
        else:
            largest.append(torch.zeros_like(sizes, dtype=torch.bool))
            smallest.append(torch.zeros_like(sizes, dtype=torch.bool))
    return largest, smallest


def draw(model: nn.Module, seed: int, step: int) -> list[Tensor]:
    """MeZO's z of a step, a tensor for every parameter."""
    optimizer = estimators.mezo(model, lr=0.0, seed=seed)
    return [
        optimizer.perturbation.draw(slot, seed, step, 0).dense().view(slot.param.shape)
        for slot in optimizer.slots()
    ]


def _gradient(model: LanguageModel, batch: Batch, loss: Loss) -> list[Tensor]:
    words = label_word_ids(model.tokenizer)
    value = prompt_loss(last_logits(model, batch), batch.labels, words, loss)
    return list(torch.autograd.grad(value, list(model.model.parameters())))


@torch.no_grad()
def _inner(a: Sequence[Tensor], b: Sequence[Tensor]) -> float:
    return sum(float(x.flatten() @ y.flatten()) for x, y in zip(a, b, strict=True))


@contextmanager
def _moved(model: nn.Module) -> Iterator[Callable[[Sequence[Tensor], float], None]]:
    """A function that puts the weights at theta + scale z; at the end they are theta again."""
    parameters = list(model.parameters())
    copies = [parameter.detach().clone() for parameter in parameters]

    def move(z: Sequence[Tensor], scale: float) -> None:
        for parameter, copy, entries in zip(parameters, copies, z, strict=True):
            torch.add(copy, entries, alpha=scale, out=parameter.data)

    try:
        yield move
    finally:
        for parameter, copy in zip(parameters, copies, strict=True):
            parameter.data.copy_(copy)
