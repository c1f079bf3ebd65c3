"""Theorem 2's step size and rate, and Remark 2, by hand and by numbers."""

import numpy as np
import pytest
import sympy as sp

from proofs_check.matrices import M, N, R
from zotheory.papers.tezo import theorem2_rate as it
from zotheory.papers.tezo.descent import ETA, HORIZON
from zotheory.papers.tezo.lemma1 import LAM, SIGMA
from zotheory.papers.tezo.theorem2_redrawn import D0


def test_the_last_display_with_the_chosen_step_put_in():
    """The derived sides are those of the paper at random numbers, eta computed from D_0."""
    derived, rng = it._rate(None), np.random.default_rng(0)
    for _ in range(5):
        m, n, r, horizon = (int(x) for x in rng.integers(1, 9, 4))
        rho, sigma, lam, d0 = rng.uniform(0.1, 2, 4)
        delta = 1 + m * n + (2 * m * n + 6 * (m + n) + 10) / r
        d_rho = 15 * r**2 * ((m + 3) * (n + 3)) ** 3 + (36 * r**3 + r**4) * (m * n) ** 3
        smooth = rho**2 * lam**2 * d_rho / 4
        eta = (d0 / (lam * horizon * (smooth + delta * sigma**2))) ** 0.5
        left = 2 * d0 / (eta * horizon) + eta * lam * (smooth + (delta + 1) * sigma**2)
        root = (lam * d0 * (smooth + delta * sigma**2) / horizon) ** 0.5
        at = {M: m, N: n, R: r, HORIZON: horizon, LAM: lam, ETA: eta, it.RHO: rho, SIGMA: sigma}
        assert float(derived[it.LEFT].value.subs(at)) == pytest.approx(left)
        assert float(derived[it.ROOT].value.subs(at)) == pytest.approx(root)
        assert left <= 4 * root


def test_the_chosen_step_is_the_papers():
    value = it._chosen(None)[it.ETA2].value.subs(it.CHOSEN_FOR, it.NOISE)
    at = {M: 2, N: 3, R: 1, HORIZON: 7, LAM: 2, D0: 5, it.RHO: 0, SIGMA: 1}
    delta = 1 + 6 + 12 + 30 + 10
    assert value.subs(at) == sp.Rational(5, 2 * 7 * delta)


@pytest.mark.parametrize(("order", "limit"), [("product", 0), ("sum", sp.Rational(3, 2))])
def test_the_order_of_what_is_drawn(order, limit):
    x, t = it.ROOT_D, HORIZON
    said = it.Statement("", None, setting={"order": x * t if order == "product" else x + t})
    found = it._ratio(said)
    assert sp.simplify(found[it.LIMIT].value - limit * R) == 0
    drawn = found[it.PRINTED].value.subs({x: 10, t: 7, R: 2})
    assert drawn == sp.Rational((10 + 10 + 7) * 2, 70)
