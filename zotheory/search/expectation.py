"""Expectations over normal variables and their products by quadrature, with kinks respected.

Everything reduces to E[h(s) |N_1|^p_1 ... |N_k|^p_k] with s = N_1 ... N_k, N_i independent standard
normals. In y = log|s| the density is smooth and decays fast on both sides, and it is the k-fold
convolution of the densities of log|N_i|: the trapezoidal rule computes it to rounding.
"""

import math
from collections.abc import Callable, Sequence
from functools import cache
from itertools import pairwise

import numpy as np
from scipy.special import comb

Integrand = Callable[[np.ndarray], np.ndarray]
Terms = dict[tuple[int, ...], int]
"""A sum of weighted products: powers (p_1, ..., p_k) of the |N_i| to their coefficient."""

_STEP = 1 / 16  # the trapezoidal rule's error is about exp(-pi^2 / (2 step)) = 1e-34
# The panels reach from |s| = 1e-21 to 3000, enough for up to three factors and 12 powers.
_PANELS = np.concatenate(([-48.0, -32, -20, -12, -8], np.arange(-6, 8.5, 0.5)))
_GRID = _STEP * np.arange(-48 / _STEP, 8 / _STEP + 1)
_NODES = 16


class LogRule:
    """Composite Gauss-Legendre in y = log|s|, with panels split at the given kinks |s|.

    `x` are the nodes |s| and `weights` the weights of the integral over y.
    """

    def __init__(self, kinks: Sequence[float] = (), order: int = _NODES) -> None:
        base, base_weights = _base(order)
        inner = [y for y in map(_log, kinks) if _PANELS[0] < y < _PANELS[-1]]
        self._order = order
        self._split = sorted({int(i) for i in np.searchsorted(_PANELS, inner, side="right") - 1})
        self._keep = np.setdiff1d(np.arange(len(base)), self._split)
        nodes, weights, self._transfers = [base[self._keep].ravel()], [base_weights[self._keep]], []
        for i in self._split:
            edges = sorted({_PANELS[i], _PANELS[i + 1], *_inside(inner, i)})
            pieces = [_panel(a, b, order) for a, b in pairwise(edges)]
            nodes += [y for y, _ in pieces]
            weights += [w for _, w in pieces]
            centre, half = (_PANELS[i] + _PANELS[i + 1]) / 2, (_PANELS[i + 1] - _PANELS[i]) / 2
            targets = np.concatenate([y for y, _ in pieces])
            self._transfers.append(_interpolation(order, (targets - centre) / half))
        self.x = np.exp(np.concatenate(nodes))
        self.weights = np.concatenate([w.ravel() for w in weights])

    def density(self, powers: tuple[int, ...]) -> np.ndarray:
        """The density in y, at the nodes, of s weighted by prod |N_i|^p_i.

        Raises ValueError for no factor or a negative power.
        """
        if not powers or min(powers) < 0:
            raise ValueError(f"needs at least one factor and powers >= 0, got {powers}")
        base = _base_density(tuple(sorted(powers)), self._order)
        split = [t @ base[i] for i, t in zip(self._split, self._transfers, strict=True)]
        return np.concatenate([base[self._keep].ravel(), *split])

    def mean(self, h: Integrand, density: np.ndarray) -> float:
        """The integral of (h(x) + h(-x))/2 against a density at the nodes."""
        return float(self.weights @ (density * (h(self.x) + h(-self.x)))) / 2


def _log(kink: float) -> float:
    return math.log(abs(kink)) if kink else -math.inf


def _inside(inner: Sequence[float], panel: int) -> list[float]:
    return [y for y in inner if _PANELS[panel] < y < _PANELS[panel + 1]]


@cache
def _legendre(order: int) -> tuple[np.ndarray, np.ndarray]:
    return np.polynomial.legendre.leggauss(order)


def _panel(a: float, b: float, order: int) -> tuple[np.ndarray, np.ndarray]:
    nodes, weights = _legendre(order)
    return (a + b) / 2 + (b - a) / 2 * nodes, (b - a) / 2 * weights


@cache
def _base(order: int) -> tuple[np.ndarray, np.ndarray]:
    panels = [_panel(a, b, order) for a, b in pairwise(_PANELS)]
    return np.array([y for y, _ in panels]), np.array([w for _, w in panels])


def _interpolation(order: int, targets: np.ndarray) -> np.ndarray:
    """The matrix from values at Legendre nodes to values at targets in [-1, 1] (barycentric)."""
    nodes, weights = _legendre(order)
    barycentric = np.sqrt((1 - nodes**2) * weights) * (-1.0) ** np.arange(order)
    gaps = targets[:, None] - nodes[None, :]
    terms = barycentric / np.where(gaps == 0, 1e-300, gaps)
    return terms / terms.sum(axis=1, keepdims=True)


@cache
def _base_density(powers: tuple[int, ...], order: int) -> np.ndarray:
    y, _ = _base(order)
    return (_kernel(powers[-1], y.ravel()) @ _grid_density(powers[:-1])).reshape(y.shape)


def _kernel(power: int, y: np.ndarray) -> np.ndarray:
    """The step times the density of log|N|, weighted by |N|^power, at y minus the grid's points.

    That density is 2 phi(e^y) e^((power+1) y).
    """
    y = np.minimum(y[:, None] - _GRID[None, :], 5.0)  # beyond, it is 0 in floats
    return _STEP * math.sqrt(2 / math.pi) * np.exp((power + 1) * y - np.exp(2 * y) / 2)


@cache
def _grid_density(powers: tuple[int, ...]) -> np.ndarray:
    """The product's density on the grid, by repeated convolution; no factor: point mass at 0."""
    if not powers:
        return np.where(_GRID == 0, 1 / _STEP, 0.0)
    return _kernel(powers[-1], _GRID) @ _grid_density(powers[:-1])


def terms_density(rule: LogRule, terms: Terms) -> np.ndarray:
    """The density, at the rule's nodes, of s weighted by the sum of the terms."""
    parts = (weight * rule.density(powers) for powers, weight in terms.items())
    return sum(parts, start=np.zeros_like(rule.x))


def chi_square_moment(degrees: int, power: int) -> int:
    """E[X^power] for X chi-square: degrees (degrees + 2) ... (degrees + 2 power - 2)."""
    return math.prod(degrees + 2 * j for j in range(power))


def gaussian_terms(n: int, power: int) -> Terms:
    """The coefficients of |<a, z>|^i in the conditional mean of ||z||^(2 power), keyed (i,)."""
    return {
        (2 * j,): weight
        for j in range(power + 1)
        if (weight := comb(power, j, exact=True) * chi_square_moment(n - 1, power - j))
    }


def rank_one_terms(m: int, n: int, power: int) -> Terms:
    """The coefficients of tau^i p^j q^k (j <= k) in the conditional mean of ||Z||^(2 power)."""
    terms: Terms = {}
    for i in range(power + 1):
        for j in range(power + 1):
            weight = comb(power, i, exact=True) * comb(power, j, exact=True)
            weight *= chi_square_moment(m - 1, power - i) * chi_square_moment(n - 1, power - j)
            key = tuple(sorted((2 * power, 2 * i, 2 * j)))
            if weight:
                terms[key] = terms.get(key, 0) + weight
    return terms
