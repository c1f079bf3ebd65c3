"""Fewer steps, as the papers promise: fine-tuning runs of two methods, seed by seed."""

from __future__ import annotations

from functools import partial
from math import exp, inf, isfinite

import numpy as np
import sympy as sp
from scipy.stats import t

from zotheory.budget import OWN_MODEL
from zotheory.context import Context
from zotheory.evidence.compared import Case, Quantity
from zotheory.evidence.modelled import Modelled, on_model
from zotheory.evidence.trained import races
from zotheory.statistics.intervals import student
from zotheory.vocabulary import AssetMissing, Check, Claim, Kind, Setting, Statement

RATIO = {
    "passes": sp.Symbol("forward passes over the reference's, to the same loss"),
    "seconds": sp.Symbol("seconds over the reference's, to the same loss"),
}
RUNS = Setting(
    paper="larger models and other tasks, thousands of steps at rates from a grid",
    judged="SmolLM2-135M, reviews in prompts of at most 10 words, batches of 16, 600 forward "
    "passes, all weights, lr=auto",
)
MOST = 1000  # seeds, to say how many it would take


def seeds_needed(logs: np.ndarray, alpha: float) -> int | None:
    """The least number of seeds at which Student's interval, with this mean and spread, has no 0.

    None if not so many as MOST would do, or there are fewer than two.
    """
    if len(logs) < 2 or not np.isfinite(logs).all():
        return None
    counts = np.arange(2, MOST + 1)
    halves = t.ppf(1 - alpha / 2, counts - 1) * logs.std(ddof=1) / np.sqrt(counts)
    enough = counts[halves < abs(logs.mean())]
    return int(enough[0]) if len(enough) else None


def _race(method: str, reference: str, of: str) -> Check:
    def measure(_: Statement, context: Context) -> Modelled:
        if context.model != OWN_MODEL:
            told = f"the recorded training runs are of {OWN_MODEL}, not of {context.model}"
            raise AssetMissing(told)
        ratios = races(method, reference, of)
        if not ratios:
            raise AssetMissing(f"no recorded runs of {method} and {reference} share a seed")
        logs = np.log(list(ratios.values()))
        low, high = -inf, inf
        if len(logs) > 1 and np.isfinite(logs).all():
            low, high = student(logs, context.alpha)
        known = Quantity(float(np.exp(logs.mean())), exp(low), exp(high))
        further = ""
        if low <= 0 <= high:
            count = seeds_needed(logs, context.alpha)
            further = f"at this mean and spread {count or f'more than {MOST}'} seeds would decide"
        numbers = {"by seed": {str(s): r if isfinite(r) else None for s, r in ratios.items()}}
        setting = {"runs": "recorded rows of `python -m zotheory.training.rates`"}
        case = Case(f"{len(ratios)} seeds", {RATIO[of]: known})
        return Modelled([case], numbers, setting, further)

    return on_model(measure)


def _claim(name: str, method: str, reference: str, says: str, where: str, of: str) -> Claim:
    what = {"passes": "forward passes", "seconds": "seconds"}[of]
    return Claim(
        id=f"own.race.{name}.{of}",
        where=where,
        setting=RUNS,
        statement=Statement(
            f"{says} needs fewer {what} than {_NAMES[reference]} to the lowest validation loss "
            "that both reach.",
            sp.Lt(RATIO[of], 1),
        ),
        needs=(Kind.MODEL,),
        checks=(_race(method, reference, of),),
        mutant=Statement(f"It needs at most a hundredth of the {what}.", sp.Lt(RATIO[of], sp.Rational(1, 100))),
        correction=Statement(f"It needs more {what}.", sp.Gt(RATIO[of], 1)),
    )


_NAMES = {"mezo": "MeZO", "subzo": "SubZO"}
