"""Falls on a quadratic loss: against enumeration, simulation from the definition, known values."""

import card_samples as cs
import numpy as np
import pytest
import sympy as sp

from proofs_check import falls
from proofs_check.cards import card
from proofs_check.cards.card import M, N, Q, R
from proofs_check.cards.ratio import number
from proofs_check.falls import FORM, NORM2, TRACE, averaged, gaussian, isotropic

G = cs.G
D = G.size
RNG = np.random.default_rng(7)
ROOT = RNG.standard_normal((D, D))
HESSIAN = ROOT @ np.diag(np.linspace(-0.3, 1.0, D) ** 3) @ ROOT.T / D
FOUR = HESSIAN.reshape(cs.M, cs.N, cs.M, cs.N)
FLAT = G.ravel()
INVARIANTS = {
    "norm2": FLAT @ FLAT,
    "trace": np.trace(HESSIAN),
    "form": FLAT @ HESSIAN @ FLAT,
    "diagonal": FLAT**2 @ np.diag(HESSIAN),
    "rows": np.einsum("ij,kj,iaka->", G, G, FOUR),
    "columns": np.einsum("ij,il,ajal->", G, G, FOUR),
    "swapped": np.einsum("ij,kl,ilkj->", G, G, FOUR),
    "trace2": np.trace(HESSIAN @ HESSIAN),
    "trace3": np.trace(HESSIAN @ HESSIAN @ HESSIAN),
}


def numbers(found, **sizes):
    """a and b at the fixed G and H."""
    values = []
    for part in (found.slope, found.curvature):
        names = {s.name for s in part.free_symbols}
        known = {k: v for k, v in falls._NAMES.items() if v.name in names}
        at = {symbol: INVARIANTS[k] for k, symbol in known.items()}
        at |= {s: sizes[s.name] for s in part.free_symbols if s.name in sizes}
        values.append(number(sp.sympify(part.subs(at))))
    return values


SIZES = {"m": cs.M, "n": cs.N, "r": cs.R}
SIMULATED = {
    "gaussian": (falls.gaussian(), cs.gaussian, cs.average, 1),
    "rademacher": (falls.rademacher(), cs.rademacher, cs.average, 1),
    "sphere": (falls.sphere(D), cs.sphere, cs.average, 1),
    "cp": (falls.cp(), cs.cp, cs.average, 1),
    "cp kept": (falls.averaged(falls.cp(), 3), cs.cp, cs.average, 3),
    "low_rank": (falls.low_rank(), cs.low_rank, cs.average, 1),
    "low_rank kept": (falls.averaged(falls.low_rank(), 3), cs.low_rank, cs.average, 3),
    "subspace": (falls.subspace(), cs.subspace, cs.average, 1),
    "subspace kept": (falls.averaged(falls.subspace(), 3), cs.subspace, cs.average, 3),
    "random_mask": (falls.random_mask(0.6), cs.random_mask, cs.average, 1),
    "random_mask kept": (falls.averaged(falls.random_mask(0.6), 2), cs.random_mask, cs.average, 2),
    "averaged": (falls.averaged(falls.gaussian(), 3), cs.gaussian, cs.average, 3),
    "nes": (falls.nes(4), cs.gaussian, cs.nes, 4),
    "greedy": (falls.greedy(4), cs.gaussian, cs.greedy, 4),
    "greedy of 5": (falls.greedy(5), cs.gaussian, cs.greedy, 5),
    "guiding_vector": (falls.guiding_vector(4, 2), cs.gaussian, cs.guiding_vector(2), 4),
    "guiding_vector 1 of 3": (falls.guiding_vector(3, 1), cs.gaussian, cs.guiding_vector(1), 3),
    "orthonormal": (falls.orthonormal(D, 3), cs.gaussian, cs.orthonormal, 3),
}


@pytest.mark.parametrize("name", SIMULATED)
def test_against_simulation_from_the_definition(name):
    found, sampler, direction, queries = SIMULATED[name]
    samples = 60_000
    g = cs.estimates(sampler, direction, queries, samples, seed=11).reshape(samples, -1)
    drawn = np.stack([g @ FLAT, np.einsum("bi,ij,bj->b", g, HESSIAN, g)], axis=1)
    error = drawn.std(axis=0) / samples**0.5
    assert np.all(np.abs(drawn.mean(axis=0) - numbers(found, **SIZES)) < 4.5 * error)


def test_simulation_tells_one_perturbation_from_another():
    g = cs.estimates(cs.gaussian, cs.average, 1, 60_000, seed=11).reshape(-1, D)
    drawn = np.einsum("bi,ij,bj->b", g, HESSIAN, g)
    error = drawn.std() / len(drawn) ** 0.5
    assert abs(drawn.mean() - numbers(falls.rademacher())[1]) > 4.5 * error


def test_given_factors_by_enumerating_a_grid_of_exact_moments():
    """Three points +-sqrt 3 (1/6 each) and 0 have the moments of N(0, 1) up to the fifth."""
    factor = RNG.standard_normal((D, 3))
    nodes, mass = np.array([-(3**0.5), 0, 3**0.5]), np.array([1, 4, 1]) / 6
    grid = np.stack(np.meshgrid(nodes, nodes, nodes, indexing="ij"), -1).reshape(-1, 3)
    weight = np.prod(np.stack(np.meshgrid(mass, mass, mass, indexing="ij"), -1), -1).ravel()
    z = grid @ factor.T
    square = (z @ FLAT) ** 2
    curved = square * np.einsum("bi,ij,bj->b", z, HESSIAN, z)
    s = factor @ factor.T
    found = falls.given().at(
        kept_norm2=FLAT @ s @ FLAT,
        kept_trace=np.trace(s @ HESSIAN),
        kept_form=FLAT @ s @ HESSIAN @ s @ FLAT,
    )
    assert np.allclose(
        [weight @ square, weight @ curved], [float(found.slope), float(found.curvature)]
    )


def test_one_sided_differences_at_a_large_eps():
    eps, samples = 0.7, 200_000
    z = np.random.default_rng(3).standard_normal((samples, 2, D))
    curved = np.einsum("bqi,ij,bqj->bq", z, HESSIAN, z)
    g = np.einsum("bq,bqi->bi", z @ FLAT + eps / 2 * curved, z) / 2
    drawn = np.stack([g @ FLAT, np.einsum("bi,ij,bj->b", g, HESSIAN, g)], axis=1)
    error = drawn.std(axis=0) / samples**0.5
    claimed = numbers(falls.one_sided(2, sp.Rational(7, 10)))
    assert np.all(np.abs(drawn.mean(axis=0) - claimed) < 4.5 * error)


def test_best_step_and_fall():
    found = gaussian()
    rate = TRACE + 2 * FORM / NORM2
    assert sp.simplify(found.best_step - 1 / rate) == 0
    assert sp.simplify(found.fall - NORM2 / (2 * rate)) == 0
    assert sp.simplify(found.fall_per_pass - NORM2 / (4 * rate)) == 0


def test_no_average_falls_further_per_pass_than_one_direction():
    single, several = gaussian(), averaged(gaussian(), Q)
    ratio = sp.simplify(several.fall_per_pass / single.fall_per_pass)
    assert sp.simplify(ratio - (NORM2 * TRACE + 2 * FORM) / (NORM2 * TRACE + (Q + 1) * FORM)) == 0


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("gaussian", falls.gaussian()),
        ("rademacher", falls.rademacher()),
        ("sphere", falls.sphere(M * N)),
        ("cp", falls.cp()),
        ("low_rank", falls.low_rank()),
        ("subspace", falls.subspace()),
        ("averaged", falls.averaged(falls.gaussian())),
        ("nes", falls.nes()),
        ("orthonormal", falls.orthonormal(M * N)),
        ("greedy", falls.greedy()),
        ("guiding_vector", falls.guiding_vector()),
    ],
)
def test_isotropic_falls_are_those_of_the_linear_cards(name, found):
    """At H = h I, b = h E||g'||^2 = h s^2 (1 + v) ||G||^2."""
    linear = card(name)
    seen = isotropic(found, 2)
    square = 2 * linear.scale**2 * (1 + linear.relative_variance) * NORM2
    assert sp.simplify(seen.slope - linear.scale * NORM2) == 0
    assert (
        sp.simplify(seen.curvature.subs(sp.Symbol("q", integer=True, positive=True), Q) - square)
        == 0
    )


def test_random_mask_is_that_of_its_card():
    seen = isotropic(falls.random_mask(), 1)
    linear = card("random_mask")
    square = linear.scale**2 * (1 + linear.relative_variance) * NORM2
    assert sp.simplify(seen.curvature - square) == 0


def test_at_says_what_it_knows():
    with pytest.raises(ValueError, match=r"no \['size'\]; it has \['form', 'norm2', 'trace'\]"):
        gaussian().at(size=1)
    with pytest.raises(ValueError, match="do not fit"):
        falls.subspace(m=4, n=3, r=4)
    with pytest.raises(ValueError, match="cannot be orthogonal"):
        falls.orthonormal(d=3, q=4)
    assert falls.cp(r=2).at(norm2=1).curvature.free_symbols.isdisjoint({R, NORM2})


def test_disagreeing_routes_are_an_error():
    with pytest.raises(ArithmeticError, match="by one route"):
        falls._agreed("test", NORM2, TRACE)


BLOCKS = [slice(cs.N * i, cs.N * (i + 1)) for i in range(cs.M)]  # the rows of G are the layers


def test_layers_by_simulation():
    g = cs.estimates(cs.layers, cs.average, 1, 60_000, seed=13).reshape(-1, D)
    drawn = np.stack([g @ FLAT, np.einsum("bi,ij,bj->b", g, HESSIAN, g)], axis=1)
    error = drawn.std(axis=0) / len(g) ** 0.5
    own = [(FLAT[b], HESSIAN[b, b]) for b in BLOCKS]
    found = falls.layers(cs.M, 1).at(
        **{k: INVARIANTS[k] for k in ("norm2", "trace", "form")},
        block_trace=sum(x @ x * np.trace(h) for x, h in own),
        block_form=sum(x @ h @ x for x, h in own),
    )
    claimed = [float(found.slope), float(found.curvature)]
    assert np.all(np.abs(drawn.mean(axis=0) - claimed) < 4.5 * error)


def test_directions_with_a_mean_by_simulation():
    mu, sigma = np.linspace(-0.5, 0.7, D), 0.8
    z = mu + sigma * np.random.default_rng(1).standard_normal((100_000, D))
    slope, curved = (z @ FLAT) ** 2, np.einsum("bi,ij,bj->b", z, HESSIAN, z)
    drawn = np.stack([slope, slope * curved], axis=1)
    error = drawn.std(axis=0) / len(z) ** 0.5
    found = falls.momentum_centred(sigma**2).at(
        **{k: INVARIANTS[k] for k in ("norm2", "trace", "form")},
        along_mu=FLAT @ mu,
        mu_form=mu @ HESSIAN @ mu,
        mu_cross=FLAT @ HESSIAN @ mu,
    )
    claimed = [float(found.slope), float(found.curvature)]
    assert np.all(np.abs(drawn.mean(axis=0) - claimed) < 4.5 * error)


def test_sign_updates_by_simulation():
    z = np.random.default_rng(1).standard_normal((100_000, D))
    moved = np.sign(z @ FLAT)[:, None] * np.sign(z)
    drawn = np.stack([moved @ FLAT, np.einsum("bi,ij,bj->b", moved, HESSIAN, moved)], axis=1)
    error = drawn.std(axis=0) / len(z) ** 0.5
    arcsine = FLAT @ np.arcsin(FLAT / np.linalg.norm(FLAT))
    found = falls.sign().at(arcsine=arcsine, trace=INVARIANTS["trace"])
    claimed = [float(found.slope), float(found.curvature)]
    assert np.all(np.abs(drawn.mean(axis=0) - claimed) < 4.5 * error)
    length = np.linalg.norm(FLAT)
    assert length < arcsine < np.pi / 2 * length


@pytest.mark.parametrize("name", sorted(falls.FALLS))
def test_every_fall_is_told_in_its_own_quantities(name):
    found = falls.FALLS[name]()
    assert found.steps
    free = found.best_step.free_symbols | found.fall_per_pass.free_symbols
    assert {falls._NAMES[k] for k in falls._NAMES if falls._NAMES[k] in free}
