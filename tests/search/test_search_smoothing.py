import math

import numpy as np
import pytest
import sympy

from zotheory.search import search
from zotheory.search.smoothing import bias, gradient_norm, second_moment

eps, L, n, G = sympy.symbols("eps L n smoothed_gradient")
SMALL = {"seed": 1, "evaluations": 1200}

POINT = {"n": 4, "eps": 0.5, "L": 2.0, "smoothed_gradient": 3.0, "alignment": 0.6}
POINT |= {"kind": 1, "width": 0.8, "left": 0.3, "middle": 1.0, "right": -1.0, "offset": 0.4}

BIAS3 = eps**2 * L * n / 2
SECOND = 4 * (n + 2) * G**2 + eps**2 * L**2 * n * (n + 2) * (n + 12) / 2


# What follows from ||E[grad f(eps z)] - grad f|| <= L eps E||z|| and its like.
@pytest.mark.parametrize(
    "problem",
    [
        bias(eps * L * sympy.sqrt(n)),
        bias(BIAS3, order=3),
        gradient_norm(2 * G**2 + 2 * eps**2 * L**2 * n),
        second_moment(SECOND),
    ],
    ids=lambda problem: problem.name,
)
def test_true_bounds_survive(problem):
    outcome = search(problem, **SMALL)
    assert not outcome.found
    assert 0.2 < outcome.ratio <= 1 + 1e-12


@pytest.mark.parametrize(
    "problem",
    [
        bias(eps * L * sympy.sqrt(n + 3) / 2),
        bias(BIAS3 * sympy.Rational(9, 10), order=3),
        gradient_norm(G**2 + 2 * eps**2 * L**2 * n),
        gradient_norm(2 * G**2 + eps**2 * L**2 * n / 2),
        second_moment(SECOND - 4 * (n + 2) * G**2),
        second_moment(4 * (n + 2) * G**2),
    ],
    ids=lambda problem: problem.name,
)
def test_false_bounds_are_refuted(problem):
    outcome = search(problem, **SMALL)
    assert outcome.found
    assert outcome.lhs > outcome.rhs


def profile(point):
    """phi of kind 1: phi'' is left, middle, right between the kinks at -width and width."""
    levels = [point[k] for k in ("left", "middle", "right")]

    def phi(t):
        a, b = np.maximum(t + point["width"], 0), np.maximum(t - point["width"], 0)
        return (
            levels[0] * t**2 + (levels[1] - levels[0]) * a**2 + (levels[2] - levels[1]) * b**2
        ) / 2

    return phi


def cone(y):
    radius = np.linalg.norm(y[:, 1:], axis=1)
    outside = np.sign(y[:, 0]) * (y**2).sum(axis=1) / 2
    return np.where(np.abs(y[:, 0]) < radius, y[:, 0] * radius, outside)


@pytest.mark.parametrize("axial", [0, 1])
def test_sides_against_simulation(axial):
    """The definition on whole vectors: the loss is built from its gradient, then perturbed."""
    point = {**POINT, "axial": axial}
    squared = gradient_norm(G).sides(point).lhs
    mean = bias(L).sides(point).lhs
    u = np.zeros(4)
    u[:2] = point["alignment"], math.sqrt(1 - point["alignment"] ** 2)
    phi, t = profile(point), point["offset"]
    sign = np.sign(squared - 9 - mean**2) * -1  # of the slope, as the cosine is positive
    gradient = 3 * u - sign * mean * np.eye(4)[0]
    assert gradient @ gradient == pytest.approx(squared)

    def f(x):
        y = x / point["eps"]
        ridge = phi(t + y[:, 0]) - (phi(t + 1e-6) - phi(t - 1e-6)) / 2e-6 * y[:, 0]
        return x @ gradient + point["L"] * point["eps"] ** 2 * (cone(y) if axial else ridge)

    z = np.random.default_rng(axial).standard_normal((400_000, 4))
    kappa = (f(point["eps"] * z) - f(-point["eps"] * z)) / (2 * point["eps"])
    estimate = kappa[:, None] * z
    for sample, expected in [
        *zip(estimate.T, 3 * u, strict=True),
        ((estimate**2).sum(axis=1), second_moment(G).sides(point).lhs),
    ]:
        assert abs(sample.mean() - expected) < 5 * sample.std() / math.sqrt(len(z))


@pytest.mark.parametrize("axial", [0, 1])
@pytest.mark.parametrize("build", [gradient_norm, second_moment])
def test_routes_agree(axial, build):
    problem = build(SECOND)
    for kind in range(4):
        point = {**POINT, "axial": axial, "kind": kind}
        floats, precise = problem.sides(point), problem.recheck(point, 12)
        assert float(precise.lhs) == pytest.approx(floats.lhs, rel=1e-10)
        assert float(precise.rhs) == pytest.approx(floats.rhs)
        assert precise.error < 1e-8 * precise.lhs


@pytest.mark.parametrize("order", [2, 3])
def test_routes_of_the_bias_agree(order):
    problem = bias(eps * L, order)
    for kind in range(4):
        for axial in (0, 1):
            point = {**POINT, "axial": axial, "kind": kind, "tilt": 0.4}
            floats, precise = problem.sides(point), problem.recheck(point, 12)
            assert float(precise.lhs) == pytest.approx(floats.lhs, rel=1e-10)


def test_one_coordinate_has_one_direction():
    point = {**POINT, "axial": 1, "n": 1}
    problem = second_moment(SECOND)
    assert math.isnan(problem.sides(point).lhs)
    assert not problem.recheck(point, 12).violated
    assert problem.sides({**point, "alignment": -1.3}).lhs > 0


def test_bad_order():
    with pytest.raises(ValueError, match="order"):
        bias(eps, order=4)
