"""Sample sizes that do, that do not, and the union bound against simulation."""

import numpy as np
import pytest
import sympy as sp

from zotheory.papers.prior.lemma1 import DELTA, D, _sufficient, least_constant, share_of_dimension

LINEAR = D + sp.log(1 / DELTA)


def test_a_logarithm_of_the_dimension_is_no_share_of_it():
    assert share_of_dimension(sp.log(D / DELTA)) == 0
    assert share_of_dimension(LINEAR) == 1
    assert share_of_dimension(D * sp.log(D)) == sp.oo


@pytest.mark.sampled(1)
@pytest.mark.parametrize(
    ("samples", "constant"), [(LINEAR, 93), (D + 2 * sp.log(2 / DELTA), 71), (2 * LINEAR, 47)]
)
def test_the_least_constant(samples, constant):
    assert least_constant(samples).value == constant


def test_no_constant_is_enough():
    assert least_constant(sp.log(D / DELTA)) is None
    assert least_constant(D) is None  # delta -> 0 needs more


def test_the_union_bound_is_above_what_is_seen():
    """At the sufficient k the error stays far below eps; a fifth of it is enough at d = 8."""
    needed, _ = _sufficient()
    k = int(needed.subs({D: 8, DELTA: sp.Rational(1, 2)}).evalf() / 0.5**2)
    rng = np.random.default_rng(0)
    for samples, within in ((k, True), (k // 100, False)):
        z = rng.standard_normal((samples, 8))
        assert (np.linalg.norm(z.T @ z / samples - np.eye(8), 2) <= 0.5) == within


@pytest.mark.parametrize("u", [0.1, 0.5, 0.9])
def test_the_tails_are_those_of_chernoff(u):
    for exponent in ((u - np.log1p(u)) / 2, (-u - np.log1p(-u)) / 2):
        assert exponent >= u**2 / 8
