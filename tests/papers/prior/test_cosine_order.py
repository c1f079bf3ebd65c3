"""The order of cosines against their values, and the cases that it has to leave open."""

import itertools

import pytest
import sympy as sp

from proofs_check.cards.order_statistics import minimum, split
from proofs_check.cards.ratio import arcsine_transform, number
from zotheory.papers.prior.cosine_order import Averaged, C, Chosen, _sign_of, order

LAWS = [
    Averaged(1),
    Averaged(2),
    Averaged(3),
    Chosen.of(minimum(3)),
    Chosen.of(minimum(4)),
    Chosen.of(split(4, 2)),
]


@pytest.mark.sampled
@pytest.mark.parametrize(("first", "second"), itertools.combinations(LAWS, 2))
def test_the_order_is_that_of_the_values(first, second):
    found = order(first, second)
    assert found.sign in (1, -1)
    assert order(second, first).sign == -found.sign
    for d in (2, 3, 20):
        gap = number(first.cos2(d) - second.cos2(d))
        assert gap * found.sign > 0


def test_two_candidates_are_plain():
    for law in (minimum(2), split(2, 1)):
        assert order(Chosen.of(law), Averaged(1)).sign == 0


def test_the_transforms_are_those_of_the_cards():
    beta = split(4, 2).beta
    assert sp.simplify(Chosen(beta).scaled() - sp.sqrt(C) * arcsine_transform(beta)) == 0


def test_laws_without_a_transform_are_refused():
    with pytest.raises(ValueError, match="no arcsine transform"):
        Chosen.of(minimum(8))


def test_crossing_transforms_are_left_open():
    """Beta so large that F_A starts below and ends above: no order for every d."""
    found = order(Chosen(4 / sp.pi), Averaged(2))
    assert found.sign is None or all(
        number(Chosen(4 / sp.pi).cos2(d) - Averaged(2).cos2(d)) * found.sign > 0 for d in (2, 50)
    )
    assert order(Chosen(sp.Rational(16, 10)), Averaged(2)).sign is None


def test_signs():
    assert _sign_of([1], None) == 1
    assert _sign_of([1, -1], 0) == 1
    assert _sign_of([1, -1], -1) is None
    assert _sign_of([-1, 1], -1) == -1
    assert _sign_of([1, -1, 1], 0) is None
    assert _sign_of(None, 0) is None
