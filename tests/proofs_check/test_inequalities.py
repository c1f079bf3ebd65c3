import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from proofs_check import cells, inequalities, orthant, smt
from proofs_check.domain import Condition, Domain
from proofs_check.inequalities import Proved, RoutesDisagree, Undecided, Undefined, Violated, decide

m, n, r = sp.symbols("m n r", integer=True, positive=True)
eta, lam, delta = sp.symbols("eta lambda delta", positive=True)
x, y = sp.symbols("x y", real=True)

SIXTH = (
    15 * r * m * (m + 2) * (m + 4) * n * (n + 2) * (n + 4)
    + 9 * r * (r - 1) * m**2 * (m + 2) * n**2 * (n + 2)
    + r * (r - 1) * (r - 2) * m**3 * n**3
)

TRUE = [
    (2 * n**3 + (n + 6) ** 3, 3 * (n + 4) ** 3, []),
    (m * (m + 2), 2 * m**2, [m >= 2]),
    (SIXTH, 15 * r * (m + 3) ** 3 * (n + 3) ** 3 + 36 * (r * m * n) ** 2 * m * n + (r * m * n) ** 3,
     [r <= m, r <= n]),
    (SIXTH, 60 * r**3 * (m + 3) ** 3 * (n + 3) ** 3, [r <= sp.Min(m, n)]),
    (-eta * (1 - lam * (1 + delta) * eta / 2), -eta / 2, [eta <= 1 / (lam * (delta + 1))]),
    (2 * x * y, x**2 + y**2, []),
    (2 * m * n, m**2 + n**2, []),
    (x * (1 - x), sp.Rational(1, 4), [x >= 0, x <= 1]),
    (2 * x**3, x**4 + 2, []),
    (3 * x**2 * y**2, x**4 * y**2 + x**2 * y**4 + 1, []),  # Motzkin: no sum of squares
    (1 / (n - 2), 1, [n >= 3]),
    (n**2, 1000 * n, [n <= 1000]),
    (m / (m + n), r / (r + n), [m <= r]),
]  # fmt: skip

FALSE = [
    (m * (m + 2), 2 * m**2, []),
    (SIXTH, (r * m * n) ** 3 + 15 * r * (m + 2) ** 3 * (n + 2) ** 3, [r <= m, r <= n]),
    (-eta * (1 - lam * (1 + delta) * eta / 2), -eta * sp.Rational(51, 100),
     [eta <= 1 / (lam * (delta + 1))]),
    (n**2, 1000 * n, [n <= 1001]),
    (3 * x**3, x**4 + 2, []),
    (x * (1 - x), sp.Rational(249999, 1000000), [x >= 0, x <= 1]),
    (eta, 10**6 * lam, []),
    (4 * (n + 4) ** 2, 4 * (n + 4), []),
    (1 / (n + 1), sp.Rational(49, 100), []),
    (n, 10**7, []),
    (10**7 * n - n**2, sp.Integer(24999999999999), [n >= 4000000, n <= 6000000]),
]  # fmt: skip


@pytest.mark.parametrize(("lhs", "rhs", "conditions"), TRUE)
def test_true_inequalities_are_proved(lhs, rhs, conditions):
    result = decide(lhs, rhs, conditions)
    assert isinstance(result, Proved)
    assert result.steps


@pytest.mark.parametrize(("lhs", "rhs", "conditions"), FALSE)
def test_false_inequalities_are_violated_at_an_exact_point(lhs, rhs, conditions):
    result = decide(lhs, rhs, conditions)
    assert isinstance(result, Violated)
    point = result.point
    assert all(v.is_Rational and (v.is_Integer or not s.is_integer) for s, v in point.items())
    assert all((s.is_positive is not True) or v > 0 for s, v in point.items())
    assert all(c.subs(point) == sp.true for c in conditions)
    assert sp.sympify(lhs).subs(point) == result.lhs
    assert sp.sympify(rhs).subs(point) == result.rhs
    assert result.lhs > result.rhs


def test_two_independent_routes():
    assert decide(*TRUE[0]).route == "substitution + z3"
    assert decide(*TRUE[4]).route == "substitution + z3"


def test_results_are_reproducible():
    for lhs, rhs, conditions in (TRUE[9], FALSE[2]):
        assert decide(lhs, rhs, conditions) == decide(lhs, rhs, conditions)


def test_strict_inequalities():
    assert isinstance(decide(0, n**2 - 4 * n + 4, strict=True), Violated)
    assert isinstance(decide(0, n**2 - 4 * n + 4), Proved)
    assert isinstance(decide(0, n**2 - 5 * n + 7, strict=True), Proved)
    assert isinstance(decide(0, x**2 + 1, strict=True), Proved)
    assert isinstance(decide(0, eta, strict=True), Proved)
    assert isinstance(decide(0, x, [x >= 0], strict=True), Violated)
    # Equality holds at irrational points only: no exact rational violation exists.
    assert isinstance(decide(0, (x**2 - 2) ** 2, strict=True), Undecided)


def test_integers_and_reals_differ():
    # Negative between 1/3 and 2/3 only, where no integer is.
    k = sp.Symbol("k", integer=True)
    assert isinstance(decide(0, (3 * k - 1) * (3 * k - 2)), Proved)
    assert isinstance(decide(0, (3 * x - 1) * (3 * x - 2)), Violated)


def test_what_cannot_be_decided():
    assert "vacuous" in decide(x, x - 1, [x >= 1, x <= 0]).reason
    undefined = decide(1 / (n - 2), 1)
    assert isinstance(undefined, Undefined)
    assert undefined.point == {n: 2}
    assert "may vanish" in decide(-1 / (x**2 - 2) ** 2, 1).reason
    with pytest.raises(ValueError, match="domain is empty"):
        decide(0, 1, [sp.false])
    for bad in (sp.sqrt(n), sp.exp(n), sp.pi * n, 0.5 * n):
        with pytest.raises(ValueError, match="rational"):
            decide(bad, n)
    with pytest.raises(ValueError, match="not an inequality"):
        decide(0, 1, [sp.Ne(x, y)])
    with pytest.raises(ValueError, match="share a name"):
        decide(sp.Symbol("n"), n)


def test_disagreement_raises(monkeypatch):
    monkeypatch.setattr(inequalities.smt, "refute", lambda *_: True)
    with pytest.raises(RoutesDisagree):
        decide(n, 1)


def test_combination_is_checked_by_expansion():
    domain = Domain.of([x >= 1, y >= x])
    steps = inequalities.prove(sp.expand(x * y - y), domain, strict=False)
    assert steps is not None
    assert inequalities.prove(sp.expand(y - x - 1), domain, strict=False) is None
    assert inequalities.prove(sp.expand(x * y), domain, strict=True) is not None
    assert inequalities.prove(sp.expand(y - x), domain, strict=True) is None


def test_z3_on_its_own():
    domain = Domain.of([x >= 0, x <= 1])
    assert smt.refute(domain, [Condition(x - 2, False)]) is True
    point = smt.refute(domain, [Condition(2 * x - 1, True)])
    assert domain.contains(point)
    assert smt.witness(Domain.of([x > 1, x < 0])) is True


def test_cells_cover_the_domain():
    domain = Domain.of([r <= m, r <= n, x >= 0, x <= 1 / r, y <= 3])
    cover = cells.cells(domain)
    names = {s.name: s for s in domain.symbols}
    assert set(names) == {"m", "n", "r", "x", "y"}
    for cell in cover:
        at = {p.symbol: sp.Rational(2) for p in cell.parameters}
        point = {s: sp.sympify(e).subs(at) for s, e in cell.point.items()}
        assert domain.contains(point)


def test_incomparable_bounds_are_told_apart_by_cases():
    a, b, c = sp.symbols("a b c", real=True)
    lower = [a >= 0, b >= 0, c >= a, c >= b]
    assert isinstance(decide((a + b) / 2, c, lower), Proved)
    assert isinstance(decide(a + b, c, lower), Violated)


# --- one variable, complete ---------------------------------------------------------------------


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.integers(-6, 6), min_size=1, max_size=5),
    st.integers(-8, 8),
    st.integers(0, 8),
    st.booleans(),
)
def test_integer_decision_against_enumeration(coefficients, low, width, strict):
    polynomial = sum(c * x**k for k, c in enumerate(coefficients))
    lower, upper = (sp.Integer(low), False), (sp.Integer(low + width), False)
    found = orthant.violation(polynomial, x, lower, upper, integer=True, strict=strict)
    values = {k: sp.sympify(polynomial).subs(x, k) for k in range(low, low + width + 1)}
    bad = {k for k, v in values.items() if v < 0 or (strict and v == 0)}
    assert (found in bad) if bad else found is None


@settings(max_examples=40, deadline=None)
@given(st.lists(st.fractions(-3, 3, max_denominator=6), min_size=1, max_size=4), st.booleans())
def test_real_decision_from_known_roots(roots, squared):
    roots = [sp.Rational(q.numerator, q.denominator) for q in roots]
    polynomial = sp.expand(sp.prod((x - q) ** (2 if squared else 1) for q in roots))
    found = orthant.violation(polynomial, x, None, None, integer=False, strict=False)
    odd = any(roots.count(q) % 2 for q in roots)
    if squared or not odd:
        assert found is None
    else:
        assert polynomial.subs(x, found) < 0


def test_narrow_gap_between_irrational_roots():
    # Negative only within 1e-12 of sqrt(2).
    polynomial = (x**2 - 2) ** 2 - sp.Rational(1, 10**24)
    found = orthant.violation(polynomial, x, (sp.S.Zero, False), None, integer=False, strict=False)
    assert polynomial.subs(x, found) < 0


# --- random polynomials: never wrong ------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(-4, 6), min_size=6, max_size=6))
def test_never_contradicts_a_grid(coefficients):
    monomials = (1, m, n, m * n, m**2, n**2)
    polynomial = sp.Add(*[c * t for c, t in zip(coefficients, monomials, strict=True)])
    result = decide(0, polynomial)
    grid = [polynomial.subs({m: a, n: b}) for a in range(1, 12) for b in range(1, 12)]
    if isinstance(result, Proved):
        assert min(grid) >= 0
    if min(grid) < 0:
        assert isinstance(result, Violated)


def test_orthant_cuts():
    t = [orthant.Parameter(sp.Symbol(f"t{k}", real=True), False, False) for k in range(2)]
    a, b = (p.symbol for p in t)
    assert orthant.prove(sp.expand((a - b) ** 2 + a), t, strict=False)
    assert orthant.prove(sp.expand((a - 1) ** 2 + b), t, strict=False)
    assert orthant.prove(a - b, t, strict=False) is None
    assert orthant.prove(a + b, t, strict=True) is None
