"""Points that a figure measures itself, by the library's samplers and intervals."""

from __future__ import annotations

from figures.data import Data
from zotheory.budget import ALPHA
from zotheory.montecarlo import MonteCarlo, Sampler
from zotheory.statistics import Interval, IntervalMethod

SHARDS = 32


def sampled(
    data: Data, name: str, sampler: Sampler, method: IntervalMethod, samples: int
) -> Interval:
    """Means of a sampler's columns, with bounds at the ledger's error probability.

    The samples come in shards from the ledger's seed; `name` keys their streams. `samples` is a
    multiple of the number of shards.
    """
    engine = MonteCarlo(data.ledger.seed)
    shards = engine.run(f"figures/{name}", sampler, range(SHARDS), samples // SHARDS)
    return method(shards, ALPHA)
