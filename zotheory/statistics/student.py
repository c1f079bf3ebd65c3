"""Student's interval, for few independent means whose law is near normal but otherwise unknown."""

import numpy as np
from scipy.stats import t


def student(values: np.ndarray, alpha: float) -> tuple[float, float]:
    """Two-sided bounds for the mean of independent values, at error alpha if they are normal.

    Raises ValueError for fewer than two values.
    """
    if len(values) < 2:
        raise ValueError("Student's interval needs at least two values")
    half = t.ppf(1 - alpha / 2, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values))
    return float(np.mean(values) - half), float(np.mean(values) + half)
