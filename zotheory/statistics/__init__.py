"""Intervals and decisions for means, with finite-sample error probabilities."""

from zotheory.statistics.bounded import Bernstein, Betting, BettingLower, ClopperPearson
from zotheory.statistics.catoni import Catoni, CatoniKurtosis
from zotheory.statistics.decisions import (
    Decision,
    decide_at_most,
    decide_equal,
    decide_less,
    decide_within,
)
from zotheory.statistics.intervals import Interval, IntervalMethod
from zotheory.statistics.sequential import sequential

__all__ = [
    "Bernstein",
    "Betting",
    "BettingLower",
    "Catoni",
    "CatoniKurtosis",
    "ClopperPearson",
    "Decision",
    "Interval",
    "IntervalMethod",
    "decide_at_most",
    "decide_equal",
    "decide_less",
    "decide_within",
    "sequential",
]
