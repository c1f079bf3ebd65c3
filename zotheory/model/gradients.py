"""Gradients taken weight by weight during one backward pass, each freed before the next is made."""

import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from threadpoolctl import ThreadpoolController
from torch import nn


@dataclass(frozen=True)
class Weight:
    """A matrix inside a decoder layer: parameter's name, layer's index, module's name."""

    name: str
    layer: int
    module: str
    shape: tuple[int, int]


def layer_weights(model: nn.Module) -> list[Weight]:
    """All matrices of the decoder layers, in the order of ``named_parameters``.

    The layer is the first number in a parameter's name and the module the part before ``.weight``:
    ``model.layers.3.self_attn.q_proj.weight`` is ``q_proj`` of layer 3. Embeddings have no such
    number.
    """
    found = []
    for name, parameter in model.named_parameters():
        match = re.search(r"\.(\d+)\.(?:.*\.)?(\w+)\.weight$", name)
        if match and parameter.ndim == 2:
            rows, columns = parameter.shape
            found.append(Weight(name, int(match[1]), match[2], (rows, columns)))
    return found


@contextmanager
def consumed_gradients(
    model: nn.Module, consume: Callable[[str, nn.Parameter, torch.Tensor], None]
) -> Iterator[None]:
    """Within this context ``backward()`` hands each gradient to ``consume`` and then drops it.

    ``consume(name, parameter, gradient)`` runs once per parameter, as soon as its gradient is
    complete, and may change the parameter in place: the backward pass no longer needs it. At most
    one gradient besides those still being summed (tied weights) is alive, unless ``consume`` keeps
    it.
    """

    def hook_of(name: str) -> Callable[[nn.Parameter], None]:
        def hook(parameter: nn.Parameter) -> None:
            gradient, parameter.grad = parameter.grad, None
            assert gradient is not None  # it has just been accumulated
            with torch.no_grad():
                consume(name, parameter, gradient)

        return hook

    handles = [
        parameter.register_post_accumulate_grad_hook(hook_of(name))
        for name, parameter in model.named_parameters()
        if parameter.requires_grad
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


# Singular values of many matrices, two at a time on two cores.


def gram(matrix: torch.Tensor) -> np.ndarray:
    """A A^T or A^T A, whichever is smaller, in float64."""
    wide = matrix.detach().double()
    if wide.shape[0] > wide.shape[1]:
        wide = wide.T
    return (wide @ wide.T).numpy()


def singular_values_of_gram(gram_matrix: np.ndarray) -> np.ndarray:
    """Square roots of the eigenvalues, falling.

    In float64 the eigenvalues are exact to about 1e-15 of the largest, hence the singular values
    below about 3e-8 of the largest are rounding noise (the float32 gradients themselves end near
    1e-7).
    """
    return np.sqrt(np.linalg.eigvalsh(gram_matrix).clip(min=0))[::-1]


class SpectrumQueue:
    """Singular values of matrices handed over one by one, holding two Gram matrices at most.

    One LAPACK call on a few hundred rows gains little from a second core, two calls side by side
    do. ``emit(key, values)`` receives the falling singular values; a ``with`` block drains the
    queue.
    """

    def __init__(self, emit: Callable[[str, np.ndarray], None]) -> None:
        self._emit = emit
        self._waiting: list[tuple[str, np.ndarray]] = []
        self._libraries = ThreadpoolController()

    def put(self, key: str, matrix: torch.Tensor) -> None:
        """Queue one matrix; it may be changed or freed afterwards."""
        self._waiting.append((key, gram(matrix)))
        if len(self._waiting) == 2:
            self._drain()

    def _drain(self) -> None:
        keys = [key for key, _ in self._waiting]
        grams = [gram_matrix for _, gram_matrix in self._waiting]
        self._waiting.clear()
        with self._libraries.limit(limits=1, user_api="blas"):
            for key, values in zip(
                keys, self._pool.map(singular_values_of_gram, grams), strict=True
            ):
                self._emit(key, values)

    def __enter__(self) -> "SpectrumQueue":
        self._pool = ThreadPoolExecutor(2)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self._drain()
        finally:
            self._pool.shutdown()


def weight_spectra(model: nn.Module, weights: Sequence[Weight]) -> dict[str, np.ndarray]:
    """Falling singular values of the given weights of ``model``, by parameter name."""
    parameters = dict(model.named_parameters())
    spectra: dict[str, np.ndarray] = {}
    with SpectrumQueue(spectra.__setitem__) as queue:
        for weight in weights:
            queue.put(weight.name, parameters[weight.name])
    return spectra
