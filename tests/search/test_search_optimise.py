from itertools import count

import mpmath
import pytest

from zotheory.search import Parameter, Problem, Sides, search


def young(constant: float) -> Problem:
    """2ab <= constant (a^2 + b^2): true and tight (at a = b) for constant 1."""

    def sides(point):
        a, b = point["a"], point["b"]
        return Sides(2 * a * b, constant * (a * a + b * b))

    def recheck(point, digits):
        with mpmath.workdps(digits + 10):
            a, b = mpmath.mpf(point["a"]), mpmath.mpf(point["b"])
            rhs = mpmath.mpf(constant) * (a**2 + b**2)
            return Sides(2 * a * b, rhs, rhs * mpmath.mpf(10) ** -digits)

    ranges = (Parameter("a", 1e-6, 1e6, "log"), Parameter("b", 1e-6, 1e6, "log"))
    return Problem("Young", sides, recheck, ranges)


def hidden(height: float, where: float) -> Problem:
    """g^2 + 2 height where g s + ... <= g^2 + where^2 s^2: false only for g/s around `where`."""

    def value(g, s):
        return g**2 + 2 * height * where * g * s, g**2 + where**2 * s**2

    def sides(point):
        return Sides(*value(point["g"], point["s"]))

    def recheck(point, digits):
        with mpmath.workdps(digits + 10):
            lhs, rhs = value(mpmath.mpf(point["g"]), mpmath.mpf(point["s"]))
            return Sides(lhs, rhs, rhs * mpmath.mpf(10) ** -digits)

    ranges = (Parameter("g", 1e-3, 1e9, "log"), Parameter("s", 1e-6, 1e3, "log"))
    return Problem("hidden", sides, recheck, ranges)


def test_tight_and_true_reports_ratio_one():
    outcome = search(young(1.0), seed=0, evaluations=1500)
    assert not outcome.found
    assert 1 - 1e-6 < outcome.ratio <= 1
    assert outcome.point["a"] == pytest.approx(outcome.point["b"], rel=1e-2)
    assert outcome.evaluations <= 1501


@pytest.mark.parametrize("constant", [0.8, 0.9, 0.99])
def test_constant_cut_is_refuted(constant):
    outcome = search(young(constant), seed=0, evaluations=1500)
    assert outcome.found
    assert outcome.lhs - outcome.rhs > outcome.error
    assert 1 < outcome.ratio <= 1 / constant + 1e-12


@pytest.mark.parametrize("where", [1e2, 1e4, 1e6])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_violation_at_large_gradients_is_found(where, seed):
    outcome = search(hidden(0.01, where), seed=seed, evaluations=3000)
    assert outcome.found
    assert outcome.ratio > 1.00005
    assert outcome.point["g"] / outcome.point["s"] > 10 * where


def test_counterexamples_are_rounded():
    outcome = search(young(0.8), seed=3, evaluations=1500)
    assert all(float(f"{value:.2g}") == value for value in outcome.point.values())


def test_deterministic_whatever_the_workers():
    problem = young(0.9)
    outcomes = [search(problem, seed=5, evaluations=600, workers=w) for w in (1, 2)]
    assert outcomes[0] == outcomes[1]
    assert search(problem, seed=6, evaluations=600) != outcomes[0]


def test_a_violation_that_the_recheck_denies_does_not_count():
    parameters = (Parameter("x", 0, 1),)
    problem = Problem("p", lambda p: Sides(2.0, 1.0), lambda p, d: Sides(1.0, 1.0), parameters)
    outcome = search(problem, seed=0, evaluations=300)
    assert not outcome.found
    assert outcome.rejected > 0
    assert outcome.ratio == 1


def test_a_violation_within_the_error_does_not_count():
    both = lambda *_: Sides(1.01, 1.0, 0.02)  # noqa: E731
    assert not search(Problem("p", both, both, (Parameter("x", 0, 1),)), 0, 300).found


def test_points_outside_the_hypotheses_are_never_reported():
    def sides(point, digits=0):
        return Sides(2.0 if point["x"] > 0.9 else float("nan"), 1.0)

    outcome = search(Problem("p", sides, sides, (Parameter("x", 0, 1),)), 0, 600)
    assert outcome.found
    assert outcome.point["x"] > 0.9


def test_candidates_stop_at_the_first_violation():
    def problem(limit):
        sides = lambda p, d=0: Sides(float(p["k"]), float(limit))  # noqa: E731
        return Problem("p", sides, sides, candidates=lambda seed: ({"k": k} for k in count(seed)))

    found = search(problem(10), seed=1, evaluations=100)
    assert (found.found, found.point, found.evaluations) == (True, {"k": 11}, 11)
    best = search(problem(1000), seed=1, evaluations=100)
    assert (best.found, best.point, best.ratio) == (False, {"k": 100}, pytest.approx(0.1))


@pytest.mark.parametrize("arguments", [{"evaluations": 10}, {"restarts": 0}, {"digits": 2}])
def test_bad_arguments(arguments):
    with pytest.raises(ValueError, match="at least 20 evaluations"):
        search(young(1.0), seed=0, **arguments)
