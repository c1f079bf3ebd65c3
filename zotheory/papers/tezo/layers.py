"""What the figures say of a language model's layers: spectra, similarity and ranks of gradients.

Each statement is judged along fine-tuning runs at two learning rates: what holds at one only is
not a property of the gradients but of the phase of training that the rate reaches.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import sympy as sp
from scipy.stats import t

from zotheory.budget import ALPHA
from zotheory.context import Context
from zotheory.evidence.compared import Case, Quantity
from zotheory.evidence.modelled import (
    BATCH_SIZE,
    WORDS,
    Modelled,
    Studies,
    Trajectory,
    language_model,
    modelled,
    once,
)
from zotheory.papers.shared.along import ALONG
from zotheory.papers.tezo import drawn
from zotheory.vocabulary import DRAWN, Claim, Kind, Setting, Statement, conjunction

NUMBER = sp.Symbol("median number of singular values at or above 2% of the largest")
COSINE = sp.Symbol("mean pairwise cosine")
LEAST = sp.Symbol("least share of the top fifth")
FIFTH = sp.Rational(1, 5)
BETWEEN = conjunction(sp.Gt(COSINE, -FIFTH), sp.Lt(COSINE, FIFTH))
UNRELATED = sp.Symbol("share that unrelated gradients hold at most")
CORRELATION = sp.Symbol("rank correlation")
LARGER = sp.Symbol("larger rank correlation of two thresholds")
NEAR = sp.Symbol("share of matrices with r_l within a factor 2")
ABOVE = sp.Symbol("share of matrices with r_l more than twice the gradient's rank")
THRESHOLDS = (0.25, 0.3)

MEAN_COSINE = "values[np.tril_indices(len(values), -1)].mean()"
RANKED = "(values[:, :, None] > values[:, None]).sum(2)"  # ties averaged with the half below
SPEARMAN = f"np.corrcoef({RANKED} + (values[:, :, None] == values[:, None]).sum(2) / 2)[0, 1]"
TOP_FIFTH = "np.linalg.eigvalsh(values)[-int(np.ceil(len(values) / 5)) :].sum() / np.trace(values)"

FAST, SLOW = ALONG, Trajectory("vocabulary", 2e-4)
WORDS_FAST, WORDS_SLOW = Trajectory("label_words", 1e-3), Trajectory("label_words", 2e-4)
Array = np.ndarray
THRESHOLD = 0.02


def _low_rank(_: Statement, studies: Studies, context: Context) -> Modelled:
    """How many singular values reach 2% of the largest, matrix by matrix, step by step."""
    from zotheory.model.study import ATTENTION

    (study,) = studies.values()
    weights = [w for w in study.weights if w.module in ATTENTION]
    spectra = {w: study.spectra[w.name] for w in weights}
    found = {
        w: np.count_nonzero(rows >= THRESHOLD * rows[:, :1], axis=1) for w, rows in spectra.items()
    }
    depth = 1 + max(w.layer for w in weights)
    shown = {w: counts for w, counts in found.items() if w.layer in layers_as_deep(depth)}
    cases = []
    for weight, counts in shown.items():
        middle = float(np.median(counts))
        number = Quantity(middle, middle, middle, counts, "np.median(values)")
        cases.append(Case(drawn.label(weight), {NUMBER: number}))
    phases = np.array_split(np.arange(len(study.losses)), 4)
    numbers = {
        drawn.label(weight): {
            "of": min(weight.shape),
            "by step, quartiles": np.quantile(counts, np.arange(5) / 4).tolist(),
            "by quarter of the run, median": [float(np.median(counts[of])) for of in phases],
        }
        for weight, counts in shown.items()
    }
    everything = np.concatenate(list(found.values()))
    numbers["all attention matrices"] = {
        "gradients": everything.size,
        "at most 25, share": float(np.mean(everything <= 25)),
        "training loss, first and last": study.losses[[0, -1]],
    }
    pictures = {"numbers": drawn.counts(found)} | drawn.spectra(study, list(shown))
    return _found(cases, numbers, pictures, context, study)


def layers_as_deep(depth: int) -> set[int]:
    """The layers of a model as deep as the 6th, 12th, 18th and 24th of the paper's 32."""
    return {max(0, int(layer / 32 * depth + 0.5) - 1) for layer in (6, 12, 18, 24)}


def _similarity(_: Statement, studies: Studies, context: Context) -> Modelled:
    """Mean pairwise cosine over all compared matrices, with a jackknife interval over batches."""
    cases, numbers, pictures = [], {}, {}
    for trajectory, study in studies.items():
        matrices = np.array(list(study.cosines.values()))
        pooled, interval = _jackknife(matrices, _mean_cosine)
        cosine = Quantity(pooled, *interval, matrices.mean(axis=0), MEAN_COSINE)
        cases.append(Case(str(trajectory), {COSINE: cosine}))
        per_matrix = [_mean_cosine(matrix[None]) for matrix in matrices]
        thirds = np.array_split(np.arange(matrices.shape[1]), 3)
        numbers[str(trajectory)] = {
            "mean cosine": pooled,
            "interval": interval,
            "over matrices, min median max": np.quantile(per_matrix, [0, 0.5, 1]),
            "by third of the run": [_mean_cosine(matrices[:, p][:, :, p]) for p in thirds],
            "training loss, first and last": study.losses[[0, -1]],
        }
        pictures[str(trajectory)] = drawn.cosines(study)
    return _found(cases, numbers, pictures, context, study)


def _subspace(_: Statement, studies: Studies, context: Context) -> Modelled:
    """Share of squared norm in the top fifth of the singular directions, matrix by matrix."""
    from zotheory.papers.tezo.measurements import random_directions, top_share

    cases, numbers, pictures = [], {}, {}
    for trajectory, study in studies.items():
        shares = {name: top_share(matrix) for name, matrix in study.cosines.items()}
        sizes = {w.name: int(np.prod(w.shape)) for w in study.weights}
        null = max(
            random_directions(len(study.losses), sizes[name]).top_share_edge for name in shares
        )
        least = min(shares, key=shares.get)
        share = Quantity(*3 * [shares[least]], study.cosines[least], TOP_FIFTH)
        cases.append(Case(f"{least} ({trajectory})", {LEAST: share, UNRELATED: null}))
        numbers[str(trajectory)] = {
            "matrices": len(shares),
            "above": sum(share > 0.8 for share in shares.values()),
            "share, min median max": np.quantile(list(shares.values()), [0, 0.5, 1]),
            "unrelated gradients would hold at most": null,
        }
        pictures[str(trajectory)] = {"share of the top k": drawn.shares(study)}
        if trajectory.all_layers:
            pictures[str(trajectory)]["singular values"] = drawn.stacks(study)
    return _found(cases, numbers, pictures, context, study)


def _rank_correlation(_: Statement, studies: Studies, context: Context) -> Modelled:
    """Spearman's correlation of Eq. 7's rank and the gradient's mean one over all matrices."""
    (study,) = studies.values()
    cases, numbers, pictures = [], {}, {}
    for threshold, found in _ranks(study, context).items():
        at = f"threshold {threshold:.0%}"
        cases.append(Case(f"{at}, {len(found.layers)} matrices", {CORRELATION: found.pooled}))
        numbers[at] = {
            "correlation": found.pooled,
            "mean within module types": found.within_mean,
            "within module types": found.within,
            "median of Eq. 7 and of the gradients": [
                float(np.median(found.weight_ranks)),
                float(np.median(found.gradient_ranks)),
            ],
        }
        pictures[at] = drawn.ranks(found)
    return _found(cases, numbers, pictures, context, study)


def _high_correlation(_: Statement, studies: Studies, context: Context) -> Modelled:
    """The same correlation, at the threshold where it is larger."""
    (study,) = studies.values()
    found = _ranks(study, context)
    numbers = {f"threshold {t:.0%}": {"correlation": ranks.pooled} for t, ranks in found.items()}
    known = {t: ranks for t, ranks in found.items() if np.isfinite(ranks.pooled)}
    if not known:
        raise ArithmeticError("all matrices have one rank at both thresholds: nothing correlates")
    threshold, ranks = max(known.items(), key=lambda item: item[1].pooled)
    rows = np.array([ranks.weight_ranks, ranks.gradient_ranks], dtype=float)
    larger = Quantity(*3 * [ranks.pooled], rows, SPEARMAN)
    at = f"threshold {threshold:.0%}, {len(ranks.layers)} matrices"
    return _found([Case(at, {LARGER: larger})], numbers, {}, context, study)


def _size(_: Statement, studies: Studies, context: Context) -> Modelled:
    """Eq. 7's rank over the gradient's mean rank, matrix by matrix, at 25%."""
    (study,) = studies.values()
    ranks = _ranks(study, context)[THRESHOLDS[0]]
    ratios = ranks.weight_ranks / ranks.gradient_ranks
    held = {NEAR: (ratios >= 0.5) & (ratios <= 2), ABOVE: ratios > 2}
    shares = {
        symbol: Quantity(*3 * [Fraction(int(rows.sum()), len(rows))], rows, "np.mean(values)")
        for symbol, rows in held.items()
    }
    numbers = {
        "threshold": THRESHOLDS[0],
        "r_l over the gradient's mean rank, quartiles": np.quantile(ratios, np.arange(5) / 4),
        "within a factor 2, by module": {
            module: float(held[NEAR][np.array(ranks.modules) == module].mean())
            for module in dict.fromkeys(ranks.modules)
        },
    }
    return _found([Case(f"{len(ratios)} matrices", shares)], numbers, {}, context, study)


def _ranks(study: Any, context: Context) -> dict[float, Any]:
    """Both kinds of rank at each of the thresholds."""
    from zotheory.model.gradients import weight_spectra
    from zotheory.papers.tezo.measurements import rank_correlation

    def of_weights(context: Context) -> dict[str, Array]:
        return weight_spectra(language_model(context).model, study.weights)

    spectra = once("tezo.weight_spectra", context, of_weights)
    return {t: rank_correlation(spectra, study, threshold=t) for t in THRESHOLDS}


def _mean_cosine(matrices: Array) -> float:
    """Mean of the off-diagonal entries of (k, T, T) Gram matrices of unit vectors."""
    t = matrices.shape[1]
    return float((matrices.sum(axis=(1, 2)).mean() - t) / (t * (t - 1)))


def _jackknife(matrices: Array, statistic: Callable[[Array], float]) -> tuple[float, list[float]]:
    """A statistic of (k, T, T) Gram matrices with Student's interval over jackknife values."""
    count = matrices.shape[1]
    kept = [np.delete(np.arange(count), left_out) for left_out in range(count)]
    values = np.array([statistic(matrices[:, k][:, :, k]) for k in kept])
    error = np.sqrt((count - 1) / count * np.sum((values - values.mean()) ** 2))
    half = float(t.ppf(1 - ALPHA / 2, count - 1) * error)
    mean = statistic(matrices)
    return mean, [mean - half, mean + half]


def _found(
    cases: Sequence[Case],
    numbers: Mapping[str, Any],
    pictures: Mapping[str, Any],
    context: Context,
    study: Any,
) -> Modelled:
    setting = {
        "model": language_model(context).name,
        "text": f"{len(study.losses)} batches of {BATCH_SIZE} different review sentences of at "
        f"most {WORDS} words",
        "error probability": f"{ALPHA:g}, Student's intervals over batches",
    }
    return Modelled(cases, {**numbers, DRAWN: pictures}, setting)


CLAIMS = (
    Claim(
        id="tezo.fig5.low_rank",
        where="Fig. 5, App. A.1.1 ('after around index-20, the singular value is almost completely "
        "lost')",
        setting=Setting(
            "LLaMA-7B fine-tuned on SST-2, 500 steps, W_K, W_V, W_Q, W_O of four blocks",
            "SmolLM2-135M along 44 steps of fine-tuning on reviews",
        ),
        statement=Statement(
            "Along fine-tuning, at each of W_K, W_V, W_Q, W_O of four blocks as deep as the "
            "paper's (6th, 11th, 17th, 23rd of 30), the median over the steps of the number of "
            "singular values of the batch gradient at or above 2% of the largest is at most 25.",
            sp.Le(NUMBER, 25),
        ),
        needs=(Kind.MODEL,),
        checks=(modelled((ALONG,), _low_rank),),
        mutant=Statement("The same with 1 in place of 25.", sp.Le(NUMBER, 1)),
        correction=Statement("The same with 60 in place of 25.", sp.Le(NUMBER, 60)),
    ),
    Claim(
        id="tezo.fig6.similarity",
        where="Fig. 6",
        setting=Setting(
            "LLaMA-7B fine-tuned on SST-2, gradients of 500 steps",
            "SmolLM2-135M along 44 steps of fine-tuning on reviews",
        ),
        statement=Statement(
            "Normalised gradients of different batches at different steps have mean pairwise "
            "cosine above 0.2, with the loss the cross-entropy of the label word over the whole "
            "vocabulary.",
            sp.Gt(COSINE, FIFTH),
        ),
        needs=(Kind.MODEL,),
        checks=(modelled((FAST, SLOW), _similarity, alike=True),),
        mutant=Statement("The same above 0.95.", sp.Gt(COSINE, sp.Rational(95, 100))),
        correction=Statement("It lies between -0.2 and 0.2.", BETWEEN),
    ),
    Claim(
        id="tezo.fig6.label_words",
        where="Fig. 6, another usual loss",
        setting=Setting(
            "LLaMA-7B fine-tuned on SST-2, gradients of 500 steps; the loss is not said",
            "SmolLM2-135M along 44 steps of fine-tuning on reviews",
        ),
        statement=Statement(
            "The same with the loss the cross-entropy over the label words alone, as "
            "classification prompts often use.",
            sp.Gt(COSINE, FIFTH),
        ),
        needs=(Kind.MODEL,),
        checks=(modelled((WORDS_FAST, WORDS_SLOW), _similarity, alike=True),),
        mutant=Statement("The same above 0.95.", sp.Gt(COSINE, sp.Rational(95, 100))),
        correction=Statement("It lies between -0.2 and 0.2.", BETWEEN),
    ),
    Claim(
        id="tezo.fig1b.subspace",
        where="Fig. 1b",
        setting=Setting(
            "OPT-1.3B fine-tuned on SST-2, each layer's normalised gradients",
            "SmolLM2-135M along 44 steps of fine-tuning on reviews",
        ),
        statement=Statement(
            "Of the normalised gradients of one layer over at least 24 steps, stacked as columns, "
            "the top fifth of the singular directions hold more than 80% of the squared norm "
            "(either loss).",
            sp.Gt(LEAST, sp.Rational(4, 5)),
        ),
        needs=(Kind.MODEL,),
        checks=(modelled((FAST, SLOW, WORDS_FAST, WORDS_SLOW), _subspace),),
        mutant=Statement("The same above 99.9%.", sp.Gt(LEAST, sp.Rational(999, 1000))),
        correction=Statement(
            "In every layer they hold more than the fifth that unrelated directions would; more "
            "than 80% in some layers only.",
            sp.Gt(LEAST, UNRELATED),
        ),
    ),
    Claim(
        id="tezo.fig7.rank_correlation",
        where="Fig. 7, Eq. 7",
        setting=Setting(
            "LLaMA-7B fine-tuned on SST-2", "SmolLM2-135M along 44 steps of fine-tuning on reviews"
        ),
        statement=Statement(
            "Along fine-tuning, over the blocks' matrices, r_l of Eq. 7 (the least, over the seven "
            "matrices of a block, of the number of singular values above the threshold; r_max "
            "infinite) and the mean rank of the batch gradient by the same threshold have a "
            "positive Spearman correlation, at threshold 25% and at 30%: the value over the 210, "
            "taken as the whole population, with ties averaged.",
            sp.Gt(CORRELATION, 0),
        ),
        needs=(Kind.MODEL,),
        checks=(modelled((ALONG,), _rank_correlation),),
        mutant=Statement(
            "Their rank correlation is above 0.9.", sp.Gt(CORRELATION, sp.Rational(9, 10))
        ),
        correction=Statement(
            "Their rank correlation is between -0.5 and 0.5.",
            conjunction(
                sp.Gt(CORRELATION, -sp.Rational(1, 2)), sp.Lt(CORRELATION, sp.Rational(1, 2))
            ),
        ),
    ),
    Claim(
        id="tezo.eq7.size",
        where="Sec. 4.2 ('enables the estimation of the rank of FO gradients'), Eq. 7",
        setting=Setting(
            "the ranks that TeZO sets for OPT and LLaMA models; r_max is 32 to 256 in Table 6",
            "SmolLM2-135M along 44 steps of fine-tuning on reviews, r_max infinite",
        ),
        statement=Statement(
            "Along fine-tuning, at threshold 25% and r_max infinite, r_l of Eq. 7 (the least, over "
            "the seven matrices of a block, of the number of singular values above the threshold) "
            "is within a factor 2 of the mean rank of the batch gradient by the same threshold, "
            "for at least half of the blocks' matrices.",
            sp.Ge(NEAR, sp.Rational(1, 2)),
        ),
        needs=(Kind.MODEL,),
        checks=(modelled((ALONG,), _size),),
        mutant=Statement("The same for all of them.", sp.Ge(NEAR, 1)),
        correction=Statement(
            "It is more than twice that rank for more than half of them.",
            sp.Gt(ABOVE, sp.Rational(1, 2)),
        ),
    ),
    Claim(
        id="tezo.fig7.high_correlation",
        where="App. A.1.3 ('a high degree of correlation')",
        setting=Setting(
            "LLaMA-7B fine-tuned on SST-2", "SmolLM2-135M along 44 steps of fine-tuning on reviews"
        ),
        statement=Statement(
            "Along fine-tuning the Spearman correlation over the blocks' matrices between r_l of "
            "Eq. 7 (r_max infinite) and the mean rank of the batch gradient by the same threshold "
            "is at least 0.6 at threshold 25% or at 30%.",
            sp.Ge(LARGER, sp.Rational(3, 5)),
        ),
        needs=(Kind.MODEL,),
        checks=(modelled((ALONG,), _high_correlation),),
        mutant=Statement("The same with 0.99.", sp.Ge(LARGER, sp.Rational(99, 100))),
        correction=Statement(
            "It is below 0.6 at both thresholds.", sp.Lt(LARGER, sp.Rational(3, 5))
        ),
    ),
)
