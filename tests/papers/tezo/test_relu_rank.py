from fractions import Fraction
from itertools import islice

import numpy as np
import pytest
import sympy

from zotheory.papers.tezo.rank_bound import (
    exact_rank,
    gradient_of_layer,
    relu_rank,
    relu_rank_snippet,
)
from zotheory.search import search

product_rank, min_rank, patterns, masked, batch = sympy.symbols(
    "product_rank min_rank patterns masked_rank_sum batch"
)


def points(count, seed=0):
    return list(islice(relu_rank(product_rank).candidates(seed), count))


def loss(point, weight, relu):
    """<C, X_L> in exact rationals with W_l replaced."""
    x = sympy.Matrix(point["inputs"])
    weights = [*map(sympy.Matrix, point["weights"])]
    weights[point["layer"] - 1] = weight
    for number, w in enumerate(weights, start=1):
        x = w * x
        if relu and number < len(weights):
            x = x.applyfunc(lambda v: sympy.Max(v, 0))
    return sum(a * b for a, b in zip(sympy.Matrix(point["cotangent"]), x, strict=True))


@pytest.mark.parametrize("relu", [True, False])
def test_gradient_equals_exact_finite_differences(relu):
    """The loss is piecewise linear in W_l alone: a small enough difference is exact."""
    step = sympy.Rational(1, 10**9)
    checked = 0
    for point in points(40):
        try:
            gradient, _ = gradient_of_layer(point, relu)
        except ValueError:
            continue
        weight = sympy.Matrix(point["weights"][point["layer"] - 1])
        base = loss(point, weight, relu)
        for i in range(weight.rows):
            for j in range(weight.cols):
                moved = weight.copy()
                moved[i, j] += step
                assert (loss(point, moved, relu) - base) / step == gradient[i][j]
        checked += 1
    assert checked >= 15


@pytest.mark.parametrize("activation", ["relu", "linear"])
def test_float_and_exact_routes_agree(activation):
    bound = product_rank + 10 * min_rank + 100 * patterns + 1000 * masked + 10**5 * batch
    problem = relu_rank(bound, activation)
    seen = 0
    for point in points(300, seed=3):
        floats, exact = problem.sides(point), problem.recheck(point, 12)
        if not np.isnan(floats.lhs):
            assert (floats.lhs, floats.rhs) == (exact.lhs, exact.rhs)
            seen += 1
        else:
            assert np.isnan(exact.lhs)
    assert seen > 100


@pytest.mark.parametrize("bound", [product_rank, min_rank])
def test_eq6_fails_with_relu(bound):
    outcome = search(relu_rank(bound), seed=0)
    assert outcome.found
    assert outcome.lhs > outcome.rhs
    printed = run(relu_rank_snippet(bound, outcome.point))
    assert printed["actual rank"] == outcome.lhs
    assert printed["claimed bound on its rank"] == outcome.rhs


def test_eq6_fails_among_random_networks_too():
    """Not only in the systematic cases: deeper networks with several layers of masks."""
    problem = relu_rank(product_rank)
    violated = [p for p in points(2000, seed=1)[1::2] if problem.recheck(p, 12).violated]
    assert any(len(p["weights"]) > 2 for p in violated)


@pytest.mark.parametrize("bound", [product_rank, min_rank])
def test_eq6_holds_for_linear_networks(bound):
    outcome = search(relu_rank(bound, "linear"), seed=0, evaluations=2000)
    assert not outcome.found
    assert outcome.ratio == 1


@pytest.mark.parametrize("bound", [masked, patterns * min_rank, sympy.Min(masked, batch)])
def test_corrected_eq6_survives_and_is_tight(bound):
    outcome = search(relu_rank(bound), seed=0, evaluations=2000)
    assert not outcome.found
    assert outcome.ratio == 1


@pytest.mark.parametrize(
    "bound", [masked - 1, patterns * min_rank - 1, (patterns + 1) * masked / 3]
)
def test_mutants_of_the_correction_are_refuted(bound):
    assert search(relu_rank(bound), seed=0, evaluations=2000).found


def test_snippet_agrees_on_random_networks():
    problem = relu_rank(masked + 100 * product_rank)
    for point in points(60, seed=5)[1::2]:
        exact = problem.recheck(point, 12)
        if not np.isnan(exact.lhs):
            printed = run(relu_rank_snippet(masked + 100 * product_rank, point))
            assert printed["actual rank"] == exact.lhs
            assert printed["claimed bound on its rank"] == exact.rhs


def run(code):
    lines = {}

    def keep(label, *values):
        lines[label.rstrip(":")] = values[0]

    exec(code, {"print": keep})
    return lines


def test_exact_rank():
    assert exact_rank(sympy.Matrix([[1, 2], [2, 4]])) == 1
    tiny = Fraction(1, 10**30)
    assert exact_rank(sympy.Matrix([[1, 2], [2, 4 + sympy.Rational(tiny)]])) == 2


def test_bad_activation():
    with pytest.raises(ValueError, match="activation"):
        relu_rank(product_rank, "tanh")
