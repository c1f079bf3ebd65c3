"""A statement's formula at numbers, and a claim by its name."""

import pytest
import sympy as sp

import zotheory
from zotheory.papers import UnknownClaim, select
from zotheory.vocabulary import Statement

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


def test_every_name_is_there():
    assert all(getattr(zotheory, name) for name in zotheory.__all__)
