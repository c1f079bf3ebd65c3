import numpy as np
import pytest

from zotheory.papers.own import eq23_blocks
from zotheory.papers.svd0.convergence import D, F
from zotheory.papers.svd0.convergence import Q as SIZE


def simulated(m: int, n: int, r: int, block: int, steps: int, runs: int) -> float:
    """sum over k < steps of the mean of ||x_k||^2/||x_0||^2, steps as the theorem's proof has."""
    rng, q = np.random.default_rng(0), r * r
    x = np.zeros((runs, m, n))
    x[:, 0, 0] = 1.0
    eta, sums = 1 / (4 * (q + 4)), 0.0
    for step in range(steps):
        if step % block == 0:
            u, v = (np.linalg.qr(rng.standard_normal((runs, d, r)))[0] for d in (m, n))
        sums += np.square(x).sum(axis=(1, 2)).mean()
        z = u @ rng.standard_normal((runs, r, r)) @ v.swapaxes(1, 2)
        x = x - eta * np.einsum("bij,bij->b", x, z)[:, None, None] * z
    return sums


def test_the_sum_is_that_of_runs():
    rho = eq23_blocks.contraction_factor().value
    expected = float(eq23_blocks.total(rho).subs({SIZE: 4, D: 6, F: 3}))
    assert simulated(2, 3, 2, 3, 240, 4000) == pytest.approx(expected, rel=0.03)


def test_eq23_says_so_much_of_it():
    assert float(eq23_blocks.claimed().subs({SIZE: 4, D: 6})) == 8 * 8 * 6 / 4


@pytest.mark.parametrize(("factor", "holds"), [(7.7, True), (7.9, False)])
@pytest.mark.parametrize("r", [1, 2, 5, 40])
def test_short_blocks_hold_and_long_ones_do_not(factor, holds, r):
    q = r * r
    block = int(factor * (q + 4)) + (not holds)
    rho = float(eq23_blocks.contraction_factor().value.subs(SIZE, q))
    for d in (100 * q, 10**9) if not holds else (q, 2 * q, 10**9):
        share = q / d
        found = (1 - share) * block + share * (1 - rho**block) / (1 - rho)
        found /= share * (1 - rho**block)
        assert (found <= 8 * (q + 4) * d / q) == holds
