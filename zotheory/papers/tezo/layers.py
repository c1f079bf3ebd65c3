"""What the figures say of a language model's layers: spectra, similarity and ranks of gradients.

Each statement is judged along fine-tuning runs at two learning rates: what holds at one only is
not a property of the gradients but of the phase of training that the rate reaches.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import itemgetter
from typing import Any

import numpy as np
from scipy.stats import t

from zotheory.budget import ALPHA
from zotheory.context import Context
from zotheory.evidence.modelled import (
    BATCH_SIZE,
    WORDS,
    Studies,
    Trajectory,
    language_model,
    modelled,
)
from zotheory.papers.tezo import drawn
from zotheory.statistics.intervals import student
from zotheory.vocabulary import DRAWN, Claim, Evidence, Kind, Statement, Verdict

SPECTRUM = """import numpy as np

# singular values of the gradient of {name}, relative to the largest
sigma = np.array({values})
claimed = {claimed}  # at most this share of the spectrum until the first below 2%
actual = (np.count_nonzero(sigma >= 0.02) + 1) / len(sigma)
print("claimed", claimed)
print("actual", actual)
"""
GRAM = """import numpy as np

# inner products of the normalised gradients of {name}, one row per batch
gram = np.array({values})
claimed = {claimed}  # above
actual = {statistic}
print("claimed", claimed)
print("actual", float(actual))
"""
MEAN_COSINE = "gram[np.tril_indices(len(gram), -1)].mean()"
TOP_FIFTH = "np.linalg.eigvalsh(gram)[-int(np.ceil(len(gram) / 5)) :].sum() / np.trace(gram)"

FAST, SLOW = Trajectory("vocabulary", 1e-3, all_layers=True), Trajectory("vocabulary", 2e-4)
WORDS_FAST, WORDS_SLOW = Trajectory("label_words", 1e-3), Trajectory("label_words", 2e-4)
Array = np.ndarray


def _low_rank(statement: Statement, studies: Studies, context: Context) -> Evidence:
    """Where each spectrum falls below 2% of its largest value, as a share of its length."""
    from zotheory.model.study import ATTENTION
    from zotheory.papers.tezo.measurements import crossing

    within = statement.setting["within"]
    numbers, pictures, failures, intervals, worst = {}, {}, [], {}, (0.0, "", None)
    count = 0
    for trajectory, study in studies.items():
        weights = [w for w in study.weights if w.module in ATTENTION]
        found = np.array([[crossing(row) for row in study.spectra[w.name]] for w in weights])
        share = (found <= within).mean(axis=0)
        intervals[str(trajectory)] = student(share, ALPHA)
        failures.append(int(np.count_nonzero(found > within)))
        count += found.size
        at = np.unravel_index(found.argmax(), found.shape)
        where = f"{weights[at[0]].name}, batch {at[1]} ({trajectory})"
        spectrum = study.spectra[weights[at[0]].name][at[1]]
        worst = max(worst, (float(found.max()), where, spectrum / spectrum[0]), key=itemgetter(0))
        numbers[str(trajectory)] = {
            "gradients": found.size,
            "share within": float((found <= within).mean()),
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
    numbers[DRAWN] = pictures
    if statement.setting["of"] == "each":
        verdict = Verdict.REFUTED if any(failures) else Verdict.CONFIRMED
    else:
        verdict = _above(intervals.values(), 0.5)
    inputs = {"worst": worst[1], "claimed": within, "actual": worst[0]}
    if verdict is Verdict.REFUTED:
        inputs["snippet"] = SPECTRUM.format(name=worst[1], values=_listed(worst[2]), claimed=within)
    summary = (
        f"{sum(failures)} of {count} batch gradients fall "
        f"below 2% only after {within:.0%} of the spectrum; "
        f"the latest at {worst[0]:.0%}, {worst[1]}"
    )
    return _evidence(verdict, summary, numbers, context, inputs)


def _similarity(statement: Statement, studies: Studies, context: Context) -> Evidence:
    """Mean pairwise cosine over all compared matrices, with a jackknife interval over batches."""
    low, high = statement.setting["between"]
    numbers, pictures, verdicts, lines, found = {}, {}, [], [], []
    for trajectory, study in studies.items():
        matrices = np.array(list(study.cosines.values()))
        mean, interval = _jackknife(matrices, _mean_cosine)
        verdicts.append(_between(interval, low, high))
        per_matrix = [_mean_cosine(matrix[None]) for matrix in matrices]
        thirds = np.array_split(np.arange(matrices.shape[1]), 3)
        numbers[str(trajectory)] = {
            "mean cosine": mean,
            "interval": interval,
            "over matrices, min median max": np.quantile(per_matrix, [0, 0.5, 1]),
            "by third of the run": [_mean_cosine(matrices[:, p][:, :, p]) for p in thirds],
            "training loss, first and last": study.losses[[0, -1]],
        }
        lines.append(f"{mean:.3f} in [{interval[0]:.3f}, {interval[1]:.3f}] ({trajectory})")
        found.append((mean, str(trajectory), matrices.mean(axis=0)))
        pictures[str(trajectory)] = drawn.cosines(study)
    numbers[DRAWN] = pictures
    verdict = _agreed(verdicts)
    summary = "mean pairwise cosine " + "; ".join(lines)
    if len(set(verdicts)) > 1:
        summary += "; the two learning rates do not say the same"
    mean, where, gram = min(found, key=itemgetter(0))
    inputs: dict[str, Any] = {"lowest": where, "claimed": low, "actual": mean}
    if verdict is Verdict.REFUTED:
        values, name = _listed(gram), f"{matrices.shape[0]} matrices, averaged ({where})"
        inputs["snippet"] = GRAM.format(
            name=name, values=values, claimed=low, statistic=MEAN_COSINE
        )
    return _evidence(verdict, summary, numbers, context, inputs)


def _subspace(statement: Statement, studies: Studies, context: Context) -> Evidence:
    """Share of squared norm in the top fifth of the singular directions, matrix by matrix."""
    from zotheory.papers.tezo.measurements import random_directions, top_share

    numbers, pictures, lowest, failed, count = {}, {}, (np.inf, "", None), 0, 0
    for trajectory, study in studies.items():
        shares = {name: top_share(matrix) for name, matrix in study.cosines.items()}
        sizes = {w.name: int(np.prod(w.shape)) for w in study.weights}
        null = max(
            random_directions(len(study.losses), sizes[name]).top_share_edge for name in shares
        )
        bound = statement.setting["above"] or null
        failed += sum(share <= bound for share in shares.values())
        count += len(shares)
        least = min(shares, key=shares.get)
        where = (shares[least], f"{least} ({trajectory})", study.cosines[least])
        lowest = min(lowest, where, key=itemgetter(0))
        numbers[str(trajectory)] = {
            "matrices": len(shares),
            "above": sum(share > bound for share in shares.values()),
            "share, min median max": np.quantile(list(shares.values()), [0, 0.5, 1]),
            "unrelated gradients would hold at most": null,
        }
        pictures[str(trajectory)] = {"share of the top k": drawn.shares(study)}
        if trajectory.all_layers:
            pictures[str(trajectory)]["singular values"] = drawn.stacks(study)
    numbers[DRAWN] = pictures
    verdict = Verdict.REFUTED if failed else Verdict.CONFIRMED
    inputs = {"lowest": lowest[1], "claimed": bound, "actual": lowest[0]}
    if verdict is Verdict.REFUTED:
        inputs["snippet"] = GRAM.format(
            name=lowest[1], values=_listed(lowest[2]), claimed=bound, statistic=TOP_FIFTH
        )
    summary = (
        f"{count - failed} of {count} matrices above {bound:.3g}; the lowest share is "
        f"{lowest[0]:.2f}, {lowest[1]}"
    )
    return _evidence(verdict, summary, numbers, context, inputs)


def _rank_correlation(statement: Statement, studies: Studies, context: Context) -> Evidence:
    """Spearman's correlation of weight rank and gradient rank over all matrices, at 25% and 30%."""
    from zotheory.model.gradients import weight_spectra
    from zotheory.papers.tezo.measurements import rank_correlation, spearman_interval

    (study,) = studies.values()
    spectra = weight_spectra(language_model(context).model, study.weights)
    numbers, pictures, verdicts, lines = {}, {}, [], []
    above = statement.setting["above"]
    for threshold in (0.25, 0.3):
        found = rank_correlation(spectra, study, seed=context.seed, threshold=threshold)
        interval = spearman_interval(found.pooled, len(found.layers), 1 - ALPHA)
        verdicts.append(_between(interval, above, 1.0))
        numbers[f"threshold {threshold:.0%}"] = {
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
        lines.append(
            f"{found.pooled:.2f} in [{interval[0]:.2f}, {interval[1]:.2f}] at {threshold:.0%}"
        )
        pictures[f"threshold {threshold:.0%}"] = drawn.ranks(found)
    numbers[DRAWN] = pictures
    summary = f"rank correlation over {len(found.layers)} matrices: " + "; ".join(lines)
    return _evidence(_agreed(verdicts), summary, numbers, context)


def _listed(values: Array) -> str:
    """Measured numbers as code, to four decimals, wrapped."""
    return np.array2string(values, precision=4, separator=", ", threshold=values.size + 1)


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


def _between(interval: list[float] | tuple[float, float], low: float, high: float) -> Verdict:
    if low < interval[0] and interval[1] < high:
        return Verdict.CONFIRMED
    if interval[1] <= low or interval[0] >= high:
        return Verdict.REFUTED
    return Verdict.INCONCLUSIVE


def _above(intervals: Any, bound: float) -> Verdict:
    return _agreed([_between(interval, bound, np.inf) for interval in intervals])


def _agreed(verdicts: list[Verdict]) -> Verdict:
    """What all runs say alike; a statement that holds in some of them only is not settled."""
    return verdicts[0] if len(set(verdicts)) == 1 else Verdict.INCONCLUSIVE


def _evidence(
    verdict: Verdict,
    summary: str,
    numbers: Mapping[str, Any],
    context: Context,
    inputs: Mapping[str, Any] | None = None,
) -> Evidence:
    setting = {
        "model": language_model(context).name,
        "text": f"{context.budget.batches} batches of {BATCH_SIZE} different review sentences of "
        f"at most {WORDS} words",
        "error probability": f"{ALPHA:g}, Student's intervals over batches or layers",
        "seed": context.seed,
    }
    return Evidence(Kind.MODEL, verdict, summary, numbers, {**(inputs or {}), **setting})


CLAIMS = (
    Claim(
        id="tezo.fig5.low_rank",
        where="Fig. 1a, Fig. 5",
        statement=Statement(
            "For attention weights of a fine-tuned LLM the singular values of each batch gradient "
            "fall below 2% of the largest within the first tenth of the spectrum.",
            setting={"of": "each", "within": 0.1},
        ),
        needs=(Kind.MODEL,),
        checks=(modelled((FAST, SLOW), _low_rank),),
        mutant=Statement(
            "The same within the first thousandth.", setting={"of": "each", "within": 0.001}
        ),
        correction=Statement(
            "They do for more than half of the attention weights, on average over the batches.",
            setting={"of": "most", "within": 0.1},
        ),
    ),
    Claim(
        id="tezo.fig6.similarity",
        where="Fig. 6",
        statement=Statement(
            "Normalised gradients of different batches at different steps have mean pairwise "
            "cosine above 0.2, with the loss the cross-entropy of the label word over the whole "
            "vocabulary.",
            setting={"between": (0.2, np.inf)},
        ),
        needs=(Kind.MODEL,),
        checks=(modelled((FAST, SLOW), _similarity),),
        mutant=Statement("The same above 0.95.", setting={"between": (0.95, np.inf)}),
        correction=Statement("It lies between -0.2 and 0.2.", setting={"between": (-0.2, 0.2)}),
    ),
    Claim(
        id="tezo.fig6.label_words",
        where="Fig. 6, another usual loss",
        statement=Statement(
            "The same with the loss the cross-entropy over the label words alone, as "
            "classification prompts often use.",
            setting={"between": (0.2, np.inf)},
        ),
        needs=(Kind.MODEL,),
        checks=(modelled((WORDS_FAST, WORDS_SLOW), _similarity),),
        mutant=Statement("The same above 0.95.", setting={"between": (0.95, np.inf)}),
        correction=Statement("It lies between -0.2 and 0.2.", setting={"between": (-0.2, 0.2)}),
    ),
    Claim(
        id="tezo.fig1b.subspace",
        where="Fig. 1b",
        statement=Statement(
            "Of the normalised gradients of one layer over at least 24 steps, stacked as columns, "
            "the top fifth of the singular directions hold more than 80% of the squared norm "
            "(either loss).",
            setting={"above": 0.8},
        ),
        needs=(Kind.MODEL,),
        checks=(modelled((FAST, SLOW, WORDS_FAST, WORDS_SLOW), _subspace),),
        mutant=Statement("The same above 99.9%.", setting={"above": 0.999}),
        correction=Statement(
            "In every layer they hold more than the fifth that unrelated directions would; more "
            "than 80% in some layers only.",
            setting={"above": None},
        ),
    ),
    Claim(
        id="tezo.fig7.rank_correlation",
        where="Fig. 7, Eq. 7",
        statement=Statement(
            "Across layers, the rank of a weight (threshold rule of Sec. 4.2) and the rank of its "
            "gradient are positively rank-correlated.",
            setting={"above": 0.0},
        ),
        needs=(Kind.MODEL,),
        checks=(modelled((FAST,), _rank_correlation),),
        mutant=Statement("Their rank correlation is above 0.9.", setting={"above": 0.9}),
    ),
)
