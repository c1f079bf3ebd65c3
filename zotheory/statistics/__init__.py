"""Intervals and decisions for means, with finite-sample error probabilities."""

from zotheory.statistics.bounded import Bernstein, BettingLower, ClopperPearson
from zotheory.statistics.catoni import Catoni
from zotheory.statistics.decisions import (
    Decision,
    decide_at_least,
    decide_at_most,
    decide_equal,
    decide_less,
    decide_within,
)
from zotheory.statistics.intervals import Interval, IntervalMethod
from zotheory.statistics.sequential import sequential

__all__ = [
    "Bernstein",
    "BettingLower",
    "Catoni",
    "ClopperPearson",
    "Decision",
    "Interval",
    "IntervalMethod",
    "decide_at_least",
    "decide_at_most",
    "decide_equal",
    "decide_less",
    "decide_within",
    "sequential",
]
