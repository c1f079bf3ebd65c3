"""Batches drawn anew at the weights of the fine-tuning run: the study that several claims read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import sympy as sp
from scipy.stats import t

from zotheory.context import Context
from zotheory.evidence.compared import Quantity
from zotheory.evidence.modelled import BATCH_SIZE, WORDS, language_model, once, sentences
from zotheory.papers.shared.along import ALONG
from zotheory.papers.smezo.batches import COSINE

if TYPE_CHECKING:
    from zotheory.papers.smezo.trained import TrainedStudy

LAW = sp.Rational(1, 2) + sp.asin(COSINE) / sp.pi  # that a small step lowers it, own.held_out
FIFTH = 0.2  # the smallest of each matrix: sparsity 0.8
AT_FIRST, LATER = 0, (11, 22, 33, 44)  # updates after which shares are taken
SHARES_OF = {AT_FIRST: ("vocabulary", "label_words")} | dict.fromkeys(LATER, ("vocabulary",))
# The cosines change from step to step as much as from batch to batch, so that every step of the
# range that is claimed of is looked at. Pairs have four batches at least.
STEPS = range(10, 45)
INTERVAL = (
    "for batches drawn anew: Student's over jackknife values, a batch left out at a time, one "
    "degree of freedom for each phase"
)
BATCHES = {AT_FIRST: 6} | dict.fromkeys(STEPS, 4)


def study(context: Context) -> TrainedStudy:
    """The study, measured once a run. Raises AssetMissing without model or text."""
    return once("batches drawn anew along fine-tuning", context, measure)


def measure(context: Context) -> TrainedStudy:
    """The same, measured now."""
    from zotheory.papers.smezo.trained import measure_trained

    def tell(done: int, of: int) -> None:
        context.tell(f"{context.claim}  {done} of {of} updates")

    return measure_trained(
        language_model(context),
        sentences(context, WORDS),
        share=FIFTH,
        shares_of=SHARES_OF,
        batches=BATCHES,
        steps=ALONG.steps,
        batch_size=BATCH_SIZE,
        learning_rate=ALONG.learning_rate,
        seed=context.seed,
        tell=tell,
    )


def average_over(
    phases: Sequence[np.ndarray], law: Callable[[np.ndarray], np.ndarray], alpha: float
) -> Quantity:
    """E law(cosine of two batches drawn anew), averaged over phases, with an interval.

    phases: T matrices (B, B) of cosines, B >= 3 independent batches each. The estimate is the mean
    over phases of the mean over pairs; its variance is the sum of the phases' jackknife values, a
    batch left out at a time, over T^2. They are at least the variances on average, for any law
    (Efron and Stein 1981). The interval is Student's, one degree of freedom for each phase:
    jackknife values of few batches are far from chi-square.
    """
    means, variances = [], []
    for cosines in phases:
        count = len(cosines)
        shares = law(cosines) * (1 - np.eye(count))
        by_batch = shares.sum(axis=1)
        total = by_batch.sum()
        without = (total - 2 * by_batch) / ((count - 1) * (count - 2))
        means.append(total / (count * (count - 1)))
        variances.append((count - 1) * without.var())
    value = float(np.mean(means))
    error = float(np.sqrt(np.sum(variances))) / len(means)
    half = float(t.ppf(1 - alpha / 2, len(means))) * error
    return Quantity(value, value - half, value + half, np.array(means), "np.mean(values)")


def setting(context: Context, batches: Mapping[int, np.ndarray]) -> dict[str, object]:
    """What the numbers are of, for a certificate; `batches` by phase."""
    counts = sorted({len(of) for of in batches.values()})
    return {
        "model": language_model(context).name,
        "text": f"{' or '.join(map(str, counts))} batches of {BATCH_SIZE} review sentences of at "
        f"most {WORDS} words at each phase: the one that is trained on next, and batches drawn "
        "anew from the sentences that the run never trains on",
        "run": f"{ALONG.steps} steps of SGD, {ALONG}",
    }
