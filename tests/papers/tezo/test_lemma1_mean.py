"""The bias of the two-point estimate: its enclosure, and what the recipe that trains shows."""

import numpy as np
import pytest
import sympy as sp

from proofs_check.matrices import M, N, R
from zotheory.papers import claim
from zotheory.papers.tezo import lemma1_mean as it
from zotheory.papers.tezo.lemma1 import LAM, RHO


def entries(r, size, seed=0):
    tau, u, v = np.random.default_rng(seed).standard_normal((3, size, r))
    return (tau * u * v).sum(axis=1)


@pytest.mark.parametrize("r", [1, 3])
def test_the_bias_of_the_loss_lies_between_the_bounds(r):
    """At m = n = 1, f = w |w|/2, w = 0: the bias is E|z|^3/(2 r)."""
    z = np.abs(entries(r, 2_000_000)) ** 3 / (2 * r)
    found = it._bias(None)[it.BIAS]
    low, high = (
        float(bound.subs({M: 1, N: 1, R: r, RHO: 1, LAM: 1}))
        for bound in (found.lower, found.upper)
    )
    assert low < z.mean() ** 2 < high
    if r == 1:  # E|z|^3 is that of three independent normals
        assert z.mean() == pytest.approx((2 * (2 / np.pi) ** 0.5) ** 3 / 2, rel=0.05)


def test_the_lower_bound_is_the_printed_one():
    assert sp.simplify(it._bias(None)[it.BIAS].lower - RHO**2 * LAM**2 * R / 4) == 0


@pytest.mark.parametrize("r", [1, 2, 40])
def test_the_sixth_moment_is_that_of_a_sum_of_products(r):
    """By the moments of partial sums, one term after the other."""
    moments = {0: 1, 2: 0, 4: 0, 6: 0}
    one = {0: 1, 2: 1, 4: 27, 6: 3375}
    for _ in range(r):
        moments = {
            k: sum(int(sp.binomial(k, j)) * one[j] * moments[k - j] for j in range(0, k + 1, 2))
            for k in moments
        }
    assert it.entry6(r) == moments[6]


def test_the_recipe_has_the_law_of_the_definition():
    r, rho = 4, 0.5
    found = it.KinkEstimate(5, 6, r, rho)(np.random.default_rng(0), 1500)
    assert found.min() >= 0
    roots = np.cbrt(found * 2 * r / rho)  # |Z_11|
    known = np.sort(np.abs(entries(r, 200_000)))
    for share in (0.25, 0.5, 0.75):
        below = np.mean(roots <= np.quantile(known, share))
        assert abs(below - share) < 4 * (share * (1 - share) / len(roots)) ** 0.5


def test_the_claim_stays_in_the_domain_of_all_losses():
    assert claim("tezo.lemma1.unbiased").statement.domain == it.SIZES
