"""Fewer steps, as the papers promise: fine-tuning runs of two methods, seed by seed.

Counted in forward passes, of recorded runs, and by the clock: the same passes, each of which lasts
as long as in steps that are timed side by side.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from math import inf, isfinite
from typing import TYPE_CHECKING

import numpy as np
import sympy as sp
from scipy.stats import t

import estimators
from zotheory.budget import OWN_MODEL
from zotheory.context import Context
from zotheory.evidence.compared import Case, Known, Quantity, Sample, median
from zotheory.evidence.exact import conjuncts
from zotheory.evidence.modelled import WORDS, Modelled, on_model, once
from zotheory.evidence.timed import Contenders, Rounds, Seconds, Timing, timed
from zotheory.evidence.trained import RowsError, geometric_mean, races, recorded
from zotheory.statistics.intervals import student_of_logs
from zotheory.vocabulary import AssetMissing, Check, Claim, Kind, Setting, Statement

if TYPE_CHECKING:
    from torch import Tensor

    from estimators import ZerothOrder

RATIO = sp.Symbol("forward passes over the reference's, to the same loss", positive=True)
CLOCK = sp.Symbol("time of one, likewise", positive=True)
HUNDREDTH = sp.Rational(1, 100)
RUNS = Setting(
    paper="models of 1.3 to 30 billion weights, thousands of steps, each paper's own rates",
    judged="SmolLM2-135M, all weights, reviews in prompts of at most 10 words, batches of 16, "
    "600 forward passes, each method at the rate that it measures in them",
)
NAMES = {
    "mezo": "MeZO",
    "subzo": "SubZO",
    "s_mezo": "S-MeZO",
    "mezo_gv": "MeZO-GV",
    "mezo_greedy": "MeZO-Greedy",
    "lezo": "LeZO",
    "tezo_adam": "TeZO-Adam",
    "lozo": "LOZO",
    "svd0": "SVD-0",
}
PROMISED = (  # by a method, over which other one, and where
    ("s_mezo", "mezo", "ours, for S-MeZO Sec. 4.4"),
    ("mezo_gv", "mezo", "ours, for prior Fig. 1, App. C.1"),
    ("mezo_greedy", "mezo", "ours, for prior Fig. 1, App. C.2"),
    ("lezo", "mezo", "ours, for LeZO Sec. 5.2, Fig. 5"),
    ("tezo_adam", "mezo", "ours, for TeZO Fig. 4"),
    ("lozo", "mezo", "ours; TeZO Fig. 4 has them nearly identical"),
    ("svd0", "subzo", "ours, for SVD-0 App. C, Fig. 3 (there by the clock)"),
)
REFERENCES = {method: reference for method, reference, _ in PROMISED}
MOST = 1000  # seeds, where it is said how many it would take
MOST_ROUNDS = 20  # eighteen give a median's interval; what decides here is the spread of the runs
LR = 0.0  # a step takes as long as at any other rate, and the model stays what it is


def seeds_needed(away: float, spread: float, alpha: float) -> int | None:
    """The least number of seeds whose Student's interval reaches less far than `away` either side.

    spread: the standard deviation of one seed's logarithm. None if MOST would not do.
    """
    counts = np.arange(2, MOST + 1)
    halves = t.ppf(1 - alpha / 2, counts - 1) * spread / np.sqrt(counts)
    enough = counts[halves < abs(away)]
    return int(enough[0]) if len(enough) else None


def spread_of(pairs: Sequence[Sequence[float]]) -> float:
    """The standard deviation of one seed's logarithm, pooled over pairs of methods.

    Two or three seeds of one pair say hardly anything of it. NaN where no pair has two.
    """
    logs = [np.log(pair) for pair in pairs if len(pair) > 1 and 0.0 < min(pair) <= max(pair) < inf]
    freedom = sum(len(pair) - 1 for pair in logs)
    squares = sum(float(((pair - pair.mean()) ** 2).sum()) for pair in logs)
    return (squares / freedom) ** 0.5 if freedom else float("nan")


def _ratios(method: str, context: Context) -> tuple[dict[int, float], float]:
    """A method's passes over its reference's by seed, and one seed's spread.

    Raises AssetMissing without such runs, and for a model that they are not of.
    """
    if context.model != OWN_MODEL:
        told = f"the recorded training runs are of {OWN_MODEL}, not of {context.model}"
        raise AssetMissing(told)
    try:
        rows = recorded()
        found = {m: races(rows, m, r) for m, r, _ in PROMISED}
    except RowsError as error:
        raise AssetMissing(str(error)) from error
    if not found[method]:
        told = f"no recorded runs of {method} and {REFERENCES[method]} share a seed"
        raise AssetMissing(told)
    return found[method], spread_of([list(pair.values()) for pair in found.values()])


def _mean(ratios: Mapping[int, float]) -> Known:
    """Their geometric mean, with Student's interval for the mean of the logarithms.

    A run that lowered no loss has no logarithm, and one seed no interval.
    """
    values = np.array(list(ratios.values()))
    if len(values) > 1 and 0.0 < values.min() <= values.max() < inf:
        return Sample(values, geometric_mean, student_of_logs, "np.exp(np.log(values).mean())")
    return Quantity(geometric_mean(values.tolist()), 0.0, inf)


def _takes(ratios: Mapping[int, float], bound: float, spread: float, alpha: float) -> str:
    """How many seeds would decide on which side of the bound the mean lies, in words."""
    values = np.array(list(ratios.values()))
    if not 0.0 < values.min() <= values.max() < inf:
        return "one of the runs lowered no loss"
    if not isfinite(spread):
        return "one seed tells no spread"
    count = seeds_needed(float(np.log(values).mean() - np.log(bound)), spread, alpha)
    return (
        f"if the mean is as found and one seed spreads as all pairs here do, "
        f"{count or f'more than {MOST}'} seeds would decide"
    )


def _bound(statement: Statement) -> float:
    (relation,) = conjuncts(statement.formula)
    return float(relation.rhs)


def _numbers(ratios: Mapping[int, float], spread: float) -> dict[str, object]:
    by_seed = {str(seed): ratio if isfinite(ratio) else None for seed, ratio in ratios.items()}
    one = {"spread of one seed's logarithm, all pairs": spread} if isfinite(spread) else {}
    return {"by seed": by_seed, **one}


def _seeds(ratios: Mapping[int, float]) -> str:
    return f"{len(ratios)} seed{'s' * (len(ratios) > 1)}"


# Counted in passes.


def _by_passes(method: str) -> Check:
    """Compares the geometric mean over the seeds of the recorded runs."""

    def measure(statement: Statement, context: Context) -> Modelled:
        ratios, spread = _ratios(method, context)
        takes = _takes(ratios, _bound(statement), spread, context.alpha)
        case = Case(_seeds(ratios), {RATIO: _mean(ratios)}, takes=takes)
        setting = {"runs": "recorded, of `python -m zotheory.training.rates`"}
        return Modelled([case], _numbers(ratios, spread), setting)

    return on_model(measure)


# By the clock.


@contextmanager
def _optimizers(context: Context) -> Iterator[tuple[dict[str, ZerothOrder], Callable]]:
    """Of every method, with the options of its run of seed 0, and the loss on review prompts."""
    from zotheory.evidence.borrowed import prompts_loss
    from zotheory.evidence.modelled import borrowed_model

    setups = {row["method"]: row["setup"] for row in recorded() if row["seed"] == 0}
    with borrowed_model(context) as found:
        made = {
            method: getattr(estimators, method)(
                found.model, LR, seed=setups[method]["seed"], **dict(setups[method]["options"])
            )
            for method in sorted({*REFERENCES, *REFERENCES.values()})
        }
        yield made, prompts_loss(found, context, WORDS)


@contextmanager
def _steps(context: Context) -> Iterator[Contenders]:
    with _optimizers(context) as (made, loss):
        yield {method: partial(optimizer.step, loss) for method, optimizer in made.items()}


def _passes(context: Context) -> dict[str, int]:
    """Forward passes of a step of every method."""
    with _optimizers(context) as (made, loss):
        return {method: _of_a_step(optimizer, loss) for method, optimizer in made.items()}


def _of_a_step(optimizer: ZerothOrder, loss: Callable[[], Tensor]) -> int:
    """Losses of the second step, by the optimiser's log; the first may build a subspace."""
    for _ in range(2):
        optimizer.step(loss)
    return len(optimizer.log.losses[1])


STEPS = Rounds("race.steps", _steps, MOST_ROUNDS)


def _time(method: str, statement: Statement, context: Context, seconds: Seconds) -> Case:
    """The steps' seconds, each over its passes, times the passes of the runs."""
    ratios, spread = _ratios(method, context)
    passes = once("race.passes of a step", context, _passes)
    reference = REFERENCES[method]
    one, other = (seconds[m] / passes[m] for m in (method, reference))
    clock = one / other
    bound = _bound(statement) / float(np.median(clock))
    notes = {
        f"{NAMES[m]}, a pass [s], median": float(np.median(s))
        for m, s in ((method, one), (reference, other))
    }
    return Case(
        f"{_seeds(ratios)}; steps on 16 review prompts",
        {CLOCK: median(clock), RATIO: _mean(ratios)},
        notes | _numbers(ratios, spread),
        takes=_takes(ratios, bound, spread, context.alpha / 2),
    )


def _by_the_clock(method: str) -> Check:
    return timed(Timing(partial(_time, method), (STEPS,)))


def _needs(what: str, method: str, reference: str) -> str:
    return (
        f"Fine-tuning, each at the rate that it measures itself, {NAMES[method]} needs {what} than "
        f"{NAMES[reference]} to the lowest validation loss that both reach, in the geometric mean "
        "over seeds (split, batches and noise)"
    )


def _claims(method: str, reference: str, where: str) -> tuple[Claim, Claim]:
    fewer, less = (_needs(w, method, reference) for w in ("fewer forward passes", "less time"))
    by_passes = Claim(
        id=f"own.race.{method}",
        where=where,
        setting=RUNS,
        statement=Statement(f"{fewer}.", sp.Lt(RATIO, 1)),
        needs=(Kind.MODEL,),
        checks=(_by_passes(method),),
        mutant=Statement("It needs at most a hundredth of them.", sp.Le(RATIO, HUNDREDTH)),
        correction=Statement("It needs as many or more.", sp.Ge(RATIO, 1)),
    )
    by_the_clock = Claim(
        id=f"own.race.{method}.time",
        where=where,
        setting=replace(RUNS, judged=f"{RUNS.judged}; on one processor in 32 bits"),
        statement=Statement(
            f"{less}: the passes of the runs, each as long as in steps timed "
            "side by side, those that renew a subspace left out.",
            sp.Lt(RATIO * CLOCK, 1),
        ),
        needs=(Kind.TIMED,),
        checks=(_by_the_clock(method),),
        mutant=Statement("It needs at most a hundredth of it.", sp.Le(RATIO * CLOCK, HUNDREDTH)),
        correction=Statement("It needs as much or more.", sp.Ge(RATIO * CLOCK, 1)),
    )
    return by_passes, by_the_clock


CLAIMS = tuple(claim for promised in PROMISED for claim in _claims(*promised))
