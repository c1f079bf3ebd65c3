import pytest
import sympy as sp

from proofs_check.results import Proved, Undecided, Violated
from proofs_check.steps import follows

a = sp.Symbol("a", positive=True)
x, y, b, c, phi0, phi1 = sp.symbols("x y b c phi0 phi1", real=True)
q = sp.Symbol("q", integer=True, positive=True)
eta, L = sp.symbols("eta L", positive=True)
X, X_eps, eps = sp.symbols("X X_eps eps", nonnegative=True)

DESCENT = [phi1 <= phi0 - a * x + b, x >= y / 2 - c]


def test_linear_step_with_a_symbolic_coefficient():
    assert isinstance(follows(DESCENT, phi1 - phi0 <= -a * y / 2 + a * c + b), Proved)


def test_dropped_term_is_found():
    result = follows(DESCENT, phi1 - phi0 <= -a * y / 2 + b)
    assert isinstance(result, Violated)
    assert all(premise.subs(result.point) == sp.true for premise in DESCENT)


def test_premise_that_is_not_enough():
    assert isinstance(follows(DESCENT[:1], phi1 - phi0 <= -a * y / 2 + a * c + b), Violated)


SMOOTHED = [
    phi1 <= phi0 - eta / 2 * X_eps + 3 * eps**2 * (q + 4) / 32 * L,
    2 * X_eps + eps**2 / 2 * L**2 * (q + 6) ** 3 >= X,
]


def smoothed_conclusion(factor):
    error = factor * eps**2 * (q + 6) ** 3 / 8 * L**2 + 3 * eps**2 * (q + 4) / 32 * L
    return phi1 - phi0 <= -eta / 4 * X + error


def test_nonlinear_step_depends_on_the_step_size():
    assert isinstance(follows(SMOOTHED, smoothed_conclusion(eta)), Proved)
    assert isinstance(follows(SMOOTHED, smoothed_conclusion(1)), Violated)
    assert isinstance(follows(SMOOTHED, smoothed_conclusion(1), [eta <= 1]), Proved)


def test_equations():
    assert isinstance(follows([sp.Eq(x, 2 * y), sp.Eq(y, 3)], sp.Eq(x, 6)), Proved)
    assert isinstance(follows([sp.Eq(x, 2 * y)], sp.Eq(x, y)), Violated)


def test_strict_conclusions():
    assert isinstance(follows([x > y], x > y - 1), Proved)
    assert isinstance(follows([x >= y], x > y), Violated)


def test_contradictory_premises_prove_nothing():
    assert isinstance(follows([x >= y + 1, x <= y], x >= 100), Undecided)


def test_evaluated_conclusion_is_refused():
    with pytest.raises(ValueError, match="evaluate=False"):
        follows([x >= y], a > 0)
