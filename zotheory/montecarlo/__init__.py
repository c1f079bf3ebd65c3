"""Sharded, resumable, worker-independent Monte Carlo."""

from zotheory.montecarlo.engine import MonteCarlo
from zotheory.montecarlo.shards import Accumulator, MonteCarloError, Sampler, merge, stream

__all__ = ["Accumulator", "MonteCarlo", "MonteCarloError", "Sampler", "merge", "stream"]
