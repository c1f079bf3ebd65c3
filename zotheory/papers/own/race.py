"""Fewer steps, as the papers promise: fine-tuning runs of two methods, seed by seed."""

from __future__ import annotations

from math import inf, isfinite

import numpy as np
import sympy as sp
from scipy.stats import t

from zotheory.budget import OWN_MODEL
from zotheory.context import Context
from zotheory.evidence.compared import Case, Quantity
from zotheory.evidence.modelled import Modelled, on_model
from zotheory.evidence.trained import races, recorded
from zotheory.statistics.intervals import student
from zotheory.vocabulary import AssetMissing, Check, Claim, Kind, Setting, Statement

RATIO = {
    "passes": sp.Symbol("forward passes over the reference's, to the same loss"),
    "seconds": sp.Symbol("seconds over the reference's, to the same loss"),
}
UNITS = {"passes": "forward passes", "seconds": "time"}
RUNS = Setting(
    paper="models of 1.3 to 30 billion weights, thousands of steps, rates from a grid",
    judged="SmolLM2-135M, all weights, reviews in prompts of at most 10 words, batches of 16, "
    "600 forward passes at the rate that each method measures in them; one thread a run",
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
PROMISED = (  # by a method, over which other one, where
    ("s_mezo", "mezo", "S-MeZO Sec. 4.4"),
    ("mezo_gv", "mezo", "prior Fig. 1, App. C.1"),
    ("mezo_greedy", "mezo", "prior Sec. 1"),
    ("lezo", "mezo", "LeZO Sec. 5.2, Fig. 5"),
    ("tezo_adam", "mezo", "TeZO Fig. 4"),
    ("lozo", "mezo", "TeZO Fig. 4 draws both"),
    ("svd0", "subzo", "SVD-0 App. C, Fig. 3"),
)
MOST = 1000  # seeds, where it is said how many it would take


def seeds_needed(logs: np.ndarray, alpha: float) -> int | None:
    """The least number of seeds at which Student's interval, with this mean and spread, has no 0.

    None if MOST would not do. Takes at least two finite logarithms.
    """
    counts = np.arange(2, MOST + 1)
    halves = t.ppf(1 - alpha / 2, counts - 1) * logs.std(ddof=1) / np.sqrt(counts)
    enough = counts[halves < abs(logs.mean())]
    return int(enough[0]) if len(enough) else None


def _seeds(logs: np.ndarray, alpha: float) -> str:
    if len(logs) < 2:
        return "one seed tells no spread"
    if not np.isfinite(logs).all():
        return "one of the runs lowered no loss"
    count = seeds_needed(logs, alpha) or f"more than {MOST}"
    return f"if mean and spread are as found, {count} seeds would decide"


def _race(method: str, reference: str, of: str) -> Check:
    """Compares geometric means over the seeds of the recorded runs."""

    def measure(_: Statement, context: Context) -> Modelled:
        if context.model != OWN_MODEL:
            told = f"the recorded training runs are of {OWN_MODEL}, not of {context.model}"
            raise AssetMissing(told)
        ratios = races(recorded(), method, reference, of)
        if not ratios:
            raise AssetMissing(f"no recorded runs of {method} and {reference} share a seed")
        logs = np.log(list(ratios.values()))
        low, high = -inf, inf
        if len(logs) > 1 and np.isfinite(logs).all():
            low, high = student(logs, context.alpha)
        further = _seeds(logs, context.alpha) if low <= 0 <= high else ""
        numbers = {str(seed): ratio if isfinite(ratio) else None for seed, ratio in ratios.items()}
        with np.errstate(over="ignore"):  # of two seeds the bounds can be e^1000
            found = Quantity(*(float(np.exp(x)) for x in (logs.mean(), low, high)))
        seeds = f"{len(ratios)} seed{'s' * (len(ratios) > 1)}"
        return Modelled(
            [Case(seeds, {RATIO[of]: found})],
            {"by seed": numbers},
            {"runs": "recorded, of `python -m zotheory.training.rates`; geometric mean over seeds"},
            further,
        )

    return on_model(measure)


def _claim(method: str, reference: str, where: str, of: str) -> Claim:
    ratio, fewer = RATIO[of], "less time" if of == "seconds" else f"fewer {UNITS[of]}"
    return Claim(
        id=f"own.race.{method}.{of}",
        where=f"ours, for the promise of fewer steps ({where})",
        setting=RUNS,
        statement=Statement(
            f"Fine-tuning at the rate that it measures itself, {NAMES[method]} needs {fewer} than "
            f"{NAMES[reference]} to the lowest validation loss that both reach, in the geometric "
            "mean over seeds (split, batches and noise).",
            sp.Lt(ratio, 1),
        ),
        needs=(Kind.MODEL,),
        checks=(_race(method, reference, of),),
        mutant=Statement(
            f"It needs at most a hundredth of the {UNITS[of]}.", sp.Le(ratio, sp.Rational(1, 100))
        ),
        correction=Statement(f"It needs no {fewer}.", sp.Ge(ratio, 1)),
    )


CLAIMS = tuple(_claim(*promised, of) for promised in PROMISED for of in ("passes", "seconds"))
