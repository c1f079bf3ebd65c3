"""The limits against enclosures at finite k, and what must break their proofs."""

import pytest
import sympy as sp

from proofs_check.cards.order_statistics import size_of_minimum, split
from proofs_check.enclosures import compare, enclose
from proofs_check.results import Proved
from zotheory.papers.prior.quantities import (
    K,
    guided_growth,
    guided_second_bounds,
    size_of_minimum_limit,
)

X = sp.Symbol("x")


def test_the_limit_of_the_minimum():
    found = size_of_minimum_limit()
    assert found.value == sp.sqrt(2)
    assert len(found.steps) == 8


@pytest.mark.parametrize("k", [2, 4, 12])
def test_the_upper_bound_holds_at_every_k(k):
    assert isinstance(
        compare(sp.Le(X, sp.sqrt(2 * sp.log(2 * k))), {X: size_of_minimum(k)}), Proved
    )


@pytest.mark.parametrize("k", [4, 8, 12])
def test_the_bounds_of_the_guiding_vector_hold(k):
    lower, upper, _ = guided_second_bounds()
    second = {X: split(k, k // 2).second}
    assert isinstance(compare(sp.Ge(X, lower.subs(K, k)), second), Proved)
    assert isinstance(compare(sp.Le(X, upper.subs(K, k)), second), Proved)


def test_growth_of_the_guiding_vector():
    limit, doubled = guided_growth(2)
    assert (limit.value, doubled.value) == (8 / sp.pi, 1)
    limit, doubled = guided_growth(1)
    assert (limit.value, doubled.value) == (sp.oo, 2)
    assert enclose(8 / sp.pi).middle == pytest.approx(2.5465, abs=1e-4)
