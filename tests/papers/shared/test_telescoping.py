import pytest
import sympy as sp
from scipy.optimize import linprog

from zotheory.papers.shared.telescoping import FALL, HORIZON, JUMP, LEAST, NOISE, START, largest


def by_linear_programming(
    functional, horizon, jump=0.0, fall=3.0, noise=0.5, start=2.0, least=-1.0
):
    """The same maximum over f_1, ..., f_(T+1) and S_0, ..., S_T, by a solver."""
    steps = horizon + 1
    weights = [0.0] * horizon + [1.0] if functional == "last" else [1 / steps] * steps
    rows, limits = [], []
    for t in range(steps):
        row = [0.0] * (2 * steps)
        row[t] = 1.0  # f_(t+1)
        if t:
            row[t - 1] = -1.0
        row[steps + t] = 1 / fall
        rows.append(row)
        limits.append(noise + (0 if t else start) + (jump if t < horizon else 0))
    bounds = [(least, None)] * steps + [(0, None)] * steps
    found = linprog([0.0] * steps + [-w for w in weights], rows, limits, bounds=bounds)
    return -found.fun


@pytest.mark.sampled
@pytest.mark.parametrize("functional", ["last", "average"])
@pytest.mark.parametrize("horizon", [0, 1, 4])
@pytest.mark.parametrize("jump", [0, sp.Rational(1, 4)])
def test_largest_is_the_optimum_of_the_linear_programme(functional, horizon, jump):
    at = {FALL: 3, NOISE: sp.Rational(1, 2), START: 2, LEAST: -1, HORIZON: horizon, JUMP: jump}
    value = float(largest(functional, JUMP if jump else sp.S.Zero).value.subs(at))
    assert value == pytest.approx(by_linear_programming(functional, horizon, float(jump)))


def test_the_last_iterate_is_bounded_by_the_whole_sum_only():
    ratio = sp.cancel(largest("last").value / largest("average").value)
    assert ratio == HORIZON + 1


def test_other_functionals_are_refused():
    with pytest.raises(ValueError, match="functional"):
        largest("first")
