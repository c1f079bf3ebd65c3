"""The cards against independent derivations, and their premises against what must break them."""

from dataclasses import replace

import pytest
import sympy as sp

from proofs_check import matrices
from proofs_check.cards import NAMES, PERTURBATIONS, card
from proofs_check.cards.dense import iid_second_moment
from proofs_check.cards.estimate import inner, moments, norm2
from proofs_check.cards.invariance import Factor, NotInvariant, isotropic
from proofs_check.cards.low_rank import _entry
from proofs_check.cards.order_statistics import (
    ABOVE,
    PHI,
    T,
    _weighted_moment,
    minimum,
    split,
)
from proofs_check.cards.ratio import arcsine_transform, cosine_of_chi2, first_two_moments, number
from proofs_check.cards.subspace import projection_share
from proofs_check.matrices import G, M, N, R
from proofs_check.moments import scalar_moment
from tests.proofs_check.brute_force import brute_force
from zotheory.papers.tezo import terms

q, p = sp.Symbol("q", integer=True, positive=True), sp.Symbol("p", positive=True)


def same(a, b):
    return sp.simplify(a - b) == 0


# --- known values -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "scale", "variance"),
    [
        ("gaussian", 1, M * N + 1),
        ("rademacher", 1, M * N - 1),
        ("sphere", 1, M * N - 1),
        ("cp", R, 1 + M * N + 2 * M * N / R + 6 * (M + N) / R + 10 / R),
        ("low_rank", R, M * N + 1 + 2 * (M + N + 1) / R),
        ("subspace", R**2 / (M * N), M * N * (R**2 + 2) / R**2 - 1),
        ("svd_subspace", R**2 / (M * N), M * N * (R**2 + 2) / R**2 - 1),
        ("random_mask", p, M * N - 2 + 3 / p),
        ("averaged", 1, (M * N + 1) / q),
        ("nes", 1, (M * N + 1) / (q - 1)),
        ("orthonormal", 1, M * N / q - 1),
    ],
)
def test_scale_and_relative_variance(name, scale, variance):
    found = card(name)
    assert same(found.scale, scale)
    assert same(found.relative_variance, variance)


@pytest.mark.parametrize(
    "name", ["gaussian", "rademacher", "sphere", "cp", "low_rank", "subspace", "svd_subspace"]
)
def test_no_free_lunch(name):
    assert card(name).cos2 == 1 / (M * N)


def test_known_cosines():
    assert same(card("averaged").cos2, q / (M * N + q - 1))
    assert same(card("nes").cos2, (q - 1) / (M * N + q - 2))
    assert same(card("orthonormal").cos2, q / (M * N))
    assert card("layers", layers=10, dropped=4).cos2 == 1 / (10 * M * N)
    assert card("averaged", perturbation="cp").cos2 is None
    assert card("averaged", perturbation="cp", q=1).cos2 == 1 / (M * N)


def test_order_statistics():
    assert minimum(1).second == minimum(2).second == 1
    assert minimum(2).fourth == 3
    assert same(minimum(3).second, 1 + sp.sqrt(3) / (2 * sp.pi))
    assert same(minimum(4).second, 1 + sp.sqrt(3) / sp.pi)
    assert same(split(4, 2).second, 1 + 2 * sp.sqrt(3) / sp.pi)
    assert (split(2, 1).second, split(2, 1).fourth, split(2, 1).spread) == (2, 12, 2)


def test_greedy_and_gv_of_two_are_plain():
    for name, sizes in (("greedy", {}), ("guiding_vector", {"best": 1})):
        for perturbation in ("gaussian", "subspace", "cp"):
            found = card(name, perturbation=perturbation, candidates=2, **sizes)
            plain = card(perturbation)
            assert same(found.relative_variance, plain.relative_variance)
            assert found.cos2 is None or same(found.cos2, plain.cos2)


# --- a second route ------------------------------------------------------------------------------


def test_cp_is_the_engine_s_theorem_1():
    error = matrices.mean(terms.squared_error).value / matrices.G_NORM2
    assert same(card("cp").relative_variance, error)


def test_low_rank_against_all_coordinates():
    values = {M: 2, N: 2, R: 2}
    matrix = {(0, 0): 1, (0, 1): 2, (1, 0): 0, (1, 1): -1}
    square = inner(G, _entry) * inner(G, _entry) * norm2(_entry)
    second = brute_force(square, values, {"G": matrix}) / sum(x**2 for x in matrix.values())
    assert second / 4 - 1 == card("low_rank", m=2, n=2, r=2).relative_variance


def test_iid_entries_against_the_engine():
    assert same(iid_second_moment(scalar_moment).value, card("gaussian").relative_variance + 1)
    assert card("random_mask", keep=1).relative_variance == card("gaussian").relative_variance
    with pytest.raises(ValueError, match="odd moments"):
        iid_second_moment(lambda k: sp.S.One)


def test_the_full_subspace_is_gaussian():
    full, plain = card("subspace", m=3, n=3, r=3), card("gaussian", m=3, n=3)
    assert (full.scale, full.relative_variance) == (plain.scale, plain.relative_variance)
    assert (full.cos2, full.basis_variance) == (plain.cos2, 0)


def test_given_factors_reduce_to_a_gaussian():
    one = {"eigenvalues": (2, 2, 2), "weights": (1, 4, 3), "norm2": 5}
    found = card("cp_given", **one)
    assert (found.relative_variance, found.cos2) == (3 + 1, sp.Rational(8, 5) / (2 * 3))


def test_selection_of_a_subspace_draw_two_ways():
    r2 = card("subspace_given", r=2, kept=1)
    within = card("greedy", perturbation="subspace_given", r=2, kept=1)
    assert same(within.relative_variance, card("greedy", m=2, n=2).relative_variance)
    assert same(r2.relative_variance, card("gaussian", m=2, n=2).relative_variance)


def test_averaging_a_subspace_two_ways():
    inside = card("averaged", m=R, n=R)
    share = R**2 / (M * N)
    found = card("averaged", perturbation="subspace")
    assert same(found.relative_variance, (1 + inside.relative_variance) / share - 1)
    assert same(found.cos2, share * inside.cos2)


def test_two_routes_to_selected_moments():
    for candidates, best in ((2, 1), (4, 2)):
        known = split(candidates, best)
        for order, value in ((2, known.second), (4, known.fourth)):
            weighted = _weighted_moment(order, candidates, best)
            integral = number(sp.Integral(weighted, (T, -sp.oo, sp.oo)))
            assert integral == pytest.approx(number(value), rel=1e-10)


def test_two_routes_to_the_cosine_of_greedy():
    known = minimum(4)
    other = replace(known, beta=None, density=4 * ABOVE**3 * PHI)
    d = sp.Integer(12)
    assert number(known.cos2(d)) == pytest.approx(number(other.cos2(d)), rel=1e-9)


def test_ratio_of_chi_squares():
    a, b = sp.Integer(3), sp.Integer(8)
    assert cosine_of_chi2(a, b) == sp.Rational(3, 10)
    assert first_two_moments(arcsine_transform(sp.S.Zero)) == (1, 3)
    with pytest.raises(ValueError, match="F\\(1\\)"):
        first_two_moments(2 * arcsine_transform(sp.S.Zero))


def test_frames():
    assert projection_share(R, M).value == R / M


# --- premises that must be able to fail ----------------------------------------------------------


def test_frozen_factors_are_not_invariant():
    factors = {
        "T": Factor(("r", "1"), "Gaussian"),
        "U": Factor(("m", "r"), "fixed"),
        "V": Factor(("n", "r"), "Gaussian"),
    }
    with pytest.raises(NotInvariant):
        isotropic(lambda T, U, V: U * sp.diag(*T) * V.T, factors)


def test_a_non_linear_map_is_not_invariant():
    with pytest.raises(NotInvariant):
        isotropic(lambda X: X + sp.ones(*X.shape), {"X": Factor(("m", "n"), "Gaussian")})
    with pytest.raises(NotInvariant):
        isotropic(lambda X: X, {"X": Factor(("m", "n"), "Haar")})


def test_a_mean_that_is_no_multiple_of_the_gradient():
    with pytest.raises(ValueError, match="no multiple"):
        moments(lambda i, j: G[i, j] * 1 + _entry(i, j))


# --- the entry point -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_every_card_is_symbolic_and_explained(name):
    found = card(name)
    assert found.steps
    assert found.assumptions
    assert found.symbols() or name in ("greedy", "guiding_vector")
    assert all(isinstance(step, str) and step for step in found.steps)


def test_sizes_before_or_after_agree():
    sizes = {"m": 5, "n": 4, "r": 2}
    for name in ("cp", "low_rank", "subspace"):
        before, after = card(name, **sizes), card(name).at(**sizes)
        assert before == after
        assert not before.symbols()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "nothing"}, "no card"),
        ({"name": "cp", "rank": 3}, "no size"),
        ({"name": "cp", "r": 0}, "at least 1"),
        ({"name": "gaussian", "m": 2.5}, "integer"),
        ({"name": "subspace", "m": 3, "n": 5, "r": 4}, "do not fit"),
        ({"name": "random_mask", "keep": 0}, "keep must lie"),
        ({"name": "nes", "q": 1}, "at least 2"),
        ({"name": "nes", "perturbation": "sphere"}, "not Gaussian"),
        ({"name": "greedy", "perturbation": "rademacher"}, "not Gaussian"),
        ({"name": "greedy", "candidates": 0}, "at least 1"),
        ({"name": "guiding_vector", "candidates": 4, "best": 4}, "no others"),
        ({"name": "averaged", "perturbation": "averaged"}, "no perturbation"),
        ({"name": "cp", "perturbation": "cp"}, "does not build"),
        ({"name": "layers", "layers": 3, "dropped": 3}, "leaves none"),
        ({"name": "orthonormal", "m": 2, "n": 2, "q": 5}, "orthogonal"),
        ({"name": "cp_given", "eigenvalues": (1, 2), "weights": (1,)}, "one each"),
        ({"name": "cp_given", "eigenvalues": (1, 0), "weights": (1, 1)}, "positive"),
        ({"name": "cp_given", "eigenvalues": (1, 2), "weights": (0, 0)}, "not all zero"),
    ],
)
def test_bad_input(arguments, message):
    with pytest.raises(ValueError, match=message):
        card(**arguments)


def test_a_card_rejects_sizes_that_it_does_not_have():
    with pytest.raises(ValueError, match="no size"):
        card("gaussian").at(r=3)
    with pytest.raises(ValueError, match="missing"):
        number(card("gaussian").relative_variance)


def test_names():
    assert len(NAMES) == len(set(NAMES))
    assert set(PERTURBATIONS) < set(NAMES)
