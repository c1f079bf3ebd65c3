import mpmath
import numpy as np
import pytest
import sympy as sp

from proofs_check.moments import norm_power_moment
from proofs_check.results import Proved, Undecided, Violated
from zotheory.papers.svd0.smoothing import decide_power

N = sp.Symbol("n", integer=True, positive=True)
T = sp.Symbol("t", nonnegative=True)
MOMENT = norm_power_moment(T, N)


@pytest.mark.parametrize(
    ("lesser", "greater", "interval", "route"),
    [
        (N ** (T / 2), MOMENT, (2, sp.oo), "slope"),
        (MOMENT, (N + T) ** (T / 2), (2, sp.oo), "slope"),
        (MOMENT, (N + T / 2) ** (T / 2), (0, sp.oo), "slope"),
        (MOMENT, N ** (T / 2), (0, 2), "concavity"),
    ],
)
def test_proved_and_true_at_many_points(lesser, greater, interval, route):
    found = decide_power(lesser, greater, T, interval, N)
    assert isinstance(found, Proved)
    assert found.route == route
    low, high = interval
    for t in np.linspace(low, min(high, 60), 25):
        for n in (1, 2, 3, 17):
            at = {T: sp.Float(t), N: n}
            left, right = (mpmath.mpf(str(sp.N(x.subs(at), 20))) for x in (lesser, greater))
            assert left <= right * (1 + mpmath.mpf(10) ** -15)


@pytest.mark.parametrize(
    ("lesser", "greater", "interval"),
    [
        (MOMENT, (N + T / 4) ** (T / 2), (2, sp.oo)),
        ((N + 1) ** (T / 2), MOMENT, (2, sp.oo)),
        (MOMENT, N ** (T / 2), (0, 4)),
    ],
)
def test_violated_at_the_point_reported(lesser, greater, interval):
    found = decide_power(lesser, greater, T, interval, N)
    assert isinstance(found, Violated)
    assert found.lhs > found.rhs
    assert sp.gammasimp(lesser.subs(found.point)) == found.lhs
    assert sp.gammasimp(greater.subs(found.point)) == found.rhs


@pytest.mark.parametrize(
    ("lesser", "greater", "interval"),
    [
        (MOMENT, N ** (T / 2), (0, 3)),  # false, between even exponents
        (N ** (T / 2), MOMENT, (0, 2)),  # false inside, equal at both ends
        (N ** (T / 2), MOMENT, (1, sp.oo)),  # false at the irrational left end
    ],
)
def test_nothing_false_is_proved(lesser, greater, interval):
    assert isinstance(decide_power(lesser, greater, T, interval, N), Undecided)


def test_the_facts_about_psi():
    for x in (1e-3, 0.1, 0.5, 1.0, 3.0, 1e3):
        psi, log = mpmath.digamma(x), mpmath.log(x)
        assert log - 1 / mpmath.mpf(x) < psi < log
        assert mpmath.polygamma(1, x) > 0
