"""Theorem 2 at a fixed rho with the step size tied to T."""

from types import SimpleNamespace

import numpy as np
import pytest

from zotheory.montecarlo import Accumulator
from zotheory.papers import claim
from zotheory.papers.tezo import theorem2_limit as it
from zotheory.papers.tezo.descent import HORIZON
from zotheory.papers.tezo.theorem2_redrawn import SLOPE, HingeDescent
from zotheory.search import search
from zotheory.statistics import decide_at_most
from zotheory.vocabulary import Verdict

QUIET = SimpleNamespace(claim="tezo.thm2.fixed_rho_limit", tell=lambda _: None)


def test_the_step_size_is_the_theorems_at_this_loss():
    k = float(SLOPE)
    assert float(it.AT_HINGE.subs(HORIZON, 100)) == pytest.approx(
        (k**2 / 2 / (100 * (15 * 4**6 + 36 + 1) / 4)) ** 0.5
    )


def test_the_limit_is_the_squared_slope_at_the_start():
    assert float(it.floor_limit().value) == pytest.approx(float(SLOPE) ** 2)


def test_a_floor_is_found_and_what_the_descent_gives_is_proved():
    stated = claim("tezo.thm2.fixed_rho_limit")
    assert it._judge(stated.statement, QUIET).verdict is Verdict.REFUTED
    assert it._judge(stated.correction, QUIET).verdict is Verdict.PROVED
    assert search(it._problem(stated.statement), 0, 120).found
    assert not search(it._problem(stated.correction), 0, 120).found


def test_the_sampler_is_the_other_one_where_slopes_stay_small():
    """Same steps of the same loss: the one is linear beyond slopes of -40, which none reaches."""
    one = it.CappedDescent(1e-5, 2000)(np.random.default_rng(0), 16)
    other = HingeDescent(1e-5, 2000)(np.random.default_rng(0), 16)[:, 0]
    np.testing.assert_allclose(one, other, rtol=1e-3)


@pytest.mark.parametrize(
    ("bound", "verdict"), [(0.0, "refuted"), (0.9, "inconclusive"), (2.0, "confirmed")]
)
def test_what_is_measured_says_both(bound, verdict):
    shard, method = Accumulator.of(np.full(4000, 0.97)), it.LimitOfCapped(0.15)
    assert decide_at_most([shard], alpha=1e-4, bound=bound, method=method).verdict == verdict
