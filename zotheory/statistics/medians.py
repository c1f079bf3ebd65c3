"""A median's interval from order statistics: no assumption on the law of the values."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.stats import binom


def median_interval(values: Sequence[float], alpha: float) -> tuple[float, float]:
    """An interval that misses the median of independent values with probability at most `alpha`.

    The number of n values below the median of a continuous law is Bin(n, 1/2), so the interval
    between the k-th smallest and the k-th largest value misses it with probability
    2 P(Bin(n, 1/2) < k); k is the largest for which that is at most `alpha`. Raises ValueError for
    values that are not finite and for fewer than 1 + log2(1 / alpha) of them, with which not even
    their whole range would do.
    """
    ordered = np.sort(np.asarray(values, dtype=float))
    if ordered.ndim != 1 or not np.isfinite(ordered).all():
        raise ValueError("a median needs a sequence of finite numbers")
    n = len(ordered)
    k = int(np.count_nonzero(2 * binom.cdf(np.arange(n // 2), n, 0.5) <= alpha)) if n else 0
    if k == 0:
        raise ValueError(f"{n} values are too few for a median's interval at {alpha:g}")
    return float(ordered[k - 1]), float(ordered[n - k])
