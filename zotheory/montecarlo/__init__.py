"""Sharded, resumable, worker-independent Monte Carlo."""

from zotheory.montecarlo.accumulators import Accumulator, merge
from zotheory.montecarlo.engine import MonteCarlo
from zotheory.montecarlo.shards import MonteCarloError, Sampler
from zotheory.montecarlo.streams import stream

__all__ = ["Accumulator", "MonteCarlo", "MonteCarloError", "Sampler", "merge", "stream"]
