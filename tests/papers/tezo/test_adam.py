"""TeZO-Adam's step: the first update by its definition, and what its lines hold."""

import numpy as np
import pytest

from zotheory.papers.tezo import adam


def first_updates(r, size, seed=0):
    """One entry of G_1 for fixed u and v: sum tau w / sqrt(sum tau^2 w^2)."""
    rng = np.random.default_rng(seed)
    w, tau = rng.standard_normal(r), rng.standard_normal((size, r))
    return (tau * w).sum(axis=1) / np.sqrt((tau**2 * w**2).sum(axis=1))


@pytest.mark.parametrize("r", [1, 2, 7])
def test_the_first_update_has_mean_square_1_and_at_most_r(r):
    g2 = first_updates(r, 400_000) ** 2
    assert abs(g2.mean() - 1) <= 5 * g2.std() / len(g2) ** 0.5
    assert g2.max() <= r * (1 + 1e-12)
    if r == 1:
        np.testing.assert_allclose(g2, 1)


@pytest.mark.parametrize(("betas", "square"), [((0.9, 0.99), 1), ((0.9, 0.999), 10), ((0, 0), 1)])
def test_the_recipe_makes_that_update(betas, square):
    found = adam.FirstUpdate(8, 9, 1, betas)(np.random.default_rng(0), 5)
    np.testing.assert_allclose(found, square, rtol=1e-6)  # at r = 1 every entry is +-c


def test_the_state_counts_what_is_kept():
    m, n, r = 7, 5, 2
    assert adam.kept("tezo", m, n, r, 0) == (m + n) * r
    assert adam.kept("tezo_adam", m, n, r, 0) == (m + n) * r + 2 * r


@pytest.mark.parametrize("in_place", [False, True])
def test_the_lines_hold_what_a_reader_counts(in_place):
    m, n, r = 30, 20, 3
    factors = (m + n) * r
    tezo, other = (adam.peak(k, m, n, r, in_place) for k in (adam.tezo_lines, adam.adam_lines))
    if in_place:  # W, G and, while G is formed, tau; W, M_t, V_t, tau_M, tau_V
        assert tezo == factors + 2 * m * n + r
        assert other == factors + 3 * m * n + 2 * r
    else:  # W, G, the new W; W, M_t, V_t, G_t, tau_M, tau_V
        assert tezo == factors + 3 * m * n
        assert other == factors + 4 * m * n + 2 * r


def test_both_updates_are_those_that_are_printed():
    import torch

    rng = np.random.default_rng(0)
    m, n, r = 4, 3, 2
    shapes = ((m, n), (r, m), (r, n), (r,), (r,))
    start = [rng.uniform(0.5, 1, shape) for shape in shapes]
    for in_place in (False, True):
        torch.manual_seed(0)
        tau = torch.randn(r, dtype=torch.float64).numpy()
        W, u, v, tau_M, tau_V = (x.copy() for x in start)
        tau_M, tau_V = 0.9 * tau_M + 0.1 * tau, 0.99 * tau_V + 0.01 * tau**2
        M, V = (u.T * tau_M) @ v, ((u**2).T * tau_V) @ v**2
        held = adam.Factors(*(torch.from_numpy(x.copy()) for x in start))
        torch.manual_seed(0)
        adam.adam_lines(held, in_place)
        np.testing.assert_allclose(held.W, W - 1e-6 * M / np.sqrt(V + 1e-5), rtol=1e-12)
        held = adam.Factors(*(torch.from_numpy(x.copy()) for x in start))
        torch.manual_seed(0)
        adam.tezo_lines(held, in_place)
        np.testing.assert_allclose(held.W, W - 1e-6 * (u.T * tau) @ v, rtol=1e-12)
