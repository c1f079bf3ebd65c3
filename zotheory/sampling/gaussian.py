"""Statistics of one Gaussian vector, reduced to a few numbers in any dimension."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class LinearEstimateNorm:
    """||<y, z> z||^2 for a unit vector y and z ~ N(0, I_n): A^2 (A^2 + chi^2_(n-1)), A = <y, z>."""

    n: int

    def __call__(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """`size` independent values."""
        along = np.square(rng.standard_normal(size))
        across = rng.chisquare(self.n - 1, size) if self.n > 1 else 0.0
        return along * (along + across)
