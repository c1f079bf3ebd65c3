"""Where model checks take losses and true gradients: batches of reviews at the model's weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from zotheory.context import Context
from zotheory.judge import AssetMissing

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
    cannot be had, or the model does not fit.
    """
    import torch

    from zotheory.model.language_model import ModelError
    from zotheory.model.points import point, spread_weights
    from zotheory.model.study import THREADS
    from zotheory.timing.language import borrowed_model, reviews

    text, threads = reviews(context), torch.get_num_threads()
    torch.set_num_threads(THREADS)  # sums are split among threads: numbers repeat at a fixed count
    try:
        with borrowed_model(context) as found:
            chosen = groups(spread_weights(found.model, layers))
            context.tell(f"{context.claim}  {len(chosen)} gradients by backpropagation")
            starts = range(0, len(chosen) * batch_size, batch_size)
            yield [
                point(found, text[start : start + batch_size], weights)
                for start, weights in zip(starts, chosen, strict=True)
            ]
    except ModelError as error:
        raise AssetMissing(str(error)) from error
    finally:
        torch.set_num_threads(threads)


def by_layer(weights: Sequence[Weight]) -> list[list[Weight]]:
    """One group a decoder layer."""
    layers = sorted({weight.layer for weight in weights})
    return [[w for w in weights if w.layer == layer] for layer in layers]
