"""The search check: a counterexample refutes, none found confirms with how near it came."""

import pytest
import sympy as sp

from zotheory.budget import BUDGETS
from zotheory.context import Context
from zotheory.evidence.searched import searched
from zotheory.montecarlo import MonteCarlo
from zotheory.search import Parameter, Problem, Sides
from zotheory.vocabulary import Kind, Statement, Verdict

X, TOP = sp.symbols("x top")


def problem(statement):
    """4 x (1 - x) <= top for x in [0, 1], whose largest value is 1."""
    top = float(statement.bound)

    def sides(point, digits=None):
        return Sides(4 * point["x"] * (1 - point["x"]), top)

    return Problem("parabola", sides, sides, (Parameter("x", 0, 1),))


def judge(top, seed=0, budget="quick", witness=None, share=0.1):
    context = Context("p.a", seed, BUDGETS[budget], MonteCarlo(seed), None, None)
    check = searched(problem, witness, share)
    assert check.kind is Kind.SEARCH
    return check.judge(Statement("so", sp.Le(X, top)), context)


@pytest.mark.parametrize("top", [sp.Rational(1, 2), sp.Rational(99, 100)])
def test_a_violation_is_found(top):
    found = judge(top, witness=lambda statement, point: f"x = {point['x']}")
    assert found.verdict is Verdict.REFUTED
    certificate = found.certificate
    x = certificate["inputs"]["x"]
    assert certificate["claimed"] == pytest.approx(float(top))
    assert certificate["actual"] == pytest.approx(4 * x * (1 - x))
    assert certificate["actual"] > certificate["claimed"]
    assert certificate["snippet"] == f"x = {x}"


def test_none_found_confirms_with_the_ratio_reached():
    found = judge(sp.Rational(5, 4))
    assert found.verdict is Verdict.CONFIRMED
    assert found.numbers["largest ratio"] == pytest.approx(0.8, rel=1e-3)
    assert found.certificate["seed"] == 0
    assert "no counterexample" in found.summary


def test_the_budget_bounds_the_evaluations():
    for name in ("quick", "standard"):
        spent = judge(2, budget=name).numbers["evaluations"]
        assert 0 < spent <= 0.1 * BUDGETS[name].evaluations + 10


def test_the_outcome_depends_on_the_seed_alone():
    assert judge(2, seed=1) == judge(2, seed=1)
    assert judge(sp.Rational(1, 2), seed=2) == judge(sp.Rational(1, 2), seed=2)
