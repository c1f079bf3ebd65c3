"""Fewer steps, as the papers promise: fine-tuning runs of two methods, seed by seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf, isfinite

import numpy as np
import sympy as sp
from scipy.stats import t

from zotheory.budget import OWN_MODEL
from zotheory.context import Context
from zotheory.evidence.compared import Case, Quantity
from zotheory.evidence.exact import conjuncts
from zotheory.evidence.modelled import Modelled, on_model
from zotheory.evidence.trained import RowsError, races, recorded
from zotheory.statistics.intervals import student
from zotheory.vocabulary import AssetMissing, Check, Claim, Kind, Setting, Statement

RATIO = sp.Symbol("forward passes over the reference's, to the same loss")
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
MOST = 1000  # seeds, where it is said how many it would take


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


def _race(method: str, reference: str) -> Check:
    """Compares the geometric mean over the seeds of the recorded runs."""

    def measure(statement: Statement, context: Context) -> Modelled:
        if context.model != OWN_MODEL:
            told = f"the recorded training runs are of {OWN_MODEL}, not of {context.model}"
            raise AssetMissing(told)
        try:
            rows = recorded()
            all_ratios = {m: races(rows, m, r) for m, r, _ in PROMISED}
        except RowsError as error:
            raise AssetMissing(str(error)) from error
        ratios = all_ratios[method]
        if not ratios:
            raise AssetMissing(f"no recorded runs of {method} and {reference} share a seed")
        with np.errstate(divide="ignore", over="ignore"):
            # a run that lowered no loss has no logarithm; of two seeds a bound can be e^1000
            logs = np.log(list(ratios.values()))
            ends = (-inf, inf)
            if len(logs) > 1 and np.isfinite(logs).all():
                ends = student(logs, context.alpha)
            found = Quantity(*(float(np.exp(x)) for x in (logs.mean(), *ends)))
        bounds = [np.log(float(relation.rhs)) for relation in conjuncts(statement.formula)]
        open_ones = [bound for bound in bounds if ends[0] <= bound <= ends[1]]
        spread = spread_of([list(pair.values()) for pair in all_ratios.values()])
        further = _seeds(logs, open_ones, spread, context.alpha) if open_ones else ""
        return Modelled(
            [Case(f"{len(ratios)} seed{'s' * (len(ratios) > 1)}", {RATIO: found})],
            _numbers(ratios, spread),
            {"runs": "recorded, of `python -m zotheory.training.rates`; geometric mean over seeds"},
            further,
        )

    return on_model(measure)


def _seeds(logs: np.ndarray, bounds: Sequence[float], spread: float, alpha: float) -> str:
    """What would decide, in words."""
    if not np.isfinite(logs).all():
        return "one of the runs lowered no loss"
    if not isfinite(spread):
        return "one seed tells no spread"
    count = seeds_needed(min(abs(logs.mean() - bound) for bound in bounds), spread, alpha)
    return (
        f"if the mean is as found and one seed spreads as all pairs here do, "
        f"{count or f'more than {MOST}'} seeds would decide"
    )


def _numbers(ratios: Mapping[int, float], spread: float) -> dict[str, object]:
    by_seed = {str(seed): ratio if isfinite(ratio) else None for seed, ratio in ratios.items()}
    one = {"spread of one seed's logarithm, all pairs": spread} if isfinite(spread) else {}
    return {"by seed": by_seed, **one}


def _claim(method: str, reference: str, where: str) -> Claim:
    return Claim(
        id=f"own.race.{method}",
        where=where,
        setting=RUNS,
        statement=Statement(
            f"Fine-tuning, each at the rate that it measures itself, {NAMES[method]} needs fewer "
            f"forward passes than {NAMES[reference]} to the lowest validation loss that both "
            "reach, in the geometric mean over seeds (split, batches and noise).",
            sp.Lt(RATIO, 1),
        ),
        needs=(Kind.MODEL,),
        checks=(_race(method, reference),),
        mutant=Statement(
            "It needs at most a hundredth of them.", sp.Le(RATIO, sp.Rational(1, 100))
        ),
        correction=Statement("It needs as many or more.", sp.Ge(RATIO, 1)),
    )


CLAIMS = tuple(_claim(*promised) for promised in PROMISED)
