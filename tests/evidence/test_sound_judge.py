"""The exact judge on statements of known truth: undecided at worst, never wrong, never raising."""

import contextlib
import io
from pathlib import Path

import pytest
import sympy as sp
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from known_statements import (
    function_of,
    of_integers,
    of_tensors,
    touching,
    undefined_somewhere,
    unevaluated,
)

from proofs_check.contractions import Contraction
from proofs_check.gaussian import Fixed, Index, contraction
from proofs_check.results import Enclosed
from zotheory.budget import BUDGETS
from zotheory.context import Context
from zotheory.evidence.exact import DOES_NOT_FOLLOW, UNDEFINED, exact
from zotheory.montecarlo import MonteCarlo
from zotheory.vocabulary import Evidence, Statement, Verdict

x, y = sp.symbols("x y", real=True)
a, b = sp.symbols("a b", positive=True)
u = sp.Symbol("u", nonnegative=True)
k = sp.Symbol("k", integer=True)
n = sp.Symbol("n", integer=True, positive=True)
m = sp.Symbol("m", integer=True, nonnegative=True)
UNIT = (sp.Ge(x, 0), sp.Le(x, 1))
SQUARE = (*UNIT, sp.Ge(y, 0), sp.Le(y, 1))
third = sp.Rational(1, 3)


def judge(statement: Statement, check=None) -> Evidence:
    context = Context("p.a", 0, BUDGETS["quick"], MonteCarlo(0), None, Path())
    return (check or exact()).judge(statement, context)


def says(kind, lhs, rhs, *domain) -> Statement:
    return Statement("so", unevaluated(kind, lhs, rhs), domain)


def assert_counterexample(found: Evidence, statement: Statement) -> None:
    """The inputs lie in the domain, and the relation fails there, by SymPy's own arithmetic."""
    inputs = found.certificate["inputs"]
    relation, domain = statement.formula, statement.domain
    at = {s: inputs[str(s)] for s in sp.Tuple(relation, *domain).free_symbols}
    for s, value in at.items():
        assert all(getattr(value, f"is_{what}") is so for what, so in s.assumptions0.items())
    assert all(condition.subs(at) == sp.true for condition in domain)
    if found.reading != UNDEFINED:
        lhs, rhs = (sp.N(side.subs(at), 50) for side in (relation.lhs, relation.rhs))
        close = abs(lhs - rhs) < sp.Float(10) ** -30 * (1 + abs(lhs))
        strict = isinstance(relation, sp.Lt | sp.Gt)
        assert strict if close else relation.func(lhs, rhs) == sp.false


def assert_recomputed(found: Evidence, statement: Statement) -> None:
    """The snippet computes both numbers from the tensors, which are in the certificate."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(found.certificate["snippet"], {})
    lines = dict(line.split() for line in printed.getvalue().splitlines())
    for name in ("claimed", "actual"):
        assert float(lines[name]) == pytest.approx(float(found.certificate[name]), abs=1e-12)
    symbols = [s for s in statement.formula.free_symbols if isinstance(s, Contraction)]
    assert {name for s in symbols for name, _, _ in s.shape.entries} <= set(
        found.certificate["inputs"]
    )


def never_wrong(known) -> None:
    found = judge(known.statement)
    if found.verdict is Verdict.PROVED:
        assert known.true
    if found.verdict is Verdict.REFUTED:
        assert not known.true
        assert found.reading == ""
        assert_counterexample(found, known.statement)


QUICK = settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
MANY = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))

polynomials = touching(most=3)
functions = touching(rewrite=function_of, most=2)


@QUICK
@given(polynomials)
def test_polynomials_at_and_off_their_boundary(known):
    never_wrong(known)


@QUICK
@given(functions)
def test_functions_that_are_not_rational(known):
    never_wrong(known)


@QUICK
@given(of_integers())
def test_what_is_true_of_integers_only(known):
    never_wrong(known)


def never_proved(statement: Statement) -> None:
    found = judge(statement)
    assert found.verdict in (Verdict.REFUTED, Verdict.INCONCLUSIVE)
    if found.verdict is Verdict.REFUTED:
        assert found.reading == UNDEFINED
        assert found.summary.startswith("undefined at")
        assert_counterexample(found, statement)


@QUICK
@given(undefined_somewhere())
def test_a_formula_that_is_undefined_at_a_point_is_not_proved(statement):
    never_proved(statement)


@QUICK
@given(of_tensors())
def test_contractions_are_refuted_by_tensors(known):
    found = judge(known.statement)
    if found.verdict is Verdict.PROVED:
        assert known.true
    if found.verdict is Verdict.REFUTED:
        assert not known.true
        assert_recomputed(found, known.statement)


@pytest.mark.slow
@MANY
@given(st.one_of(touching(), touching(rewrite=function_of, most=3), of_integers()))
def test_many_statements(known):
    never_wrong(known)


@pytest.mark.slow
@MANY
@given(undefined_somewhere())
def test_many_formulas_that_are_undefined_at_a_point(statement):
    never_proved(statement)


# What is decided, not only left open.


TRUE = [
    says(sp.Le, sp.sqrt(a * b), (a + b) / 2),
    says(sp.Le, 1 + x, sp.exp(x)),
    says(sp.Le, sp.log(a), a - 1),
    says(sp.Le, sp.exp(x), 3, *UNIT),
    says(sp.Le, sp.Abs(x + y), sp.Abs(x) + sp.Abs(y)),
    says(sp.Eq, sp.Max(x, y) + sp.Min(x, y), x + y),
    says(sp.Lt, x - 1, sp.floor(x)),
    says(sp.Lt, sp.Mod(k, n), n),
    says(sp.Le, k, k**2),
    says(sp.Le, n + 1, 2**n),
    says(sp.Le, 2**k, 8, sp.Ge(k, -3), sp.Le(k, 3)),
    says(sp.Le, x * sp.log(x), 0, sp.Gt(x, 0), sp.Le(x, 1)),
    says(sp.Le, sp.pi * n, 4 * n),
    says(sp.Lt, sp.sqrt(2) + sp.sqrt(3), sp.sqrt(10)),
    says(sp.Eq, sp.gamma(a + 1), a * sp.gamma(a)),
    says(sp.Eq, x * y, 0, sp.Eq(x, 0)),
    says(sp.Lt, 0, sp.Symbol("s", real=True, nonzero=True) ** 2),
    says(sp.Le, sp.Symbol("s", negative=True), 0),
    says(sp.Le, u**third, 1 + u),
    says(sp.Eq, sp.asin(x) + 1, 1 + sp.asin(x), sp.Ge(x, -1), sp.Le(x, 1)),
]

FALSE = [
    says(sp.Lt, sp.sqrt(a * b), (a + b) / 2),
    says(sp.Lt, 1 + x, sp.exp(x)),
    says(sp.Le, sp.exp(x), sp.Rational(27182, 10000), *UNIT),
    says(sp.Lt, sp.Mod(k, 3), 2),
    says(sp.Le, x, x**2),
    says(sp.Lt, 0, k**2),
    says(sp.Le, 1 / (x - y), 5, *SQUARE),
    says(sp.Lt, 2**n, sp.factorial(n)),
    says(sp.Le, a**b, 1),
    says(sp.Eq, sp.Mod(k**2 - k, 4), 0),
    says(sp.Le, sp.Piecewise((x, x > 0), (-x, True)), 1),
    says(sp.Le, sp.pi * n, 3 * n),
    says(sp.Eq, sp.Abs(x), x),
    says(sp.Lt, 10**30 * x, 10**30 * x**2 + sp.Rational(10**30, 4)),
]

UNDEFINED_SOMEWHERE = [
    says(sp.Eq, (x**2 - 1) / (x - 1), x + 1),
    says(sp.Le, -1 / (x - y) ** 2, 1, *SQUARE),
    says(sp.Le, sp.log(u), u),
    says(sp.Le, sp.sqrt(x), x**2 + 1),
    says(sp.Le, x**third, 1 + sp.Abs(x)),
    says(sp.Eq, sp.gamma(x + 1), x * sp.gamma(x)),
    says(sp.Le, sp.factorial(k), sp.factorial(k) + 1),
    says(sp.Le, 2, 1 / u + u),
    says(sp.Le, sp.Piecewise((1, x > 0)), 1),
    says(sp.Le, sp.asin(x), 2),
]

OPEN = [
    says(sp.Eq, sp.Float(0.1) + sp.Float(0.2), sp.Float(0.3)),
    says(sp.Le, 0.5 * x, x**2 + 1),
    says(sp.Le, sp.Sum(1 / k**2, (k, 1, sp.oo)), 2),
    says(sp.Le, sp.Integral(sp.exp(-(x**2)), (x, 0, 1)), 1),
    says(sp.Le, sp.Function("f")(x), 1),
    says(sp.Lt, 0, (x**2 - 2) ** 2),
    says(sp.Lt, 0, (x**2 - 2) ** 2, sp.Ge(x, sp.Rational(141, 100)), sp.Le(x, sp.Rational(71, 50))),
    says(sp.Le, x**y, 1, *SQUARE),
    says(sp.Le, u**m, 1 + u ** (m + 1)),
    says(sp.Le, x + sp.I * y, 1),
]


@pytest.mark.parametrize("statement", TRUE, ids=lambda s: str(s.formula))
def test_true(statement):
    found = judge(statement)
    assert found.verdict is Verdict.PROVED
    assert found.certificate["steps"]


@pytest.mark.parametrize("statement", FALSE, ids=lambda s: str(s.formula))
def test_false(statement):
    found = judge(statement)
    assert found.verdict is Verdict.REFUTED
    assert found.reading == ""
    assert_counterexample(found, statement)


@pytest.mark.parametrize("statement", UNDEFINED_SOMEWHERE, ids=lambda s: str(s.formula))
def test_undefined_at_a_point_of_the_domain(statement):
    found = judge(statement)
    assert found.verdict is Verdict.REFUTED
    assert found.reading == UNDEFINED
    assert "undefined" in found.certificate
    assert_counterexample(found, statement)


@pytest.mark.parametrize("statement", OPEN, ids=lambda s: str(s.formula))
def test_beyond_the_judge(statement):
    found = judge(statement)
    assert found.verdict is Verdict.INCONCLUSIVE
    assert found.summary


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        (says(sp.Le, 1, sp.Symbol("p") ** 2 + 1), "symbol p has no stated domain"),
        (says(sp.Le, 0, sp.Symbol("i", imaginary=True) ** 2), "not real"),
        (says(sp.Le, x, 1, sp.Ge(x, 2), sp.Le(x, 1)), "the domain is empty"),
        (says(sp.Le, 0, x**2, sp.Ge(y, 1), sp.Le(y, 0)), "the domain is empty"),
        (says(sp.Le, 0, x**2, sp.false), "the domain is empty"),
        (says(sp.Le, n, (-2) ** third, unevaluated(sp.Le, n, -1)), "the domain is empty"),
        (says(sp.Le, sp.exp(x), 3, sp.Ge(x, 1), sp.Lt(x, 1)), "the domain is empty"),
        (says(sp.Le, sp.Symbol("x", positive=True), x), "share a name"),
        (Statement("so", sp.Le(x**2, x**2 + 1)), "evaluate=False"),
    ],
)
def test_what_nobody_can_judge_is_an_error(statement, message):
    with pytest.raises(ValueError, match=message):
        judge(statement)


def test_a_symbol_may_be_bounded_by_the_domain():
    p = sp.Symbol("p")
    assert judge(says(sp.Le, p, p**2, sp.Ge(p, 1))).verdict is Verdict.PROVED


def test_where_a_condition_is_undefined_is_no_point_of_the_domain():
    condition = sp.Le((x**2 - 1) / (x - 1), 5)
    assert judge(says(sp.Le, -1 / (x - 1) ** 2, 0, condition)).verdict is not Verdict.REFUTED


def test_cauchy_schwarz_is_proved_and_its_half_refuted_by_vectors():
    i, g, h = Index("i", n), Fixed("g"), Fixed("h")
    gh = contraction(g[i] * h[i])
    bound = contraction(g[i] * g[i]) * contraction(h[i] * h[i])
    assert judge(says(sp.Le, gh**2, bound)).verdict is Verdict.PROVED
    false = says(sp.Le, gh**2, bound / 2)
    found = judge(false)
    assert found.verdict is Verdict.REFUTED
    assert_recomputed(found, false)


def test_free_numbers_do_not_refute_what_no_tensors_attain():
    """At n = 1 the two are equal; the judge does not know that, and does not refute it."""
    i, g, h = Index("i", n), Fixed("g"), Fixed("h")
    gh = contraction(g[i] * h[i])
    bound = contraction(g[i] * g[i]) * contraction(h[i] * h[i])
    found = judge(says(sp.Le, bound, gh**2, sp.Le(n, 1)))
    assert found.verdict is Verdict.INCONCLUSIVE
    assert "no tensors" in found.summary


def test_tensors_show_where_a_formula_in_contractions_is_undefined():
    i, g, h = Index("i", n), Fixed("g"), Fixed("h")
    gh = contraction(g[i] * h[i])
    size = contraction(g[i] * g[i])
    found = judge(says(sp.Le, sp.sqrt(gh), size + gh**2 + 1))
    assert found.reading == UNDEFINED
    assert {"g", "h"} <= set(found.certificate["inputs"])


def test_a_name_for_a_longer_expression_is_not_free():
    name = sp.Symbol("b", real=True)
    formula = unevaluated(sp.Le, name, 2)
    assert judge(Statement("so", formula, UNIT, where={name: x + 1})).verdict is Verdict.PROVED
    found = judge(Statement("so", formula, UNIT, where={name: x + sp.Rational(3, 2)}))
    assert found.verdict is Verdict.REFUTED
    assert found.certificate["inputs"].keys() == {"x"}


def test_a_quantity_that_is_only_enclosed_is_one_side():
    quantity = sp.Symbol("E q")
    check = exact(lambda _: {quantity: Enclosed(x, x + 1)})
    assert judge(says(sp.Le, quantity, x + 1), check).verdict is Verdict.PROVED
    assert judge(says(sp.Eq, quantity, x), check).verdict is Verdict.INCONCLUSIVE
    with pytest.raises(ValueError, match="one side"):
        judge(says(sp.Le, quantity + 1, x + 2), check)


def test_an_upper_bound_proves_nothing_below_it():
    quantity = sp.Symbol("E q")
    check = exact(lambda _: {quantity: Enclosed(None, x)})
    assert judge(says(sp.Ge, quantity, x), check).verdict is Verdict.INCONCLUSIVE


def test_a_step_that_does_not_follow_is_not_a_false_conclusion():
    found = judge(says(sp.Le, x, 0, sp.Le(x, 1)), exact(step=True))
    assert found.verdict is Verdict.REFUTED
    assert found.reading == DOES_NOT_FOLLOW
    assert found.summary.startswith("does not follow from its premise: at x = ")
