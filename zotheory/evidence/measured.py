"""Measured evidence: means of statistics by Monte Carlo, decided at a stated error probability."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from hashlib import sha256
from inspect import signature
from typing import Any

import cloudpickle
import joblib
import sympy as sp

from zotheory.arguments import flat, function, shown
from zotheory.context import Context
from zotheory.montecarlo import Sampler
from zotheory.statistics import Decision, sequential
from zotheory.vocabulary import Check, Evidence, Kind, Statement, Verdict


@dataclass(frozen=True)
class Measurement:
    """One mean to measure.

    Attributes:
        at: where in the claim's domain, in words, or as values of its symbols (``m=3 n=4``); with
            the claim's id it keys the random stream.
        sampler: draws the statistic (see `MonteCarlo.run`).
        decide: one of `zotheory.statistics.decide_*` with everything but shards and alpha filled
            in, and the claimed number where it is the formula's right side at `point`.
        shard_size: samples per shard.
        max_shards: shards at budget 1; the run's budget multiplies it.
        first_look: shards before the first decision.
        point: values of the symbols of the formula's right side; unless given, those of `at`.
    """

    at: str | Mapping[sp.Symbol, Any]
    sampler: Sampler
    decide: Callable[..., Decision]
    shard_size: int
    max_shards: int
    first_look: int = 32
    point: Mapping[sp.Symbol, Any] | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.at, str):
            object.__setattr__(self, "point", self.point or self.at)
            told = " ".join(f"{symbol}={value}" for symbol, value in self.at.items())
            object.__setattr__(self, "at", told)

    def decided(self, statement: Statement) -> Callable[..., Decision]:
        """`decide` with the number that the statement claims at the point, if there is one."""
        if self.point is None:
            return self.decide
        claimed = statement.bound.subs(self.point)
        if not claimed.is_number:
            raise ValueError(f"the claimed number is not known at {self.at}: {claimed}")
        known = {"target", "bound"} & set(signature(self.decide).parameters)
        return partial(self.decide, **dict.fromkeys(known, float(claimed)))


def measured(plan: Callable[[Statement, Context], Sequence[Measurement]]) -> Check:
    """A check that measures what `plan` lists; the error probability is shared equally.

    One refuted measurement refutes the statement, all confirmed ones confirm it. The same
    measurement of a claim's mutant or correction sees the same samples.

    Raises ValueError for a plan that is no function.
    """
    plan = function("plan", plan)

    def judge(statement: Statement, context: Context) -> Evidence:
        measurements = list(flat(plan(statement, context)))
        for found in measurements:
            if not isinstance(found, Measurement):
                raise ValueError(f"a plan lists zotheory.Measurement objects, got {shown(found)}")
        if not measurements or len({m.at for m in measurements}) < len(measurements):
            raise ValueError("a plan lists at least one measurement, each `at` its own place")
        alpha = context.alpha / len(measurements)
        decisions = {m.at: _decide(m, statement, context, alpha) for m in measurements}
        verdicts = {Verdict(d.verdict) for d in decisions.values()}
        verdict = next(
            v for v in (Verdict.REFUTED, Verdict.INCONCLUSIVE, Verdict.CONFIRMED) if v in verdicts
        )
        numbers = {at: _numbers(decision) for at, decision in decisions.items()}
        telling = next(at for at, d in decisions.items() if verdict == Verdict(d.verdict))
        certificate = {
            "measurements": [f"{at}: {_line(d)}" for at, d in decisions.items()],
            "error probability": context.alpha,
            "seed": context.seed,
        }
        summary = f"{telling}: {_line(decisions[telling])}"
        if verdict is Verdict.CONFIRMED and len(decisions) > 1:
            summary += f", and at {len(decisions) - 1} more"
        return Evidence(Kind.MEASURED, verdict, summary, numbers, certificate)

    return Check(Kind.MEASURED, judge)


def _decide(
    measurement: Measurement, statement: Statement, context: Context, alpha: float
) -> Decision:
    context.tell(f"{context.claim}  measuring at {measurement.at}")
    return sequential(
        context.monte_carlo,
        f"{context.claim}/{measurement.at}",
        measurement.sampler,
        measurement.decided(statement),
        max_shards=max(
            measurement.first_look, int(measurement.max_shards * context.budget.samples)
        ),
        shard_size=measurement.shard_size,
        first_look=measurement.first_look,
        alpha=alpha,
        fingerprint=_fingerprint(measurement.sampler),
    )


def _fingerprint(sampler: Sampler) -> str:
    """What tells one sampler from another: its name and values, or its code if it has no name."""
    try:
        return joblib.hash(sampler)
    except (pickle.PicklingError, AttributeError):
        return sha256(cloudpickle.dumps(sampler)).hexdigest()


def _numbers(decision: Decision) -> dict[str, Any]:
    numbers = asdict(decision)
    numbers["claimed"] = numbers.pop("target")
    return numbers


def _line(decision: Decision) -> str:
    """Estimate, interval and claim of the coordinate that tells, in a few words."""
    estimate, low, high, target = (
        numbers[decision.telling] if isinstance(numbers, tuple) else numbers
        for numbers in (decision.estimate, *decision.interval, decision.target)
    )
    return (
        f"{estimate:.5g} in [{low:.5g}, {high:.5g}], claimed {target:.5g}"
        f" ({decision.samples:,} samples, {decision.method})"
    )
