import pytest
import sympy as sp

from proofs_check.peano import worst_case

rho, lam = sp.symbols("rho lambda", positive=True)


def test_two_point_difference_of_a_smooth_function():
    case = worst_case({rho: 1, -rho: -1}, {0: -2 * rho}, rho, lam)
    assert case.value == lam * rho**2
    for s in (-2, sp.Rational(-1, 3), 0, 1, 5):
        assert case.extremal.subs(case.t, s) == lam * s * abs(s) / 2
    kernel = sp.lambdify(case.t, case.kernel.subs(rho, 1))
    assert [kernel(s) for s in (-2, -0.5, 0.5, 2)] == [0, -0.5, 0.5, 0]


def test_divided_difference():
    case = worst_case({rho: 1 / (2 * rho), -rho: -1 / (2 * rho)}, {0: -1}, rho, lam)
    assert sp.simplify(case.value - lam * rho / 2) == 0


def test_lipschitz_hessian():
    case = worst_case({rho: 1 / (2 * rho), -rho: -1 / (2 * rho)}, {0: -1}, rho, lam, order=3)
    assert sp.simplify(case.value - lam * rho**2 / 6) == 0


def test_one_sided_difference():
    case = worst_case({rho: 1, 0: -1}, {0: -rho}, rho, lam)
    assert case.value == lam * rho**2 / 2


def test_kernel_that_changes_sign_inside_an_interval():
    # K on (0, 1): (1 - t) - 2/3 * [t < 1] = 1/3 - t, zero at 1/3; integral 1/18 + 2/9 = 5/18.
    points = {rho: 1, 0: -1}
    slopes = {rho: -sp.Rational(2, 3) * rho, 0: -sp.Rational(1, 3) * rho}
    case = worst_case(points, slopes, rho, lam)
    assert case.value == sp.Rational(5, 18) * lam * rho**2
    curvature = sp.diff(case.extremal, case.t, 2).subs({rho: 1, lam: 1})
    assert [curvature.subs(case.t, s) for s in (sp.Rational(1, 4), sp.Rational(1, 2))] == [1, -1]


def test_no_function_of_the_class_does_better():
    points, slopes = {2 * rho: 1, -rho: -1, rho: -1, 0: 1}, {0: -2 * rho}
    case = worst_case(points, slopes, rho, lam)
    t = case.t
    best = case.value.subs({rho: 1, lam: 1})
    for frequency in (sp.Rational(1, 2), 1, 2, 5):
        for phase in range(6):
            f = sp.sin(frequency * t + phase) / frequency**2  # |f''| <= 1
            total = sum(c * f.subs(t, s.subs(rho, 1)) for s, c in _plain(points))
            total += sum(c * sp.diff(f, t).subs(t, s.subs(rho, 1)) for s, c in _plain(slopes))
            assert float(total.subs(rho, 1)) <= float(best) + 1e-12


def _plain(weights):
    return [(sp.sympify(s), sp.sympify(c)) for s, c in weights.items()]


def test_infinite_supremum():
    case = worst_case({rho: 1, 0: -1}, {}, rho, lam)
    assert case.value == sp.oo
    assert "infinite" in case.steps[0]
    assert case.extremal == case.t


def test_bad_input():
    with pytest.raises(ValueError, match="scale"):
        worst_case({rho: 1, -rho: -1}, {0: -2}, rho, lam)
    with pytest.raises(ValueError, match="positive symbol"):
        worst_case({1: 1}, {}, sp.Symbol("s"), lam)
    with pytest.raises(ValueError, match="rational multiples"):
        worst_case({sp.sqrt(2) * rho: 1, 0: -1}, {0: -sp.sqrt(2) * rho}, rho, lam)
