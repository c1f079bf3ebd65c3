"""Gram matrices of Gaussian factors, without the factors."""

from __future__ import annotations

import numpy as np


def gram_root(rng: np.random.Generator, size: int, along: np.ndarray, dimension: int) -> np.ndarray:
    """K with K K^T distributed as U U^T given U's coordinates `along` k directions.

    Args:
        rng: source of randomness.
        size: number of draws.
        along: (size, r, k) coordinates of the r factors along k orthonormal directions.
        dimension: length of the factors, >= k.

    Returns:
        (size, r, k + c) with c = min(dimension - k, r) further columns: Gaussian ones, or the
        Bartlett root of a Wishart matrix with dimension - k degrees of freedom.
    """
    r, rest = along.shape[1], dimension - along.shape[2]
    if rest < r:
        return np.concatenate([along, rng.standard_normal((size, r, rest))], axis=2)
    root = np.zeros((size, r, r))
    rows, columns = np.tril_indices(r, -1)
    root[:, rows, columns] = rng.standard_normal((size, len(rows)))
    freedom = rest - np.arange(r)
    root[:, np.arange(r), np.arange(r)] = np.sqrt(rng.chisquare(freedom, (size, r)))
    return np.concatenate([along, root], axis=2)
