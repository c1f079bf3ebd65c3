"""Rounds in which every contender is timed once, one after the other."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import numpy as np


def interleaved(
    contenders: Mapping[str, Callable[[], object]],
    rounds: int,
    tell: Callable[[str], None] = lambda _: None,
) -> dict[str, np.ndarray]:
    """The seconds of every contender in every round, after one round that is not counted.

    Each round begins with the next contender, so that none always follows the same one; ratios
    within a round are little disturbed by a machine whose speed drifts. Raises ValueError for no
    contender or no round.
    """
    if not contenders or rounds < 1:
        raise ValueError("timing needs contenders and rounds")
    names = list(contenders)
    seconds = {name: np.full(rounds, np.nan) for name in names}
    for turn in range(-1, rounds):
        tell(f"round {turn + 1} of {rounds}")
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            start = time.perf_counter()
            contenders[name]()
            if turn >= 0:
                seconds[name][turn] = time.perf_counter() - start
    return seconds
