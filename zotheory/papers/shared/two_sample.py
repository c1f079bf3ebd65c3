"""Whether two samplers draw from one law: the means of bounded features of both, compared.

For centres c_1, ..., c_J the mean of f_j(x) = exp(-||x - c_j||^2/(2 width^2)) is the law's Gaussian
mean embedding at c_j. It is analytic in c_j, and the embeddings of two laws are one function only
if the laws are one: at centres drawn from a density all J differences vanish with probability 0
unless the laws are equal (Chwialkowski et al. 2015, "Fast two-sample testing with analytic
representations of probability measures").
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from zotheory.evidence.measured import Measurement
from zotheory.montecarlo import Sampler
from zotheory.statistics import Bernstein, decide_equal

CENTRES = 6


@dataclass(frozen=True)
class Features:
    """f_j(x) - f_j(y), x from the first sampler and y from the second, j = 1..J: in [-1, 1].

    The centres are draws of the first sampler, halves of x and y each, from a seed of their own;
    the width is the median distance between a centre and further draws.
    """

    first: Sampler
    second: Sampler

    def __call__(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """`size` independent rows, shape (size, J)."""
        features = self._features()
        return features(self.first(rng, size)) - features(self.second(rng, size))

    def _features(self) -> Callable[[np.ndarray], np.ndarray]:
        rng = np.random.default_rng(0)
        centres = self.first(rng, CENTRES)
        width = np.median(_distances(self.second(rng, 20), centres))
        return lambda x: np.exp(-((_distances(x, centres) / width) ** 2) / 2)


def _distances(x: np.ndarray, centres: np.ndarray) -> np.ndarray:
    return np.linalg.norm(x[:, None] - centres, axis=2)


def one_law(
    at: str, first: Sampler, second: Sampler, tolerance: float, size: int, shards: int
) -> Measurement:
    """Whether both samplers have one law, confirmed where no feature's mean differs by more."""
    decide = partial(
        decide_equal, method=Bernstein(-1.0, 1.0), target=0.0, tolerance=tolerance, scale=1.0
    )
    return Measurement(at, Features(first, second), decide, size, shards)
