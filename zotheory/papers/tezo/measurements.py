"""What a gradient study says about each of the TeZO paper's observations, as plain numbers.

Singular values are falling arrays throughout. A *similarity* is a (T, T) matrix of inner products
of T normalised gradients; its eigenvalues are the squared singular values of the gradients stacked
as columns.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import norm, spearmanr

if TYPE_CHECKING:
    from zotheory.model.study import GradientStudy


def threshold_rank(singular_values: ArrayLike, threshold: float = 0.25) -> int:
    """Number of singular values above ``threshold`` times the largest (TeZO, Sec. 4.2 and Table 6).

    Raises:
        ValueError: not a falling spectrum with a positive first value, or threshold not in (0, 1).
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
    """Spearman's correlation of Eq. 7's ranks with gradient ranks, ties averaged.

    Attributes:
        modules: name of each matrix's module.
        layers, weight_ranks, gradient_ranks: one entry a matrix. The rank of a weight is Eq. 7's
            with r_max infinite, the least over the matrices of its layer; a gradient's is its mean
            over the batches at which all matrices were measured.
        pooled: over all matrices.
        within: by module type, over its layers; NaN where all ranks are equal.
        within_mean: their mean.
    """

    threshold: float
    modules: tuple[str, ...]
    layers: np.ndarray
    weight_ranks: np.ndarray
    gradient_ranks: np.ndarray
    pooled: float
    within: dict[str, float]
    within_mean: float


def rank_correlation(
    weight_spectra: dict[str, np.ndarray], study: GradientStudy, *, threshold: float = 0.25
) -> RankCorrelation:
    """Correlate Eq. 7's rank of each weight with the rank of its gradient (TeZO, Figure 7).

    Raises:
        KeyError: ``weight_spectra`` lacks a matrix of the study.
        ValueError: fewer than four matrices, or threshold not in (0, 1).
    """
    if len(study.weights) < 4:
        raise ValueError(f"a rank correlation needs four matrices, got {len(study.weights)}")
    measured = np.all([np.isfinite(study.spectra[w.name][:, 0]) for w in study.weights], axis=0)
    own = np.array([threshold_rank(weight_spectra[w.name], threshold) for w in study.weights])
    layers = np.array([w.layer for w in study.weights])
    least = np.array([own[layers == layer].min() for layer in layers])
    gradient_ranks = np.array(
        [
            np.mean([threshold_rank(row, threshold) for row in study.spectra[w.name][measured]])
            for w in study.weights
        ]
    )
    modules = np.array([w.module for w in study.weights])
    groups = {str(m): modules == m for m in dict.fromkeys(modules)}
    within = {m: _spearman(least[of], gradient_ranks[of]) for m, of in groups.items()}
    known = [rho for rho in within.values() if np.isfinite(rho)]
    return RankCorrelation(
        threshold=threshold,
        modules=tuple(modules.tolist()),
        layers=layers,
        weight_ranks=least,
        gradient_ranks=gradient_ranks,
        pooled=_spearman(least, gradient_ranks),
        within=within,
        within_mean=float(np.mean(known)) if known else float("nan"),
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


def _spearman(x: np.ndarray, y: np.ndarray) -> float:
    """NaN where one side is constant."""
    constant = len(np.unique(x)) < 2 or len(np.unique(y)) < 2
    return float("nan") if constant else float(spearmanr(x, y).statistic)
