"""Singular values of many matrices, two at a time on two cores."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from threadpoolctl import ThreadpoolController
from torch import nn

from zotheory.model.gradients import Weight


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
