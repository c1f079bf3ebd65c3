"""What a gradient study says about each of the TeZO paper's observations, as plain numbers.

Singular values are falling arrays throughout. A *similarity* is a (T, T) matrix of inner products
of T normalised gradients; its eigenvalues are the squared singular values of the gradients stacked
as columns.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import norm, rankdata

from zotheory.model.study import GradientStudy


def crossing(singular_values: ArrayLike, threshold: float = 0.02) -> float:
    """Where a spectrum falls below ``threshold`` of its largest value, as a share of its length.

    The 1-based index i of the first sigma_i < threshold sigma_1, divided by the number of singular
    values; above 1 when none is that small (TeZO, Figure 5: the white lines, at 2%).

    Raises:
        ValueError: not a falling spectrum with a positive first value, or threshold not in (0, 1).
    """
    values = _spectrum(singular_values, threshold)
    return (int(np.count_nonzero(values >= threshold * values[0])) + 1) / len(values)


def threshold_rank(singular_values: ArrayLike, threshold: float = 0.25) -> int:
    """Number of singular values above ``threshold`` times the largest (TeZO, Sec. 4.2 and Table 6).

    Raises:
        ValueError: as ``crossing``.
    """
    values = _spectrum(singular_values, threshold)
    return int(np.count_nonzero(values > threshold * values[0]))


def _spectrum(singular_values: ArrayLike, threshold: float) -> np.ndarray:
    values = np.asarray(singular_values, dtype=float)
    if values.ndim != 1 or not len(values) or not np.isfinite(values).all() or values[0] <= 0:
        raise ValueError("need a finite, non-empty spectrum with a positive first value")
    if np.any(np.diff(values) > 0):
        raise ValueError("singular values come in falling order")
    if not 0 < threshold < 1:
        raise ValueError(f"a threshold lies in (0, 1), got {threshold}")
    return values


def pairwise_cosines(similarity: ArrayLike) -> np.ndarray:
    """The T (T - 1) / 2 cosines between different batches.

    Raises:
        ValueError: not a square matrix of at least two rows.
    """
    matrix = _square(similarity)
    return matrix[np.tril_indices(len(matrix), -1)]


def top_share(similarity: ArrayLike, fraction: float = 0.2) -> float:
    """Share of the squared norm in the top ``fraction`` of the singular directions of the stack.

    With T gradients the top fraction is the ceil(fraction T) largest directions: the reading most
    favourable to a claim that they hold much (TeZO, Figure 1b).

    Raises:
        ValueError: not a square matrix of at least two rows, or fraction not in (0, 1].
    """
    matrix = _square(similarity)
    eigenvalues = np.linalg.eigvalsh(matrix)[::-1]
    return float(eigenvalues[: _directions(len(matrix), fraction)].sum() / np.trace(matrix))


def _directions(count: int, fraction: float) -> int:
    if not 0 < fraction <= 1:
        raise ValueError(f"a fraction lies in (0, 1], got {fraction}")
    # 0.2 * 25 is 5.000...01 for some fractions in binary: rounding first keeps the ceiling honest.
    return int(np.ceil(round(fraction * count, 9)))


def _square(similarity: ArrayLike) -> np.ndarray:
    matrix = np.asarray(similarity, dtype=float)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or len(matrix) < 2:
        raise ValueError(f"need a square matrix of two rows or more, got shape {matrix.shape}")
    return matrix


@dataclass(frozen=True)
class RandomDirections:
    """What T independent uniformly random directions in d dimensions would show.

    The mean pairwise cosine has mean 0 and standard deviation ``mean_cosine_sd`` =
    sqrt(2 / (T (T - 1) d)). ``top_share`` = ceil(fraction T) / T is the limit for d >> T, and
    ``top_share_edge`` = min(1, top_share (1 + sqrt(T / d))^2) bounds it at the Marchenko-Pastur
    edge.
    """

    mean_cosine_sd: float
    top_share: float
    top_share_edge: float


def random_directions(batches: int, entries: int, fraction: float = 0.2) -> RandomDirections:
    """The null expectation of ``pairwise_cosines`` and ``top_share`` for matrices with ``entries``.

    Raises:
        ValueError: fewer than two batches, no entries, or fraction not in (0, 1].
    """
    if batches < 2 or entries < 1:
        raise ValueError(f"need batches >= 2 and entries >= 1, got {batches} and {entries}")
    share = _directions(batches, fraction) / batches
    return RandomDirections(
        mean_cosine_sd=float(np.sqrt(2 / (batches * (batches - 1) * entries))),
        top_share=share,
        top_share_edge=float(min(1.0, share * (1 + np.sqrt(batches / entries)) ** 2)),
    )


@dataclass(frozen=True)
class RankCorrelation:
    """Spearman's correlation of weight ranks with gradient ranks.

    Attributes:
        modules: name of each matrix's module.
        layers, weight_ranks, gradient_ranks: one entry a matrix; a gradient's rank is its mean over
            the batches at which all matrices were measured.
        pooled: over all matrices, with ``pooled_p`` (one-sided, for a positive correlation, by
            permutation) and the 95% interval ``pooled_interval`` (Bonett and Wright 2000).
        within: by module type, over its layers; NaN where all ranks are equal.
        within_mean, within_p: the mean of ``within`` and its one-sided p-value, permuting the
            layers inside each type only: what is left once shape and type are accounted for.
    """

    threshold: float
    modules: tuple[str, ...]
    layers: np.ndarray
    weight_ranks: np.ndarray
    gradient_ranks: np.ndarray
    pooled: float
    pooled_p: float
    pooled_interval: tuple[float, float]
    within: dict[str, float]
    within_mean: float
    within_p: float


def rank_correlation(
    weight_spectra: dict[str, np.ndarray],
    study: GradientStudy,
    *,
    seed: int,
    threshold: float = 0.25,
    permutations: int = 9999,
) -> RankCorrelation:
    """Correlate the rank of each weight with the rank of its gradient (TeZO, Figure 7 and Eq. 7).

    Permutations treat layers as exchangeable. Neighbouring layers resemble each other, so small
    p-values overstate the evidence.

    Raises:
        KeyError: ``weight_spectra`` lacks a matrix of the study.
        ValueError: fewer than four matrices, or threshold not in (0, 1).
    """
    if len(study.weights) < 4:
        raise ValueError(f"a rank correlation needs four matrices, got {len(study.weights)}")
    measured = np.all([np.isfinite(study.spectra[w.name][:, 0]) for w in study.weights], axis=0)
    weight_ranks = np.array(
        [threshold_rank(weight_spectra[w.name], threshold) for w in study.weights]
    )
    gradient_ranks = np.array(
        [
            np.mean([threshold_rank(row, threshold) for row in study.spectra[w.name][measured]])
            for w in study.weights
        ]
    )
    modules = np.array([w.module for w in study.weights])
    one_group = [np.arange(len(modules))]
    groups = [np.flatnonzero(modules == module) for module in dict.fromkeys(modules)]
    generator = np.random.default_rng(seed)
    ranks = weight_ranks, gradient_ranks
    (pooled,), pooled_p = _spearman(*ranks, one_group, permutations, generator)
    within, within_p = _spearman(*ranks, groups, permutations, generator)
    return RankCorrelation(
        threshold=threshold,
        modules=tuple(modules.tolist()),
        layers=np.array([w.layer for w in study.weights]),
        weight_ranks=weight_ranks,
        gradient_ranks=gradient_ranks,
        pooled=pooled,
        pooled_p=pooled_p,
        pooled_interval=spearman_interval(pooled, len(modules)),
        within={str(modules[g[0]]): rho for g, rho in zip(groups, within, strict=True)},
        within_mean=float(np.nanmean(within)) if np.isfinite(within).any() else float("nan"),
        within_p=within_p,
    )


def spearman_interval(rho: float, count: int, confidence: float = 0.95) -> tuple[float, float]:
    """Interval for Spearman's correlation of ``count`` pairs.

    Fisher's z with variance (1 + rho^2 / 2) / (count - 3): D. G. Bonett and T. A. Wright, "Sample
    size requirements for estimating Pearson, Kendall and Spearman correlations", Psychometrika 65
    (2000). An undefined rho gives (-1, 1).
    """
    if not np.isfinite(rho):
        return (-1.0, 1.0)
    inside = np.clip(rho, -1 + 1e-12, 1 - 1e-12)
    half = norm.ppf((1 + confidence) / 2) * np.sqrt((1 + inside**2 / 2) / (count - 3))
    return (float(np.tanh(np.arctanh(inside) - half)), float(np.tanh(np.arctanh(inside) + half)))


def _spearman(
    x: np.ndarray,
    y: np.ndarray,
    groups: list[np.ndarray],
    permutations: int,
    generator: np.random.Generator,
) -> tuple[list[float], float]:
    """Spearman's rho in each group, and the one-sided permutation p-value of their mean."""
    pairs = [(_standard_ranks(x[g]), _standard_ranks(y[g])) for g in groups]
    observed = [float(a @ b) for a, b in pairs]  # NaN where one side is constant
    usable = [(a, b) for (a, b), rho in zip(pairs, observed, strict=True) if np.isfinite(rho)]
    if not usable:
        return observed, 1.0
    null = np.zeros(permutations)
    for a, b in usable:
        null += generator.permuted(np.tile(b, (permutations, 1)), axis=1) @ a
    reached = np.count_nonzero(null >= sum(a @ b for a, b in usable) - 1e-12)
    return observed, (reached + 1) / (permutations + 1)


def _standard_ranks(values: np.ndarray) -> np.ndarray:
    """Ranks (ties averaged), centred, of unit norm; NaN when all are equal."""
    ranks = rankdata(values)
    centred = ranks - ranks.mean()
    length = np.linalg.norm(centred)
    return centred / length if length > 0 else np.full(len(ranks), np.nan)
