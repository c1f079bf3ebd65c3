"""Timed evidence: ratios of times taken side by side, against what is claimed of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import sympy as sp
from sympy.core.relational import Relational

from zotheory.context import Context
from zotheory.evidence.exact import Counterexample, conjuncts, refuted
from zotheory.statistics.intervals import median_interval
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
    """A check that decides relations of ratios with numbers, or with each other, on medians.

    The error probability is shared by all medians. A relation holds, or fails, if it does so on the
    whole intervals of its medians; one that fails anywhere refutes. Rounds are taken as
    independent. What is measured is this machine: the ledger says so, and figures differ from run
    to run. Without a model there is nothing to time.
    """

    def judge(statement: Statement, context: Context) -> Evidence:
        if context.model is None:
            return Evidence(Kind.TIMED, Verdict.NOT_RUN, "left out: no model was given")
        timings = plan(statement, context)
        relations = conjuncts(statement.formula)
        symbols = {symbol for relation in relations for symbol in relation.free_symbols}
        alpha = context.alpha / (len(timings) * max(1, len(symbols)))
        found = [_decide(r, timing, alpha) for timing in timings for r in relations]
        return _evidence(statement, timings, found, context)

    return Check(Kind.TIMED, judge)


@dataclass(frozen=True)
class _Side:
    """One side of a relation: a measured median with its interval, or a number."""

    name: str
    value: float
    interval: Interval
    rounds: np.ndarray | None = None

    @property
    def told(self) -> str:
        if self.rounds is None:
            return self.name
        low, high = self.interval
        return f"{self.name} {self.value:.3g} in [{low:.3g}, {high:.3g}]"


@dataclass(frozen=True)
class _Decision:
    relation: Relational
    at: str
    sides: tuple[_Side, _Side]
    verdict: Verdict

    @property
    def line(self) -> str:
        left, right = self.sides
        return f"{self.at}: {left.told}, claimed {self.relation.rel_op} {right.told}"


def _decide(relation: Relational, timing: Timing, alpha: float) -> _Decision:
    left, right = (_side(side, timing, alpha) for side in relation.args)
    if left.rounds is None:
        raise ValueError(f"a timed relation begins with a measured ratio: {relation}")
    holds = {
        bool(relation.func(sp.Float(a), sp.Float(b))) for a in left.interval for b in right.interval
    }
    verdict = {(True,): Verdict.CONFIRMED, (False,): Verdict.REFUTED}.get(
        tuple(holds), Verdict.INCONCLUSIVE
    )
    return _Decision(relation, timing.at, (left, right), verdict)


def _side(side: sp.Expr, timing: Timing, alpha: float) -> _Side:
    if side.is_number:
        return _Side(f"{float(side):.3g}", float(side), (float(side), float(side)))
    if side not in timing.ratios:
        raise ValueError(f"a timed relation compares measured ratios and numbers, not {side}")
    rounds = timing.ratios[side]
    return _Side(str(side), float(np.median(rounds)), median_interval(rounds, alpha), rounds)


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
        "rounds": [len(next(iter(timing.ratios.values()))) for timing in timings],
    }
    if telling.verdict is Verdict.REFUTED:
        left, right = telling.sides
        failed = Counterexample(
            {"setting": telling.at}, claimed=sp.Float(right.value), actual=left.value
        )
        made = refuted(statement, failed, telling.relation, witness=_witness(telling))
        certificate |= made.certificate
    return Evidence(Kind.TIMED, telling.verdict, telling.line, numbers, certificate)


def _witness(decision: _Decision) -> Callable[[Statement, Counterexample], str]:
    left, right = decision.sides
    lines = ["import numpy as np", "", f"# one value a round ({decision.at})"]
    lines += [f"actual = {_listed(left)}", f"claimed = {_listed(right)}"]
    lines += ['print("claimed", float(np.median(claimed)))', 'print("actual", np.median(actual))']
    return lambda statement, failed: "\n".join(lines) + "\n"


def _listed(side: _Side) -> str:
    if side.rounds is None:
        return repr(side.value)
    return f"np.array({np.round(side.rounds, 6).tolist()})  # {side.name}"


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
