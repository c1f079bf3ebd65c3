"""Estimators measured through the code that trains, beside their exact cards."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from estimators.streams import stream_key
from figures.data import Data
from zotheory.probing.measure import Estimator, Sums, measure
from zotheory.probing.objectives import Objective, linear

BATCHES = 25  # of the intervals


def objective(data: Data, m: int, n: int) -> Objective:
    """The linear loss of `zotheory probe`, from the ledger's seed."""
    return linear(m, n, data.ledger.seed)


def batches(data: Data, estimator: Estimator, on: Objective, samples: int) -> Sequence[Sums]:
    """Sums over `samples` estimates, each the first of a fresh estimator, in batches.

    Losses of different sizes, and estimators of different names, see different random numbers.
    """
    named = stream_key("figures", estimator.name, *on.weights.shape) % 2**32
    parts = named + np.arange(samples).reshape(BATCHES, -1)
    return [measure(estimator, on, part.tolist(), data.ledger.seed) for part in parts]
