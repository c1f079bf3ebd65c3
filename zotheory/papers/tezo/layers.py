"""What the figures say of a language model's layers: spectra, similarity and ranks of gradients.

Each statement is judged along fine-tuning runs at two learning rates: what holds at one only is
not a property of the gradients but of the phase of training that the rate reaches.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import sympy as sp
from scipy.stats import t

from zotheory.budget import ALPHA
from zotheory.context import Context
from zotheory.evidence.compared import Case, Quantity, mean
from zotheory.evidence.modelled import (
    BATCH_SIZE,
    WORDS,
    Modelled,
    Studies,
    Trajectory,
    language_model,
    modelled,
)
from zotheory.papers.tezo import drawn
from zotheory.vocabulary import DRAWN, Claim, Kind, Statement

LATEST = sp.Symbol("latest crossing, as a share of the spectrum")
WITHIN = sp.Symbol("share of the gradients that fall within the first tenth")
COSINE = sp.Symbol("mean pairwise cosine")
LEAST = sp.Symbol("least share of the top fifth")
FIRST, FIFTH = sp.Rational(1, 10), sp.Rational(1, 5)
BETWEEN = sp.And(sp.Gt(COSINE, -FIFTH), sp.Lt(COSINE, FIFTH))
UNRELATED = sp.Symbol("share that unrelated gradients hold at most")
CORRELATION = sp.Symbol("rank correlation")

CROSSING = "(np.count_nonzero(values >= 0.02) + 1) / len(values)"
MEAN_COSINE = "values[np.tril_indices(len(values), -1)].mean()"
TOP_FIFTH = "np.linalg.eigvalsh(values)[-int(np.ceil(len(values) / 5)) :].sum() / np.trace(values)"

FAST, SLOW = Trajectory("vocabulary", 1e-3, all_layers=True), Trajectory("vocabulary", 2e-4)
WORDS_FAST, WORDS_SLOW = Trajectory("label_words", 1e-3), Trajectory("label_words", 2e-4)
Array = np.ndarray


def _low_rank(_: Statement, studies: Studies, context: Context) -> Modelled:
    """Where each spectrum falls below 2% of its largest value, as a share of its length."""
    from zotheory.model.study import ATTENTION
    from zotheory.papers.tezo.measurements import crossing

    cases, numbers, pictures = [], {}, {}
    for trajectory, study in studies.items():
        weights = [w for w in study.weights if w.module in ATTENTION]
        found = np.array([[crossing(row) for row in study.spectra[w.name]] for w in weights])
        within = found <= FIRST
        row, batch = np.unravel_index(found.argmax(), found.shape)
        spectrum = study.spectra[weights[row].name][batch]
        latest = float(found.max())
        values = {
            LATEST: Quantity(latest, latest, latest, spectrum / spectrum[0], CROSSING),
            WITHIN: mean(within.mean(axis=0)),
        }
        cases.append(Case(f"{weights[row].name}, batch {batch} ({trajectory})", values))
        numbers[str(trajectory)] = {
            "gradients": found.size,
            "share within": float(within.mean()),
            "index of the crossing / length, quartiles": np.quantile(found, np.arange(5) / 4),
            "by module, median": {
                m: float(np.median(found[[w.module == m for w in weights]]))
                for m in ATTENTION
                if any(w.module == m for w in weights)
            },
        }
        pictures[str(trajectory)] = {"crossings": drawn.crossings(found, weights)}
        if trajectory.all_layers:
            pictures[str(trajectory)] |= drawn.spectra(study, weights)
    return _found(cases, numbers, pictures, context)


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
    return _found(cases, numbers, pictures, context)


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
    return _found(cases, numbers, pictures, context)


def _rank_correlation(_: Statement, studies: Studies, context: Context) -> Modelled:
    """Spearman's correlation of weight rank and gradient rank over all matrices, at 25% and 30%."""
    from zotheory.model.gradients import weight_spectra
    from zotheory.papers.tezo.measurements import rank_correlation, spearman_interval

    (study,) = studies.values()
    spectra = weight_spectra(language_model(context).model, study.weights)
    cases, numbers, pictures = [], {}, {}
    for threshold in (0.25, 0.3):
        found = rank_correlation(spectra, study, seed=context.seed, threshold=threshold)
        interval = spearman_interval(found.pooled, len(found.layers), 1 - ALPHA)
        at = f"threshold {threshold:.0%}"
        cases.append(Case(at, {CORRELATION: Quantity(found.pooled, *interval)}))
        numbers[at] = {
            "correlation": found.pooled,
            "interval": interval,
            "permutation p, one-sided": found.pooled_p,
            "mean within module types": found.within_mean,
            "within module types": found.within,
            "median rank of weights and gradients": [
                float(np.median(found.weight_ranks)),
                float(np.median(found.gradient_ranks)),
            ],
        }
        pictures[at] = drawn.ranks(found)
    return _found(cases, numbers, pictures, context)


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
) -> Modelled:
    setting = {
        "model": language_model(context).name,
        "text": f"{context.budget.batches} batches of {BATCH_SIZE} different review sentences of "
        f"at most {WORDS} words",
        "error probability": f"{ALPHA:g}, Student's intervals over batches or layers",
    }
    return Modelled(cases, {**numbers, DRAWN: pictures}, setting)


CLAIMS = (
    Claim(
        id="tezo.fig5.low_rank",
        where="Fig. 1a, Fig. 5",
        statement=Statement(
            "For attention weights of a fine-tuned LLM the singular values of each batch gradient "
            "fall below 2% of the largest within the first tenth of the spectrum.",
            sp.Le(LATEST, FIRST),
        ),
        needs=(Kind.MODEL,),
        checks=(modelled((FAST, SLOW), _low_rank),),
        mutant=Statement(
            "The same within the first thousandth.", sp.Le(LATEST, sp.Rational(1, 1000))
        ),
        correction=Statement(
            "They do for more than half of the attention weights, on average over the batches.",
            sp.Gt(WITHIN, sp.Rational(1, 2)),
        ),
    ),
    Claim(
        id="tezo.fig6.similarity",
        where="Fig. 6",
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
        statement=Statement(
            "Across layers, the rank of a weight (threshold rule of Sec. 4.2) and the rank of its "
            "gradient are positively rank-correlated.",
            sp.Gt(CORRELATION, 0),
        ),
        needs=(Kind.MODEL,),
        checks=(modelled((FAST,), _rank_correlation, alike=True),),
        mutant=Statement(
            "Their rank correlation is above 0.9.", sp.Gt(CORRELATION, sp.Rational(9, 10))
        ),
    ),
)
