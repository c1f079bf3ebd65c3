"""Where model checks take losses and true gradients: batches of reviews at the model's weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from zotheory.checks.modelled import WORDS, sentences
from zotheory.context import Context

if TYPE_CHECKING:
    from zotheory.model.gradients import Weight
    from zotheory.model.points import Point

LAYERS = 3  # decoder layers, spread over the depth


@contextmanager
def points(
    context: Context,
    groups: Callable[[Sequence[Weight]], Sequence[Sequence[Weight]]],
    batch_size: int,
    layers: int = LAYERS,
) -> Iterator[list[Point]]:
    """One point for each group of the spread layers' matrices, each with sentences of its own.

    The weights are put back bit for bit afterwards. Raises AssetMissing if the model or the text
    cannot be had, ModelError if the model does not fit.
    """
    from zotheory.model.points import point, spread_weights
    from zotheory.timing.language import borrowed_model

    text = sentences(context, WORDS)
    with borrowed_model(context) as found:
        chosen = groups(spread_weights(found.model, layers))
        context.tell(f"{context.claim}  {len(chosen)} gradients by backpropagation")
        starts = range(0, len(chosen) * batch_size, batch_size)
        yield [
            point(found, text[start : start + batch_size], weights)
            for start, weights in zip(starts, chosen, strict=True)
        ]


def by_layer(weights: Sequence[Weight]) -> list[list[Weight]]:
    """One group a decoder layer."""
    layers = sorted({weight.layer for weight in weights})
    return [[w for w in weights if w.layer == layer] for layer in layers]
