"""Timed evidence: ratios of times taken side by side, against what is claimed of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import sympy as sp
from sympy.core.relational import Relational

from zotheory.checks.exact import Counterexample, conjuncts, refuted
from zotheory.context import Context
from zotheory.statistics.medians import median_interval
from zotheory.vocabulary import DRAWN, Check, Evidence, Kind, Statement, Verdict, written

Interval = tuple[float, float]


@dataclass(frozen=True)
class Timing:
    """Ratios of one setting: for every quantity of the formula one number a round.

    Attributes:
        at: the setting, in words.
        ratios: the rounds' ratios, by the symbol that stands for them in the formula.
        notes: further figures worth telling.
        drawn: further rounds that only figures need, by name.
    """

    at: str
    ratios: Mapping[sp.Symbol, np.ndarray]
    notes: Mapping[str, Any] = field(default_factory=dict)
    drawn: Mapping[str, np.ndarray] = field(default_factory=dict)


def timed(plan: Callable[[Statement, Context], Sequence[Timing]]) -> Check:
    """A check that decides relations "symbol against number" on medians over rounds.

    The error probability is shared by all relations and settings. A relation holds, or fails, if it
    does so on the whole interval of the median; one that fails anywhere refutes. Rounds are taken
    as independent. What is measured is this machine: the ledger says so, and figures differ from
    run to run. Without a model there is nothing to time.
    """

    def judge(statement: Statement, context: Context) -> Evidence:
        if context.model is None:
            return Evidence(Kind.TIMED, Verdict.NOT_RUN, "left out: no model was given")
        timings = plan(statement, context)
        relations = conjuncts(statement.formula)
        alpha = context.alpha / (len(timings) * len(relations))
        found = [_decide(r, timing, alpha) for timing in timings for r in relations]
        return _evidence(statement, timings, found, context)

    return Check(Kind.TIMED, judge)


@dataclass(frozen=True)
class _Decision:
    relation: Relational
    timing: Timing
    median: float
    interval: Interval
    verdict: Verdict

    @property
    def line(self) -> str:
        low, high = self.interval
        bound = float(self.relation.rhs)
        return (
            f"{self.timing.at}: {self.relation.lhs} {self.median:.3g} in [{low:.3g}, {high:.3g}], "
            f"claimed {self.relation.rel_op} {bound:.3g}"
        )


def _decide(relation: Relational, timing: Timing, alpha: float) -> _Decision:
    if relation.lhs not in timing.ratios or not relation.rhs.is_number:
        raise ValueError(f"a timed relation compares a measured ratio with a number: {relation}")
    rounds = timing.ratios[relation.lhs]
    interval = median_interval(rounds, alpha)
    ends = {bool(relation.func(sp.Float(end), relation.rhs)) for end in interval}
    verdict = {(True,): Verdict.CONFIRMED, (False,): Verdict.REFUTED}.get(
        tuple(ends), Verdict.INCONCLUSIVE
    )
    return _Decision(relation, timing, float(np.median(rounds)), interval, verdict)


def _evidence(
    statement: Statement, timings: Sequence[Timing], found: list[_Decision], context: Context
) -> Evidence:
    order = (Verdict.REFUTED, Verdict.INCONCLUSIVE, Verdict.CONFIRMED)
    telling = min(found, key=lambda decision: order.index(decision.verdict))
    numbers = {
        timing.at: {
            **{str(symbol): _spread(rounds) for symbol, rounds in timing.ratios.items()},
            **timing.notes,
        }
        for timing in timings
    }
    drawn = {timing.at: _rounded(timing.drawn) for timing in timings if timing.drawn}
    if drawn:
        numbers[DRAWN] = drawn
    certificate: dict[str, Any] = {
        "relation": written(statement.formula),
        "medians": [decision.line for decision in found],
        "error probability": context.alpha,
        "rounds": len(next(iter(timings[0].ratios.values()))),
    }
    if telling.verdict is Verdict.REFUTED:
        failed = Counterexample(
            {"setting": telling.timing.at}, claimed=telling.relation.rhs, actual=telling.median
        )
        made = refuted(statement, failed, telling.relation, witness=_witness(telling))
        certificate |= made.certificate
    return Evidence(Kind.TIMED, telling.verdict, telling.line, numbers, certificate)


def _witness(decision: _Decision) -> Callable[[Statement, Counterexample], str]:
    rounds = np.round(decision.timing.ratios[decision.relation.lhs], 6).tolist()
    return lambda statement, failed: (
        f"""import numpy as np

# {decision.relation.lhs}, one ratio a round ({decision.timing.at})
rounds = np.array({rounds})
print("claimed", {float(failed.claimed)})
print("actual", float(np.median(rounds)))
"""
    )


def _rounded(rounds: Mapping[str, np.ndarray]) -> dict[str, list[float]]:
    return {name: np.round(values, 5).tolist() for name, values in rounds.items()}


def _spread(rounds: np.ndarray) -> dict[str, float]:
    """Least, quartiles and greatest of the rounds."""
    names = ("min", "lower quartile", "median", "upper quartile", "max")
    return dict(zip(names, np.quantile(rounds, [0, 0.25, 0.5, 0.75, 1]).tolist(), strict=True))
