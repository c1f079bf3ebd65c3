import pytest
import sympy as sp

from proofs_check import identities
from proofs_check.identities import identity
from proofs_check.results import Proved, RoutesDisagree, Undecided, Violated

a, b = sp.symbols("a b", positive=True)
n = sp.Symbol("n", integer=True, positive=True)


def test_true_identities_by_both_routes():
    for lhs, rhs in [
        ((a + b) ** 3, a**3 + b**3 + 3 * a * b * (a + b)),
        (1 / a - 1 / b, (b - a) / (a * b)),
        (1 / (a - b), (a + b) / (a**2 - b**2)),
        (2, sp.Integer(2)),
    ]:
        result = identity(lhs, rhs)
        assert isinstance(result, Proved)
        assert result.route == "expansion + evaluation"


def test_false_identities_come_with_a_point():
    result = identity(n * (n + 2), n * (2 * n - 1), [n >= 3])
    assert isinstance(result, Violated)
    assert result.point[n] > 3  # they agree at n = 3
    assert result.lhs == result.point[n] * (result.point[n] + 2)
    assert isinstance(identity(n, 3, [n >= 3, n <= 3]), Undecided)


def test_other_functions():
    assert identity(sp.gamma(a + 1), a * sp.gamma(a)).route == "simplification"
    assert identity(sp.gamma(a + 1), sp.gamma(a)).point == {a: sp.Rational(1, 2)}
    assert isinstance(identity(sp.gamma(a + 1), sp.gamma(a), [a >= 1, a <= 1]), Undecided)


def test_disagreement_raises(monkeypatch):
    monkeypatch.setattr(identities, "_zero_on_grid", lambda *_: (False, 1))
    with pytest.raises(RoutesDisagree):
        identity(a, a)
