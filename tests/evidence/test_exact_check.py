"""The exact check says yes, no, and that it does not know."""

import pytest
import sympy as sp

from proofs_check.gaussian import Derivation
from proofs_check.results import Enclosed
from zotheory.budget import BUDGETS
from zotheory.context import Context
from zotheory.evidence.exact import conjuncts, exact
from zotheory.montecarlo import MonteCarlo
from zotheory.vocabulary import Kind, Statement, Verdict

m, k = sp.symbols("m k", integer=True, positive=True)
x = sp.Symbol("x", real=True)
MEAN = sp.Symbol("E q")
LENGTH = (sp.Ge(m, 1, evaluate=False),)


def derived(value):
    return lambda statement: {MEAN: Derivation(value, ("by definition",))}


def judge(formula, domain=LENGTH, value=m**2, tmp_path=None, **options):
    context = Context("p.a", 0, BUDGETS["quick"], MonteCarlo(0), None, tmp_path)
    check = exact(derived(value), **options)
    assert check.kind is Kind.EXACT
    return check.judge(Statement("so", formula, domain), context)


@pytest.mark.parametrize(
    "formula",
    [
        sp.Eq(MEAN, m**2),
        sp.Eq(MEAN, (m + 1) ** 2 - 2 * m - 1),
        sp.Le(MEAN, m**3),
        sp.Ge(MEAN, m),
        sp.Lt(MEAN, m**2 + 1),
        sp.Gt(MEAN, m - 1),
        sp.And(sp.Eq(MEAN, m**2), sp.Ge(MEAN, m)),
    ],
)
def test_what_holds_is_proved(formula):
    found = judge(formula)
    assert found.verdict is Verdict.PROVED
    assert "by definition" in found.certificate["steps"]
    assert len(found.certificate["steps"]) > 1
    assert "m >= 1" in found.summary


@pytest.mark.parametrize(
    ("formula", "fails"),
    [
        (sp.Eq(MEAN, m), lambda a, c: a != c),
        (sp.Le(MEAN, 2 * m), lambda a, c: a > c),
        (sp.Lt(MEAN, m**2), lambda a, c: a >= c),
        (sp.Ge(MEAN, m + 1), lambda a, c: a < c),
        (sp.Gt(MEAN, m**2), lambda a, c: a <= c),
        (sp.And(sp.Eq(MEAN, m**2), sp.Ge(MEAN, m + 1)), lambda a, c: a < c),
        (sp.And(sp.Le(MEAN, m**3), sp.Eq(MEAN, 1)), lambda a, c: a != c),
    ],
)
def test_what_fails_is_refuted_at_a_point(formula, fails):
    found = judge(formula)
    assert found.verdict is Verdict.REFUTED
    certificate = found.certificate
    assert certificate["actual"] == certificate["inputs"]["m"] ** 2  # the left side, which way ever
    assert fails(certificate["actual"], certificate["claimed"])
    assert found.numbers == {k: certificate[k] for k in ("claimed", "actual")}
    assert "claimed" in found.summary
    assert "actual" in found.summary


def test_a_counterexample_lies_in_the_domain():
    found = judge(sp.Le(MEAN, 9), (*LENGTH, sp.Ge(m, 5, evaluate=False)))
    assert found.verdict is Verdict.REFUTED
    assert found.certificate["inputs"]["m"] >= 5
    assert judge(sp.Ge(MEAN, 9), (sp.Ge(m, 3, evaluate=False),)).verdict is Verdict.PROVED


def test_a_refutation_without_symbols_names_both_numbers():
    found = judge(sp.Eq(MEAN, 9), (), value=sp.Integer(15))
    assert found.verdict is Verdict.REFUTED
    assert found.summary == "claimed 9, actual 15"


def test_the_witness_gets_the_counterexample():
    found = judge(sp.Eq(MEAN, m), witness=lambda s, failed: f"{s.says} {dict(failed.inputs)}")
    assert found.certificate["snippet"] == f"so {dict(found.certificate['inputs'])}"


def test_a_derived_bound_proves_but_does_not_refute():
    assert judge(sp.Le(MEAN, m**2), attained=False).verdict is Verdict.PROVED
    found = judge(sp.Le(MEAN, m), attained=False)
    assert found.verdict is Verdict.INCONCLUSIVE
    assert "proves nothing" in found.summary


def test_nothing_to_derive():
    assert judge(sp.Le(m, m**2), value=sp.S.Zero).verdict is Verdict.PROVED


@pytest.mark.parametrize(
    "formula",
    [None, sp.true, sp.false, m + 1, sp.Ne(MEAN, m), sp.Or(sp.Eq(MEAN, m), sp.Le(MEAN, k))],
)
def test_a_formula_that_cannot_be_judged_is_refused(formula):
    with pytest.raises(ValueError, match="must be a relation"):
        conjuncts(formula)


def test_conjuncts():
    relations = (sp.Le(x, 1), sp.Eq(MEAN, m))
    assert set(conjuncts(sp.And(*relations))) == set(relations)
    assert conjuncts(relations[0]) == (relations[0],)


def enclosed(lower, upper):
    return lambda _: {MEAN: Enclosed(lower, upper, ("by bounds",))}


@pytest.mark.parametrize(
    ("formula", "verdict"),
    [
        (sp.Le(MEAN, m + 1), Verdict.PROVED),
        (sp.Lt(MEAN, m + 1), Verdict.INCONCLUSIVE),
        (sp.Lt(MEAN, m), Verdict.REFUTED),
        (sp.Ge(MEAN, m), Verdict.PROVED),
        (sp.Gt(MEAN, m + 1), Verdict.REFUTED),
        (sp.Ge(m, MEAN), Verdict.INCONCLUSIVE),
        (sp.Le(m, MEAN), Verdict.PROVED),
        (sp.And(sp.Ge(MEAN, m), sp.Le(MEAN, m)), Verdict.INCONCLUSIVE),
    ],
)
def test_bounds_decide_what_they_reach(formula, verdict, tmp_path):
    """m <= E q <= m + 1."""
    context = Context("p.a", 0, BUDGETS["quick"], MonteCarlo(0), None, tmp_path)
    found = exact(enclosed(m, m + 1)).judge(Statement("so", formula, LENGTH), context)
    assert found.verdict is verdict


def test_one_bound_may_be_unknown(tmp_path):
    context = Context("p.a", 0, BUDGETS["quick"], MonteCarlo(0), None, tmp_path)
    for formula, verdict in ((sp.Le(MEAN, m), Verdict.PROVED), (sp.Gt(MEAN, m), Verdict.REFUTED)):
        found = exact(enclosed(None, m)).judge(Statement("so", formula, LENGTH), context)
        assert found.verdict is verdict
    found = exact(enclosed(None, m)).judge(Statement("so", sp.Ge(MEAN, 0), LENGTH), context)
    assert found.verdict is Verdict.INCONCLUSIVE
