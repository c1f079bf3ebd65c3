import math

import numpy as np
import pytest
import sympy

from zotheory.papers.tezo.lemma1_search import eq12, eq12_snippet, pathwise
from zotheory.search import as_bound, search
from zotheory.search.profiles import profile_at

rho, lam, z, r, m, n, sigma, g = sympy.symbols("rho lambda Z_norm r m n sigma gradient_norm")
PATHWISE = rho**2 * lam**2 * z**6 / (4 * r**2)
DELTA = 1 + m * n + 2 * m * n / r + 6 * (m + n) / r + 10 / r
DELTA_RHO = 15 * r**2 * (m + 3) ** 3 * (n + 3) ** 3 + 36 * r**3 * m**3 * n**3 + r**4 * m**3 * n**3
EQ12 = rho**2 * lam**2 * DELTA_RHO / 4 + (DELTA + 1) * sigma**2 + DELTA * g**2
NOISY = sympy.sqrt(DELTA * g**2 + (DELTA + 1) * sigma**2)
MINKOWSKI = (NOISY + rho * lam * sympy.sqrt(DELTA_RHO) / 2) ** 2

POINT = {
    "m": 3,
    "n": 2,
    "rho": 0.5,
    "lambda": 2.0,
    "gradient_norm": 7.0,
    "alignment": 0.6,
    "noise": 0.4,
}
POINT |= {"kind": 1, "width": 0.8, "left": 0.3, "middle": 1.0, "right": -1.0, "offset": 0.4}


def test_pathwise_is_tight():
    outcome = search(pathwise(PATHWISE), seed=1)
    assert not outcome.found
    assert 0.99 < outcome.ratio <= 1


def test_pathwise_with_its_constant_cut_is_refuted():
    outcome = search(pathwise(PATHWISE * sympy.Rational(9, 10)), seed=1, evaluations=3000)
    assert outcome.found
    assert outcome.ratio == pytest.approx(1 / 0.9, rel=0.02)


def test_pathwise_float_and_precise_routes_agree():
    problem = pathwise(PATHWISE, m=1, n=2)
    point = {p.name: p.at(0.4) for p in problem.parameters}
    for kind in range(4):
        floats, precise = (
            problem.sides({**point, "kind": kind}),
            problem.recheck({**point, "kind": kind}, 12),
        )
        assert float(precise.lhs) == pytest.approx(floats.lhs, rel=1e-9, abs=1e-12 * floats.rhs)
        assert float(precise.rhs) == pytest.approx(floats.rhs)


def test_eq12_left_side_in_closed_form():
    """phi = t|t|/2 at its kink: e(s) = s|s|/2, all expectations factorise."""
    point = {**POINT, "kind": 0, "offset": 0.0}
    a = {k: 2 ** (k / 2) * math.gamma((k + 1) / 2) / math.sqrt(math.pi) for k in range(8)}
    cross = a[5] * (a[5] + 2 * a[3]) * (a[5] + 1 * a[3]) - a[3] ** 3
    square = a[6] * (a[6] + 2 * a[4]) * (a[6] + 1 * a[4]) / 4
    c = 3 * 5 * 4
    expected = (c - 1) * 49 + c * 2.8**2 + 0.6 * 7 * cross + square
    problem = eq12(EQ12)
    assert problem.sides(point).lhs == pytest.approx(expected, rel=1e-12)
    checked = problem.recheck(point, 12)
    assert float(checked.lhs) == pytest.approx(expected, rel=1e-11)
    assert checked.error < 1e-8 * expected


def simulated(point, samples, seed):
    """What curvature adds to Eq. 12's left side, by sampling the definition with whole matrices."""
    rng = np.random.default_rng(seed)
    shape, size = profile_at(point), (samples, point["m"], point["n"])
    tau = rng.normal(size=(samples, 1, 1))
    u, v = rng.normal(size=(samples, size[1], 1)), rng.normal(size=(samples, 1, size[2]))
    perturbation = tau * u * v
    direction, gradient = np.zeros(size[1:]), np.zeros(size[1:])
    direction[0, 0], gradient[0, 0] = 1.0, point["alignment"]
    gradient[0, 1] = gradient[2, 1] = math.sqrt((1 - point["alignment"] ** 2) / 2)
    gradient *= point["gradient_norm"]
    noise = rng.normal(size=size) * point["noise"] * point["gradient_norm"] / math.sqrt(6)

    def f(x):
        s = np.sum(direction * x, axis=(1, 2)) / point["rho"]
        t = point["offset"]
        curved = shape.value(t + s) - shape.value(np.float64(t)) - shape.slope(np.float64(t)) * s
        linear = np.sum((gradient + noise) * x, axis=(1, 2))
        return linear + point["lambda"] * point["rho"] ** 2 * curved

    step = point["rho"] * perturbation
    kappa = (f(step) - f(-step)) / (2 * point["rho"])
    linear = np.sum((gradient + noise) * perturbation, axis=(1, 2))
    errors = [
        np.sum((k[:, None, None] * perturbation - gradient) ** 2, axis=(1, 2))
        for k in (kappa, linear)
    ]
    curvature = errors[0] - errors[1]
    return curvature.mean(), curvature.std() / math.sqrt(samples)


@pytest.mark.parametrize("kind", [1, 2, 3])
def test_eq12_left_side_against_simulation(kind):
    # equal outer levels: e(s) grows linearly, which keeps the tails light enough for 5 deviations
    point = {**POINT, "kind": kind, "right": POINT["left"]}
    mean, deviation = simulated(point, 400_000, seed=kind)
    with_curvature, without = (
        eq12(EQ12).sides({**point, "lambda": size}).lhs for size in (point["lambda"], 1e-12)
    )
    assert abs(mean - (with_curvature - without)) < 5 * deviation
    assert abs(mean) > 10 * deviation
    assert without == pytest.approx(59 * 49 + 60 * 2.8**2)


def test_eq12_as_printed_is_refuted():
    """By hand, at m = n = 1: 4.16% at ||G||/(rho lambda) = 119.3, from the cross term 256 ||G||."""
    outcome = search(eq12(EQ12), seed=0, evaluations=4000)
    assert outcome.found
    assert 1.01 < outcome.ratio < 1.0417
    point = outcome.point
    assert point["m"] * point["n"] > 1 or abs(point["alignment"]) >= 1
    assert point["gradient_norm"] / (point["rho"] * point["lambda"]) > 50
    assert _printed(eq12_snippet(EQ12, point), "ratio") == pytest.approx(outcome.ratio, rel=1e-9)


def test_eq12_scalars_have_one_direction():
    problem = eq12(EQ12)
    scalar = {**POINT, "m": 1, "n": 1}
    assert math.isnan(problem.sides({**scalar, "alignment": 0.6}).lhs)
    assert not problem.recheck({**scalar, "alignment": 0.6}, 12).violated
    assert problem.sides({**scalar, "alignment": 1.2}) == problem.sides(
        {**scalar, "alignment": 1.0}
    )


def test_eq12_corrected_survives():
    outcome = search(eq12(MINKOWSKI), seed=0, evaluations=1500)
    assert not outcome.found
    assert outcome.ratio <= 1 + 1e-12


@pytest.mark.parametrize(
    "mutant",
    [
        MINKOWSKI.subs(DELTA, DELTA - 1 / r),
        (sympy.sqrt(DELTA * (g**2 + sigma**2)) + rho * lam * sympy.sqrt(DELTA_RHO) / 2) ** 2,
    ],
)
def test_eq12_mutants_of_the_correction_are_refuted(mutant):
    assert search(eq12(mutant), seed=0, evaluations=1500).found


@pytest.mark.parametrize("kind", [0, 1, 2, 3])
def test_snippet_prints_both_numbers(kind):
    point = {**POINT, "kind": kind}
    sides = eq12(EQ12).sides(point)
    code = eq12_snippet(as_bound(EQ12), point)
    assert _printed(code, "claimed bound") == pytest.approx(sides.rhs)
    assert _printed(code, "actual value") == pytest.approx(sides.lhs, rel=1e-6)


def _printed(code, label):
    lines = []
    exec(code, {"print": lambda *values: lines.append(" ".join(map(str, values)))})
    (line,) = [line for line in lines if line.startswith(label)]
    return float(line.split(":")[1].split()[0])


def test_bad_input():
    with pytest.raises(ValueError, match="at least 1"):
        pathwise(PATHWISE, m=0)
    with pytest.raises(ValueError, match="m:"):
        eq12(EQ12, largest=0)
    with pytest.raises(ValueError, match="symbol kappa"):
        search(eq12(sympy.Symbol("kappa")), seed=0)
