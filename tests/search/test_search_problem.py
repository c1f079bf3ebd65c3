import math

import mpmath
import numpy as np
import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

from zotheory.search import Parameter, Problem, Sides, as_bound


@given(st.floats(0, 1), st.sampled_from(["linear", "log", "symlog"]), st.booleans())
def test_values_stay_in_bounds(u, scale, integer):
    parameter = Parameter("x", 1.5, 2e6, scale, integer)
    value = parameter.at(u)
    assert 1.5 <= value <= 2e6
    assert isinstance(value, int) == integer


def test_scales():
    assert Parameter("x", 1e-6, 1e6, "log").at(0.5) == pytest.approx(1.0)
    assert Parameter("x", -1e6, 1e6, "symlog").at(0.5) == 0.0
    assert Parameter("x", -1e6, 1e6, "symlog").at(0.75) == pytest.approx(
        math.sqrt(1e6 / 2), rel=1e-5
    )
    assert [Parameter("x", 1, 3, integer=True).at(u) for u in (0, 0.5, 1)] == [1, 2, 3]


@pytest.mark.parametrize(
    "arguments",
    [
        ("x", 2, 1),
        ("x", 0, 1, "log"),
        ("x", 0, math.nan),
        ("x", 0.2, 0.8, "linear", True),
        ("x", 0, 1, "cubic"),
    ],
)
def test_bad_parameters(arguments):
    with pytest.raises(ValueError, match="x:"):
        Parameter(*arguments)


def test_sides():
    assert Sides(2.0, 1.0).violation == pytest.approx(math.log(2))
    assert Sides(1.0, 0.0).violation == math.inf
    assert Sides(0.0, 0.0).violation == -math.inf
    assert Sides(math.nan, 1.0).violation == -math.inf
    assert not Sides(math.nan, 1.0).violated
    assert not Sides(1.0 + 1e-6, 1.0, 1e-5).violated
    assert Sides(1.0 + 1e-4, 1.0, 1e-5).violated


def test_bound_reads_symbols_by_name():
    expression = sympy.Symbol("lambda", positive=True) ** 2 * sympy.Symbol("W") / 3
    bound = as_bound(expression, {"W": "gradient_norm"})
    quantities = {"lambda": 2.0, "gradient_norm": 6.0, "unused": 1.0}
    assert bound(**quantities) == 8.0
    with mpmath.workdps(40):
        assert abs(as_bound(sympy.Rational(1, 3)).precise() - mpmath.mpf(1) / 3) < 1e-39
    with pytest.raises(ValueError, match=r"symbol W.*gradient_norm"):
        as_bound(expression)(**quantities)
    with pytest.raises(TypeError, match="SymPy expression"):
        as_bound(sympy.Symbol("x") > 1)


def test_problem_needs_one_source_of_points():
    sides = recheck = lambda *_: Sides(1.0, 1.0)
    with pytest.raises(ValueError, match="either parameters or candidates"):
        Problem("p", sides, recheck)
    with pytest.raises(ValueError, match="repeat"):
        Problem("p", sides, recheck, (Parameter("a", 0, 1), Parameter("a", 0, 1)))
    problem = Problem("p", sides, recheck, (Parameter("a", 0, 4), Parameter("b", 1, 9, "log")))
    assert problem.point(np.array([0.25, 0.5])) == {"a": 1.0, "b": pytest.approx(3.0)}
