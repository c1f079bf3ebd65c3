from itertools import combinations

import numpy as np
import pytest
import sympy as sp

from zotheory.papers.shared.kept import (
    DROPPED,
    ETA,
    KEPT,
    LAYERS,
    D,
    best_factor,
    best_rate,
    change_square,
    factor,
    factor_square,
    largest_rate,
    probability,
    slope_square,
)
from zotheory.papers.shared.smoothing import L, N


def test_probability_counts_sets():
    for layers in range(1, 6):
        for dropped in range(layers):
            sets = list(combinations(range(layers), dropped))
            share = sum(0 not in s for s in sets) / len(sets)
            assert float(probability().value.subs({LAYERS: layers, DROPPED: dropped})) == share


def test_best_factor():
    assert sp.simplify(best_factor().value - (1 - N / (D * (N + 2)))) == 0
    at_best = factor().value.subs(ETA, 1 / (L * (N + 2)))
    assert sp.simplify(at_best - best_factor().value) == 0


def test_factor_and_its_square_against_simulation():
    rng, d, n, eta, scale = np.random.default_rng(0), 5, 2, 0.2, 1.0
    theta = np.array([1.0, -2.0, 0.5, 1.5, 1.0])
    first, second, kept = [], [], []
    for _ in range(60_000):
        chosen = rng.choice(d, n, replace=False)
        z, part = rng.standard_normal(n), theta[chosen]
        moved = theta.copy()
        moved[chosen] -= eta * scale * (part @ z) * z
        first.append(moved @ moved / (theta @ theta))
        kept.append(part @ part / (theta @ theta))
    expected = float(factor().value.subs({D: d, N: n, ETA: eta, L: scale}))
    first = np.array(first)
    assert first.mean() == pytest.approx(expected, abs=5 * first.std() / 245)
    second = [float(factor_square().subs({N: n, ETA: eta, KEPT: k})) for k in set(kept)]
    weights = [kept.count(k) / len(kept) for k in set(kept)]
    square = first**2
    assert square.mean() == pytest.approx(np.dot(second, weights), abs=6 * square.std() / 245)


def test_rates():
    assert best_rate().value == 1 / (L * (N + 2))
    assert sp.simplify(factor().value.subs(ETA, largest_rate().value)) == 1
    just_below = {ETA: sp.Rational(99, 100) * largest_rate().value}
    assert factor().value.subs(just_below).subs({D: 5, N: 2, L: 3}) < 1


def test_second_moments_of_a_step_against_simulation():
    rng, n, eta = np.random.default_rng(1), 3, 0.15
    part, whole = np.array([1.0, -0.5, 2.0]), 7.0
    z = rng.standard_normal((200_000, n))
    s = z @ part
    norm = np.einsum("ij,ij->i", z, z)
    at = {N: n, ETA: eta, KEPT: part @ part / whole}
    change = (-2 * eta * s**2 + eta**2 * s**2 * norm) / whole
    slope = (s**2 - eta * s**2 * norm) / whole
    assert np.mean(change**2) == pytest.approx(float(change_square().subs(at)), rel=0.05)
    assert np.mean(slope**2) == pytest.approx(float(slope_square().subs(at)), rel=0.05)
