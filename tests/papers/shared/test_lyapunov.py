import pytest
import sympy as sp

from proofs_check.moments import norm_power_moment
from zotheory.papers.shared.kept import enclose

N = sp.Symbol("n", integer=True, positive=True)


@pytest.mark.parametrize("p", [1, 3, 5])
@pytest.mark.parametrize("n", [1, 2, 7, 40])
def test_the_moment_lies_between(p, n):
    found = enclose(p, N)
    exact = float(norm_power_moment(p, n)) ** 2
    assert found.lower.subs(N, n) < exact < found.upper.subs(N, n)
    assert found.upper.subs(N, n) < found.lower.subs(N, n) * (1 + 3 * p / n)


def test_the_third_moment():
    assert enclose(3, N).upper == N**2 * (N + 2)
    assert sp.cancel(enclose(3, N).lower - N**2 * (N + 2) ** 2 / (N + 4)) == 0


@pytest.mark.parametrize("p", [0, 2, -1])
def test_even_and_negative_orders_are_refused(p):
    with pytest.raises(ValueError, match="odd"):
        enclose(p, N)
