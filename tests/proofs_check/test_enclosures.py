"""Enclosures contain the numbers, are narrow, and decide comparisons both ways."""

import math

import mpmath
import pytest
import sympy as sp

from proofs_check.cards.order_statistics import ABOVE, PHI, T, minimum, size_of_minimum, split
from proofs_check.cards.ratio import number
from proofs_check.enclosures import compare, enclose
from proofs_check.results import Proved, Undecided, Violated

X, Y = sp.symbols("x y")
LINE, HALF = (T, -sp.oo, sp.oo), (T, 0, sp.oo)


@pytest.mark.parametrize(
    "expression",
    [
        sp.pi,
        sp.EulerGamma,
        sp.Rational(1, 3),
        -sp.sqrt(2 * sp.log(12)),
        sp.exp(-1) + sp.Abs(sp.log(sp.Rational(1, 2))),
        sp.Rational(3, 7) ** sp.Rational(2, 3),
        (1 - sp.sqrt(5)) ** 3,
    ],
)
def test_an_enclosure_contains_the_number(expression):
    found = enclose(expression)
    with mpmath.workdps(40):
        value = mpmath.mpf(str(expression.evalf(40)))
        assert found.low < value < found.high
    assert found.high - found.low < 1e-14 * abs(found.middle)


def test_symbols_have_values_or_lie_between_two():
    values = {X: (sp.sqrt(2), sp.sqrt(3)), Y: X + 1}
    found = enclose(X * Y, values)
    assert found.low == pytest.approx(2**0.5 * (2**0.5 + 1))
    assert found.high == pytest.approx(3**0.5 * (3**0.5 + 1))


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (X, "no enclosure"),
        (sp.log(X), "not positive"),
        (1 / X, "divide by 0"),
        (sp.sqrt(X), "may be undefined"),
        (sp.zeta(3), "no rule"),
    ],
)
def test_what_cannot_be_enclosed_is_refused(bad, message):
    values = {} if bad == X else {X: (-sp.S.One, sp.S.One)}
    with pytest.raises(ValueError, match=message):
        enclose(bad, values)


def test_an_end_may_be_infinite():
    x, y = sp.symbols("x y")
    found = enclose(x * y + 1, {x: (0, sp.oo), y: (sp.Rational(1, 2), 2)})
    assert (found.low, found.high) == (pytest.approx(1.0), math.inf)
    found = enclose(x, {x: (-sp.oo, 3)})
    assert (found.low, found.high) == (-math.inf, pytest.approx(3.0))
    assert enclose(2 * x, {x: (0, sp.oo)}).low == 0.0  # exactly
    assert enclose(sp.Rational(1, 10**400)).low < 0.0  # which no float near 0 says
    zero = enclose(x * y, {x: (0, sp.oo), y: (0, 1)})
    assert zero.low <= 0.0
    assert zero.high == math.inf
    with pytest.raises(ValueError, match="nothing"):
        enclose(x, {x: (sp.oo, -sp.oo)})


def test_bounds_in_the_wrong_order_are_refused():
    with pytest.raises(ValueError, match="between nothing"):
        enclose(X, {X: (sp.S(2), sp.S(1))})


@pytest.mark.parametrize(
    ("relation", "verdict"),
    [
        (sp.Lt(X, 2), Proved),
        (sp.Gt(X, 2), Violated),
        (sp.Le(X**2, 2), Proved),
        (sp.Lt(X**2, 2), Violated),
        (sp.Gt(X**2, 2), Violated),
        (sp.Eq(X**2, 2), Proved),
        (sp.Eq(X, sp.Rational(141421356237, 10**11)), Violated),
    ],
)
def test_comparisons(relation, verdict):
    assert isinstance(compare(relation, {X: sp.sqrt(2)}), verdict)


def test_a_violation_tells_both_sides():
    found = compare(sp.Le(X, 1), {X: sp.sqrt(2)})
    assert (float(found.lhs), float(found.rhs)) == pytest.approx((2**0.5, 1))


def test_overlapping_enclosures_decide_nothing():
    assert isinstance(compare(sp.Lt(X, 1), {X: (sp.S.Zero, sp.S(2))}), Undecided)
    # equal, but an integral is involved, so that nobody simplifies
    one = sp.Integral(PHI, LINE)
    assert isinstance(compare(sp.Le(X, 1), {X: one}), Undecided)


# --- integrals ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("integrand", "value"),
    [
        (PHI, 1),
        (T**2 * PHI, 1),
        (T**8 * PHI, 105),
        (PHI * ABOVE**3, sp.Rational(1, 4)),
        (PHI**2, 1 / (2 * sp.sqrt(sp.pi))),
        (T * PHI * ABOVE, -1 / (2 * sp.sqrt(sp.pi))),
        (12 * T**2 * PHI * ABOVE**2 * (1 - ABOVE), sp.Integer(12) / 12 - sp.sqrt(3) / sp.pi),
    ],
)
def test_integrals_over_the_line(integrand, value):
    """Known integrals; the last is E y_(2)^2 of four normals, 1 - sqrt(3)/pi."""
    found = enclose(sp.Integral(integrand, LINE))
    assert found.low <= value <= found.high
    assert found.high - found.low < 1e-12


def test_order_statistics_two_ways():
    for law in (minimum(4), split(4, 2), split(2, 1)):  # closed forms against the integrals
        assert not law.second.has(sp.Integral)
    for k in (8, 12):
        for law in (minimum(k), split(k, k // 2)):
            for moment in (law.second, law.fourth):
                found = enclose(moment)
                assert found.high - found.low < 1e-12
                assert number(moment) == pytest.approx(found.middle, rel=1e-9)


def test_first_moments_against_tables():
    """Harter (1961), expected values of normal order statistics."""
    least = {2: 0.56419, 4: 1.02938, 8: 1.42360, 12: 1.62923}
    for k, value in least.items():
        assert -enclose(minimum(k).first).middle == pytest.approx(value, abs=1e-5)
    # twice the mean of the two greatest of four: 1.02938 and 0.29701
    assert -enclose(split(4, 2).first).middle == pytest.approx(1.02938 + 0.29701, abs=2e-5)
    assert enclose(split(2, 1).first + 2 / sp.sqrt(sp.pi)).middle == pytest.approx(0, abs=1e-14)


@pytest.mark.parametrize("k", [24, 60])
def test_high_powers_are_enclosed_narrowly(k):
    found = enclose(-minimum(k).first)
    value = mpmath.quad(
        lambda t: t * k * mpmath.ncdf(t) ** (k - 1) * mpmath.npdf(t), [-8, 0, 1, 2, 3, 5, 9]
    )
    assert found.low < value < found.high
    assert found.high - found.low < 2e-6


@pytest.mark.parametrize("power", [1, 2, 4, 12])
def test_integrals_over_the_half_line(power):
    found = enclose(sp.Integral(3 * ABOVE**power, HALF))
    value = 3 * mpmath.quad(lambda t: (mpmath.erfc(t / mpmath.sqrt(2)) / 2) ** power, [0, 1, 4, 15])
    assert found.low <= value <= found.high
    assert found.high - found.low < 1e-8


def test_the_size_of_a_minimum():
    root = sp.sqrt(2 / sp.pi)
    for k in (1, 2):  # E|min(y_1, y_2)| = E|y|: the odd part of the density drops out
        found = enclose(size_of_minimum(k))
        assert found.low < root.evalf(30) < found.high
    assert enclose(size_of_minimum(8)).middle == pytest.approx(1.424705, abs=1e-6)


@pytest.mark.parametrize(
    "integral",
    [
        sp.Integral(ABOVE, LINE),
        sp.Integral(T * PHI, HALF),
        sp.Integral(sp.cos(T) * PHI, LINE),
        sp.Integral(sp.sqrt(2) * PHI, LINE),
        sp.Integral(sp.exp(-(T**4)), LINE),
    ],
)
def test_other_integrals_are_refused(integral):
    with pytest.raises(ValueError, match=r"no rigorous rule|no polynomial|not rational|no power"):
        enclose(integral)
