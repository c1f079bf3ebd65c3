"""Samplers of Algorithm 1 against plain gradient steps on f = ||W - W*||^2 / 2."""

import numpy as np
import pytest

from proofs_check.cards import card
from proofs_check.matrices import M, N, R
from zotheory.papers.tezo import descent
from zotheory.papers.tezo.descent import (
    ConditionalDescent,
    FrozenDescent,
    RedrawnDescent,
    ResampledDescent,
    frozen_projections,
)


def rng(seed=0):
    return np.random.default_rng(seed)


def frozen_run(draw, m, n, r, steps):
    """Algorithm 1 with dense matrices: factors once, tau every step; ||G_T||^2 and the floor."""
    u, v = draw.standard_normal((r, m)), draw.standard_normal((r, n))
    directions = np.array([np.outer(a, b).ravel() for a, b in zip(u, v, strict=True)])
    gram = directions @ directions.T
    eta = r / (np.trace(gram) + 2 * np.linalg.eigvalsh(gram)[-1])
    gradient = np.eye(1, m * n)[0]
    basis = np.linalg.svd(directions, full_matrices=False)[2]
    floor = 1 - np.sum((basis @ gradient) ** 2)
    for _ in range(steps):
        z = draw.standard_normal(r) @ directions
        gradient = gradient - eta / r * (gradient @ z) * z
    return gradient @ gradient, floor


@pytest.mark.parametrize(("m", "n", "r", "steps"), [(2, 2, 1, 5), (2, 3, 2, 20), (3, 2, 3, 1)])
def test_the_frozen_descent_follows_its_definition(m, n, r, steps):
    found = FrozenDescent(m, n, r, steps)(rng(), 50_000)
    assert found.shape == (50_000,)
    assert ((found >= 0) & (found <= 1)).all()
    draw = rng(1)
    defined = np.array([min(frozen_run(draw, m, n, r, steps)[0], 1) for _ in range(5_000)])
    assert abs(found.mean() - defined.mean()) < 5 * defined.std() / 5_000**0.5


def test_the_frozen_descent_never_falls_below_its_floor():
    draw = rng(2)
    runs = [frozen_run(draw, 2, 3, 2, 60) for _ in range(200)]
    assert all(left >= floor - 1e-12 for left, floor in runs)
    floors = np.array([floor for _, floor in runs])
    share = float(descent.frozen_floor().value.subs({M: 2, N: 3, R: 2, descent.G_NORM2: 1}))
    assert abs(floors.mean() - share) < 5 * floors.std() / 200**0.5


def test_the_frozen_descent_reaches_its_floor():
    """On average over factors (1 - r/(mn)), up to the runs whose step size is still too small."""
    found = FrozenDescent(2, 2, 1, steps=300)(rng(), 4_000)
    assert found.mean() == pytest.approx(0.75, abs=5 * found.std() / 4_000**0.5 + 0.01)


def test_the_whole_space_leaves_no_floor():
    """r = mn factors span everything: the gradient does vanish. The sampler can say both."""
    assert FrozenDescent(1, 1, 1, steps=300)(rng(), 2_000).mean() < 1e-6


@pytest.mark.parametrize(("m", "n", "r"), [(2, 3, 2), (1, 1, 1)])
def test_the_resampled_descent_contracts_as_derived(m, n, r):
    delta = float(descent.delta().subs({M: m, N: n, R: r}))
    eta, horizons, size = 1 / (4 * (delta + 1)), (1, 2, 8), 100_000
    q = float(descent.contraction_factor().value.subs({M: m, N: n, R: r, descent.ETA: eta}))
    found = ResampledDescent(m, n, r, eta, horizons)(rng(), size)
    assert found.shape == (size, 3)
    assert (found[:, 0] == 1).all()
    for column, horizon in zip(found.T[1:], horizons[1:], strict=True):
        expected = sum(q**t for t in range(horizon)) / horizon
        assert abs(column.mean() - expected) < 5 * column.std() / size**0.5
        bound = descent.mean_square_bound(m, n, r, eta, horizon)
        assert (column**2).mean() <= bound + 5 * (column**2).std() / size**0.5


def test_the_conditional_mean_for_frozen_factors():
    """(1/r) sum_s h_s^2, and the second moment 3 ||h||^4 / r^2 that its interval rests on."""
    h, size = (0.5, -1.0, 0.25), 200_000
    found = ConditionalDescent(3, h)(rng(), size)
    expected = np.dot(h, h) / 3
    assert abs(found.mean() - expected) < 5 * found.std() / size**0.5
    assert (found**2).mean() == pytest.approx(3 * expected**2, rel=0.05)


@pytest.mark.parametrize("r", [1, 2, 5])
def test_the_conditional_mean_for_redrawn_factors(r):
    size = 200_000
    found = ConditionalDescent(r, None)(rng(), size)
    assert abs(found.mean() - 1) < 5 * found.std() / size**0.5


def test_projections_belong_to_a_unit_gradient():
    """At the start G = e_1 e_1^T, so h_s = u_s1 v_s1; later the floor's part of G remains."""
    h = frozen_projections(rng(3), 3, 4, 2, steps=0)
    draw = rng(3)
    u, v = draw.standard_normal((1, 2, 3)), draw.standard_normal((1, 2, 4))
    assert h == pytest.approx(tuple(u[0, :, 0] * v[0, :, 0]))
    later = frozen_projections(rng(3), 3, 4, 2, steps=200)
    assert np.abs(later).max() < 0.2 * np.abs(h).max()


def test_the_average_is_that_of_the_steps():
    steps = RedrawnDescent(2, 3, 2, 0.05, (0, 1, 2))(rng(), 50)
    averages = ResampledDescent(2, 3, 2, 0.05, (1, 3))(rng(), 50)
    np.testing.assert_allclose(averages, [[row[0], row.mean()] for row in steps])


@pytest.mark.parametrize("r", [3, None])
def test_a_step_falls_by_the_exact_factor(r):
    """E||G_1||^2 / ||G_0||^2 = 1 - 2 eta + eta^2 (1 + v), v the relative variance."""
    m, n, eta = 2, 3, 0.05
    inner = card("gaussian", m=m, n=n) if r is None else card("cp", m=m, n=n, r=r)
    found = RedrawnDescent(m, n, r, eta, (1,))(rng(), 100_000)[:, 0]
    exact = 1 - 2 * eta + eta**2 * (1 + float(inner.relative_variance))
    assert found.mean() == pytest.approx(exact, abs=5 * found.std() / len(found) ** 0.5)
