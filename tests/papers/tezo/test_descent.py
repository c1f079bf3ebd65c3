"""Algorithm 1 on a quadratic: contraction, floor, and what redrawing the factors changes."""

import numpy as np
import pytest
import sympy as sp

from proofs_check import matrices
from proofs_check.matrices import G_NORM2, M, N, R
from zotheory.papers.tezo import descent
from zotheory.papers.tezo.descent import ETA

DELTA = 1 + M * N + 2 * M * N / R + 6 * (M + N) / R + 10 / R


def test_delta_out_of_the_engine():
    assert sp.simplify(descent.delta() - DELTA) == 0


def test_the_contraction_factor():
    q = 1 - 2 * ETA + ETA**2 * (DELTA + 1)
    found = descent.contraction_factor()
    assert sp.simplify(found.value - q) == 0
    assert len(found.steps) == 3


@pytest.mark.parametrize(("m", "n", "r", "eta"), [(2, 3, 2, 0.01), (1, 1, 1, 0.02)])
def test_one_step_against_simulation(m, n, r, eta):
    """E||G_1||^2 and E||G_1||^4 from G_0 = e_1 e_1^T; four Gaussians to the eighth are heavy."""
    size, rng = 400_000, np.random.default_rng(0)
    tau, u, v = (rng.standard_normal((size, r, d)) for d in (1, m, n))
    z = (tau * u).transpose(0, 2, 1) @ v
    after = -eta / r * z[:, :1, :1] * z
    after[:, 0, 0] += 1
    norm2 = (after**2).sum(axis=(1, 2))
    at = {M: m, N: n, R: r, ETA: eta}
    q = float(descent.contraction_factor().value.subs(at))
    assert abs(norm2.mean() - q) < 5 * norm2.std() / size**0.5
    fourth = float(matrices.at(descent.fourth_factor().subs(ETA, eta), m, n, r))
    assert abs((norm2**2).mean() - fourth) < 6 * (norm2**2).std() / size**0.5


def test_the_fourth_moment_of_a_step_at_size_one():
    """G <- G (1 - eta z^2) with z = tau u v, E z^(2k) = ((2k-1)!!)^3."""
    e = [1, 1, 27, 15**3, 105**3]
    expected = sum(sp.binomial(4, k) * (-ETA) ** k * e[k] for k in range(5))
    found = descent.fourth_factor().subs({M: 1, N: 1, R: 1})
    word = next(iter(found.free_symbols - {ETA, G_NORM2}), None)
    found = found.subs({G_NORM2: 1} | ({word: 1} if word is not None else {}))
    assert sp.expand(found - expected) == 0


def test_redrawn_factors_drive_the_gradient_to_zero():
    found = descent.redrawn_limit()
    assert found.value == 0
    assert any("q < 1" in step for step in found.steps)


def test_the_floor_of_frozen_factors():
    found = descent.frozen_floor()
    assert sp.simplify(found.value - (1 - R / (M * N)) * G_NORM2) == 0
    assert found.steps


@pytest.mark.parametrize(("m", "n", "r"), [(2, 2, 1), (2, 2, 3), (3, 2, 4), (2, 2, 4)])
def test_the_floor_against_projections(m, n, r):
    """The mean squared distance of e_1 e_1^T to the span of r random u v^T."""
    rng, size = np.random.default_rng(0), 4_000
    u, v = rng.standard_normal((size, r, m)), rng.standard_normal((size, r, n))
    directions = np.einsum("bsi,bsj->bsij", u, v).reshape(size, r, m * n)
    basis = np.linalg.svd(directions, full_matrices=False)[2]
    left = 1 - (basis[:, :, 0] ** 2).sum(axis=1)
    expected = float(descent.frozen_floor().value.subs({M: m, N: n, R: r, G_NORM2: 1}))
    assert abs(left.mean() - expected) < 5 * left.std() / size**0.5 + 1e-12


def test_the_span_has_dimension_r():
    assert descent.span_dimension() == R


def test_frozen_factors_are_correlated_with_the_iterate():
    """After one step E<G, estimate> and E||G||^2 differ at first order in eta: a != b."""
    a, b = descent.averaged_defect()
    assert sp.simplify(b + 2 * G_NORM2) == 0
    assert sp.simplify(a - b) != 0
    # m = n = r = 1: h = u v g, C = u^2 v^2, a = -2 E u^4 v^4 = -18
    assert a.subs({M: 1, N: 1, R: 1, G_NORM2: 1}) == -18


@pytest.mark.parametrize(("m", "n", "r"), [(2, 3, 2), (2, 2, 1)])
def test_the_mean_square_is_bounded(m, n, r):
    eta = 1 / (4 * (DELTA.subs({M: m, N: n, R: r}) + 1))
    one, many = (descent.mean_square_bound(m, n, r, eta, horizon) for horizon in (1, 50))
    assert one == pytest.approx(1)
    assert 0 < many < 1
