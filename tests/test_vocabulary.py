"""A statement's formula at numbers, and a claim by its name."""

from pathlib import Path

import pytest
import sympy as sp

import zotheory
from zotheory.papers import UnknownClaim, select
from zotheory.vocabulary import Check, Claim, Kind, Setting, Statement, conjunction

m, half = sp.Symbol("m", positive=True), sp.Symbol("half")


def test_the_right_side_at_numbers_by_name():
    stated = Statement("so", sp.Le(sp.Symbol("E x"), half + 1), where={half: m / 2})
    assert stated.at(m=6) == 4
    assert stated.at() == m / 2 + 1


def test_a_name_of_no_symbol_is_refused():
    stated = Statement("so", sp.Le(sp.Symbol("E x"), m))
    with pytest.raises(ValueError, match=r"no symbol \['n'\]; there are \['m'\]"):
        stated.at(n=1)


def test_a_claim_by_its_id():
    assert zotheory.claim("tezo.thm1.variance").where == "Theorem 1, Eq. 9"
    with pytest.raises(UnknownClaim, match=r"tezo\.thm1'"):
        zotheory.claim("tezo.thm1")


def test_an_id_that_begins_others_names_one_claim():
    assert [claim.id for claim in select(["lezo.eq20"])] == ["lezo.eq20"]


@pytest.mark.parametrize("words", [("",), (None,), ("OPT-1.3B", None), (3, "SmolLM2-135M")])
def test_a_setting_is_told_in_words(words):
    with pytest.raises(ValueError, match="a setting is told in words"):
        Setting(*words)
    assert str(Setting("OPT-1.3B")) == "OPT-1.3B"


def test_what_each_kind_of_evidence_implies():
    implied = {
        kind: (kind.proves, kind.observes, kind.random, kind.needs_model, kind.by_the_clock)
        for kind in Kind
    }
    assert implied == {
        Kind.EXACT: (True, False, False, False, False),
        Kind.MEASURED: (False, True, True, False, False),
        Kind.SEARCH: (False, False, False, False, False),
        Kind.MODEL: (False, True, True, True, False),
        Kind.COUNTED: (False, True, False, False, False),
        Kind.TIMED: (False, True, True, True, True),
        Kind.PRINTED: (False, True, False, False, False),
    }


def test_every_name_is_there():
    assert all(getattr(zotheory, name) for name in zotheory.__all__)


def test_one_kind_and_one_check_will_do():
    check = Check(Kind.EXACT, len)
    for needs in ("exact", Kind.EXACT, ["exact"], {Kind.EXACT}):
        claim = Claim("my.a", "here", Statement("so"), needs, check)
        assert (claim.needs, claim.checks) == ((Kind.EXACT,), (check,))
    assert Statement("so", domain=m > 1).domain == Statement("so", domain=[m > 1]).domain


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"id": 3}, "claim id 3 must read 'paper.place'"),
        ({"statement": "so"}, "my.a: statement must be a zotheory.Statement, got 'so'"),
        ({"statement": None}, "my.a: statement must be a zotheory.Statement"),
        ({"mutant": "not so"}, "my.a: mutant must be a zotheory.Statement"),
        ({"setting": "OPT-1.3B"}, "my.a: setting must be a zotheory.Setting, got 'OPT-1.3B'"),
        ({"needs": "exakt"}, "my.a: needs must be one of exact, measured, .*, got 'exakt'"),
        ({"needs": ()}, "my.a: a claim needs at least one kind"),
        ({"checks": [len]}, "my.a: every one of the checks must be a zotheory.Check"),
        ({"checks": ()}, r"no check gives the evidence it needs \(exact\)"),
    ],
)
def test_what_makes_no_claim_is_told(changes, expected):
    values = {"id": "my.a", "where": "here", "statement": Statement("so"), "needs": "exact"}
    with pytest.raises(ValueError, match=expected):
        Claim(**{**values, "checks": Check(Kind.EXACT, len)} | changes)


@pytest.mark.parametrize("values", [(3,), ("so", "a <= b"), ("so", False)])
def test_what_makes_no_statement_is_told(values):
    with pytest.raises(ValueError, match=r"a statement says|a formula is a SymPy relation, got"):
        Statement(*values)


@pytest.mark.parametrize("check", [zotheory.exact, zotheory.measured, zotheory.searched])
def test_a_check_is_made_of_functions(check):
    with pytest.raises(ValueError, match="must be a function, got 'it'"):
        check("it")


@pytest.mark.parametrize("name", [3, None, ["tezo.thm1"], "nothing"])
def test_what_is_no_id_is_told(name):
    with pytest.raises(UnknownClaim, match="no claim is called"):
        zotheory.claim(name)


def test_a_relation_that_assumptions_decide_is_not_left_out_of_a_conjunction():
    positive, small = sp.Ge(m, 0), sp.Lt(half, 1)
    assert sp.And(positive, small) == small
    with pytest.raises(ValueError, match="relation 2 of 2 was found True by its symbols'"):
        conjunction(small, positive)
    kept = conjunction(small, sp.Ge(m, 0, evaluate=False))
    assert {str(relation) for relation in kept.args} == {"half < 1", "m >= 0"}
    assert len(conjunction(small, conjunction(kept, sp.Gt(half, 0))).args) == 3


def test_relations_that_exclude_each_other_are_told():
    with pytest.raises(ValueError, match="two of the relations exclude each other: half < 1, half"):
        conjunction(sp.Lt(half, 1), sp.Ge(half, 1))


def test_claims_are_conjoined_by_it_alone():
    papers = Path(zotheory.__file__).parent / "papers"
    assert [path.name for path in papers.rglob("*.py") if "sp.And(" in path.read_text()] == []
