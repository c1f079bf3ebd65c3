"""The limit of a fall, and what a stream of batches does to it."""

import numpy as np
import pytest
import sympy as sp

from proofs_check import falls
from proofs_check.cards.ratio import number
from proofs_check.falls import FORM, NORM2, TRACE
from proofs_check.step_batches import (
    NOISE,
    NOISE_FORM,
    RATIO,
    on_batches,
    share_variance,
    signal_share,
)
from proofs_check.step_limit import ACROSS, RHO, SLOPES, D, limit

EQUIVARIANT = {
    "gaussian": (falls.gaussian(), 1),
    "sphere": (falls.sphere(20), 1),
    "averaged": (falls.averaged(falls.gaussian(), 4), 4),
    "one_sided": (falls.one_sided(4, 0), 4),
    "nes": (falls.nes(5), 4),
    "greedy": (falls.greedy(4), 5),
    "greedy of 8": (falls.greedy(8), 9),
    "guiding_vector": (falls.guiding_vector(4, 2), 5),
    "guiding_vector of 12": (falls.guiding_vector(12, 6), 13),
    "orthonormal": (falls.orthonormal(20, 6), 6),
}


def fall(found, trace, rho):
    at = {NORM2: 1, TRACE: trace, FORM: rho}
    return number(found.slope.subs(at)) ** 2 / (2 * number(found.curvature.subs(at)))


@pytest.mark.sampled
@pytest.mark.parametrize("name", EQUIVARIANT)
@pytest.mark.parametrize("rho", [1, 2, 7])
def test_no_equivariant_estimate_passes_the_limit(name, rho):
    found, slopes = EQUIVARIANT[name]
    d, across = 20, 1
    most = float(limit().value.subs({NORM2: 1, SLOPES: slopes, D: d, RHO: rho, ACROSS: across}))
    assert fall(found, (d - 1) * across + rho, rho) <= most * (1 + 1e-12)


def test_orthonormal_differences_nearly_reach_it():
    at = {NORM2: 1, SLOPES: 6, D: 400, RHO: 2, ACROSS: 1}
    found = falls.orthonormal(400, 6)
    assert fall(found, 401, 2) > 0.99 * float(limit().value.subs(at))


def test_signs_on_a_diagonal_hessian_reach_it():
    """They are not equivariant, and fall as far as an equivariant estimate could at most."""
    at = {NORM2: 1, TRACE: 3, FORM: 1, falls.DIAGONAL: 1}
    signs = falls.rademacher().fall.subs(at)
    most = limit().value.subs({NORM2: 1, SLOPES: 1, D: 3, RHO: 1, ACROSS: 1})
    assert signs == most
    assert falls.gaussian().fall.subs(at) == most * sp.Rational(3, 5)


def test_the_limit_holds_for_a_step_that_depends_on_what_was_seen():
    """On a turned problem: a step along P g, best for each c = ||P g||^2, is still below it."""
    d, k, rho = 6, 2, 5.0
    h = np.diag([rho] + [1.0] * (d - 1))
    g = np.eye(d)[0]
    q = np.linalg.qr(np.random.default_rng(2).standard_normal((50_000, d, k)))[0]
    shown = np.einsum("bik,bk->bi", q, q[:, 0, :])
    c = shown @ g
    step = 1 / (1 + (rho - 1) * c)
    moved = step[:, None] * shown
    found = moved @ g - np.einsum("bi,ij,bj->b", moved, h, moved) / 2
    error = found.std() / len(found) ** 0.5
    assert abs(found.mean() - (step * c / 2).mean()) < 4.5 * error
    most = float(limit().value.subs({NORM2: 1, SLOPES: k, D: d, RHO: sp.Float(rho), ACROSS: 1}))
    fixed = fall(falls.orthonormal(d, k), d - 1 + rho, rho)
    assert fixed < found.mean() < most


def test_batches_by_simulation():
    rng = np.random.default_rng(4)
    d, samples = 4, 200_000
    root = rng.standard_normal((d, d))
    h = root @ root.T / d - 0.3 * np.eye(d)
    g, spread = rng.standard_normal(d), rng.standard_normal((d, d))
    z = rng.standard_normal((samples, d))
    noise = rng.standard_normal((2, samples, d)) @ spread.T
    first, second = (np.einsum("bi,bi->b", g + e, z) for e in noise)
    curved = np.einsum("bi,ij,bj->b", z, h, z)
    drawn = np.stack([first * second, first**2 * curved, first**2], axis=1)
    s = spread @ spread.T
    at = {NORM2: g @ g, TRACE: np.trace(h), FORM: g @ h @ g}
    at |= {NOISE: np.trace(s), NOISE_FORM: np.trace(s @ h)}
    found = on_batches()
    square = found.slope / signal_share()
    claimed = [float(part.subs(at)) for part in (found.slope, found.curvature, square)]
    error = drawn.std(axis=0) / samples**0.5
    assert np.all(np.abs(drawn.mean(axis=0) - claimed) < 4.5 * error)


@pytest.mark.parametrize("parts", [2, 5])
def test_how_well_the_signal_is_known(parts):
    rng = np.random.default_rng(6)
    ratio, samples = 3.0, 200_000
    x = rng.standard_normal((samples, 1)) + ratio**0.5 * rng.standard_normal((samples, parts))
    u = (x.sum(1) ** 2 - (x**2).sum(1)) / (parts * (parts - 1))
    claimed = float(share_variance(parts).value.subs(RATIO, 3))
    assert abs(u.mean() - 1) < 4.5 * (claimed / samples) ** 0.5
    assert 0.9 < u.var() / claimed < 1.1
