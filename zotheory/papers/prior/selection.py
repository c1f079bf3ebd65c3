"""Samplers of MeZO, MeZO-Greedy and MeZO-GV on a linear loss with a unit gradient g.

An estimate V = <g, v> v has the part <V, g> along g and a part across it. `Trained` takes both
from the estimators themselves; `Reduced` from k normals y_i = <g, z_i> and one chi-square, since
what is across g is independent of the y_i and Gaussian: given y,

    plain (mean of k):   ||y||^2/k   and   ||y|| chi_(d-1)/k,
    greedy:              y_(1)^2     and   |y_(1)| chi_(d-1),
    guided (GV):         A^2         and   |A| sqrt(spread) chi_(d-1),   spread = 1/s + 1/(k-s),

A = mean of the s least minus mean of the others, s = floor(k/2).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from zotheory.evidence.draws import SEEDS, Recipe, estimate
from zotheory.papers.shared.estimates import linear, zeros
from zotheory.papers.shared.gram import gram_root

_RECIPES = {"plain": "q_spsa", "greedy": "mezo_greedy", "guided": "mezo_gv"}


@dataclass(frozen=True)
class Trained:
    """Parts of estimates by the code that trains: <V, g> and ||V - <V, g> g||.

    method: plain, greedy or guided; k: its directions or candidates; d: the number of weights.
    """

    method: str
    k: int
    d: int

    def __call__(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """`size` independent pairs, shape (size, 2)."""
        estimates, _ = self.estimates(rng, size)
        gradient = self.gradient
        along = estimates @ gradient
        across = np.linalg.norm(estimates - along[:, None] * gradient, axis=1)
        return np.stack([along, across], axis=1)

    @property
    def gradient(self) -> np.ndarray:
        """g, of norm 1, with different entries."""
        entries = np.arange(1.0, self.d + 1)
        return entries / np.linalg.norm(entries)

    def estimates(self, rng: np.random.Generator, size: int) -> tuple[np.ndarray, np.ndarray]:
        """`size` estimates, shape (size, d), and for each the slope of its last difference."""
        named = zeros({"w": (self.d,)})
        optimizer = recipe(self.method, self.k).build(named)
        loss, losses = linear(named, [torch.from_numpy(self.gradient)]), []

        def closure() -> float:
            losses.append(float(loss()))
            return losses[-1]

        rows, slopes = np.empty((size, self.d)), np.empty(size)
        for i, seed in enumerate(rng.integers(SEEDS, size=size)):
            rows[i] = estimate(optimizer, closure, seed)["w"].numpy()
            slopes[i] = (losses[-2] - losses[-1]) / (2 * optimizer.eps)
            losses.clear()
        return rows, slopes


def recipe(method: str, k: int) -> Recipe:
    """The estimators' own recipe of plain, greedy or guided with k directions or candidates."""
    option = "queries" if method == "plain" else "candidates"
    return Recipe(_RECIPES[method], ((option, k),))


@dataclass(frozen=True)
class Reduced:
    """The same parts from k normals and one chi-square; see the module."""

    method: str
    k: int
    d: int

    def __call__(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """`size` independent pairs, shape (size, 2)."""
        y = rng.standard_normal((size, self.k))
        length = np.sqrt(rng.chisquare(self.d - 1, size))
        if self.method == "plain":
            norm2 = np.einsum("bi,bi->b", y, y)
            return np.stack([norm2 / self.k, np.sqrt(norm2) * length / self.k], axis=1)
        if self.method == "greedy":
            least = y.min(axis=1)
            return np.stack([least**2, np.abs(least) * length], axis=1)
        y.sort(axis=1)
        s = self.k // 2
        guide = y[:, :s].mean(axis=1) - y[:, s:].mean(axis=1)
        spread = 1 / s + 1 / (self.k - s)
        return np.stack([guide**2, np.abs(guide) * np.sqrt(spread) * length], axis=1)


Source = Trained | Reduced


def along(parts: np.ndarray, _: Source) -> np.ndarray:
    """||V_par||, which is the aligned ratio ||V_par||/||g||."""
    return parts[:, 0]


def ratio(parts: np.ndarray, source: Source) -> np.ndarray:
    """sqrt(d-1) ||V_par||/||V_perp||."""
    return np.sqrt(source.d - 1) * parts[:, 0] / parts[:, 1]


def squared_ratio(parts: np.ndarray, source: Source) -> np.ndarray:
    """(d-3) ||V_par||^2/||V_perp||^2."""
    return (source.d - 3) * (parts[:, 0] / parts[:, 1]) ** 2


def scaled_cosine(parts: np.ndarray, source: Source) -> np.ndarray:
    """d cos^2(g, V)."""
    squares = parts**2
    return source.d * squares[:, 0] / squares.sum(axis=1)


def across(parts: np.ndarray, source: Source) -> np.ndarray:
    """||N||^2 of Lemma 4: V_perp = (m/s^2) N and V_par = (m/s)^2 g, so s^2 ||V_perp||^2/||V_par||.

    For the guided estimate at even k and s = k/2.
    """
    return (source.k // 2) ** 2 * parts[:, 1] ** 2 / parts[:, 0]


@dataclass(frozen=True)
class Statistic:
    """One of the statistics above of what a source draws."""

    source: Source
    of: Callable[[np.ndarray, Source], np.ndarray]

    def __call__(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """`size` independent values."""
        return self.of(self.source(rng, size), self.source)


@dataclass(frozen=True)
class Beside:
    """Two samplers' values side by side, drawn independently."""

    first: Statistic
    second: Statistic

    def __call__(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """`size` independent rows, shape (size, 2)."""
        return np.stack([self.first(rng, size), self.second(rng, size)], axis=1)


@dataclass(frozen=True)
class PlainEstimate:
    """The mean of k two-point estimates, entry by entry, and ||V_perp||^2: d + 1 columns."""

    source: Trained

    def __call__(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """`size` independent rows, shape (size, d + 1)."""
        estimates, _ = self.source.estimates(rng, size)
        gradient = self.source.gradient
        rest = estimates - np.outer(estimates @ gradient, gradient)
        return np.column_stack([estimates, np.einsum("bi,bi->b", rest, rest)])


@dataclass(frozen=True)
class GuidedMean:
    """Parts of <v, g>^(power-1) v for the guiding vector v: three columns.

    power 2 is GV's estimate, power 1 is v itself. Columns: minus the part along g, and plus and
    minus the part along a unit vector across g.
    """

    source: Trained
    power: int

    def __call__(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """`size` independent rows, shape (size, 3)."""
        estimates, slopes = self.source.estimates(rng, size)
        vectors = estimates * slopes[:, None] ** (self.power - 2)
        gradient = self.source.gradient
        other = np.eye(self.source.d)[0] - gradient[0] * gradient
        other /= np.linalg.norm(other)
        return vectors @ np.column_stack([-gradient, other, -other])


@dataclass(frozen=True)
class CovarianceFails:
    """1 where ||S_k - I|| > eps, S_k the empirical covariance of k standard normals in d.

    Through the k x k or d x d Wishart matrix that has the same eigenvalues but for zeros.
    """

    d: int
    k: int
    eps: float

    def __call__(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """`size` independent values, 0.0 or 1.0."""
        return np.array([float(self._error(rng) > self.eps) for _ in range(size)])

    def _error(self, rng: np.random.Generator) -> float:
        rows, freedom = min(self.d, self.k), max(self.d, self.k)
        root = gram_root(rng, 1, np.empty((1, rows, 0)), freedom)[0]
        values = np.linalg.eigvalsh(root @ root.T) / self.k
        missing = 1.0 if self.k < self.d else 0.0  # the eigenvalues 0 of S_k
        return max(missing, np.abs(values[[0, -1]] - 1).max())
