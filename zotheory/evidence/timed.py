"""Timed evidence: ratios of times taken side by side, against what is claimed of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from zotheory.context import Context
from zotheory.evidence.compared import Case, Sample, compare
from zotheory.vocabulary import DRAWN, Check, Evidence, Kind, Statement, Verdict, written


def timed(plan: Callable[[Statement, Context], Sequence[Case]]) -> Check:
    """A check that decides relations of ratios with numbers, or with each other, on medians.

    A case is one setting, with the rounds' ratios as `compared.median` for every quantity of the
    formula. The error probability is shared by all medians; rounds are taken as independent. What
    is measured is this machine: the ledger says so, and figures differ from run to run. Without a
    model there is nothing to time.
    """

    def judge(statement: Statement, context: Context) -> Evidence:
        if context.model is None:
            return Evidence(Kind.TIMED, Verdict.NOT_RUN, "left out: no model was given")
        timings = plan(statement, context)
        found = compare(statement, timings, context.alpha)
        rounds = [_rounds(timing) for timing in timings]
        numbers: dict[str, Any] = {
            timing.at: {name: _spread(values) for name, values in of.items()} | timing.notes
            for timing, of in zip(timings, rounds, strict=True)
        }
        drawn = {timing.at: _rounded(timing.drawn) for timing in timings if timing.drawn}
        if drawn:
            numbers[DRAWN] = drawn
        certificate = {
            "relation": written(statement.formula),
            "medians": found.lines,
            "error probability": context.alpha,
            "rounds": [len(next(iter(of.values()))) for of in rounds],
        }
        return found.evidence(Kind.TIMED, numbers, certificate)

    return Check(Kind.TIMED, judge)


def _rounds(timing: Case) -> dict[str, np.ndarray]:
    return {str(s): v.values for s, v in timing.values.items() if isinstance(v, Sample)}


def _rounded(rounds: Mapping[str, np.ndarray]) -> dict[str, list[float]]:
    return {name: np.round(values, 5).tolist() for name, values in rounds.items()}


def _spread(rounds: np.ndarray) -> dict[str, float]:
    """Least, quartiles and greatest of the rounds."""
    names = ("min", "lower quartile", "median", "upper quartile", "max")
    return dict(zip(names, np.quantile(rounds, [0, 0.25, 0.5, 0.75, 1]).tolist(), strict=True))


# Rounds in which every contender is timed once, one after the other.


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
