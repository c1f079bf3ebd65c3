"""Every card against plain numpy simulation from the definition (fixed seeds, z-scores)."""

import card_samples as cs
import numpy as np
import pytest

from proofs_check.cards import NAMES, card
from proofs_check.cards.ratio import number
from tests.proofs_check.card_samples import G, M, N, R

SAMPLES = 60_000
SIZES = {"m": M, "n": N}
RNG = np.random.default_rng(5)
NORM2 = float((G**2).sum())


def outer(u, v):
    return np.einsum("is,js->sij", u, v)


def right_images(v):
    """U V^T as a sum over the entries of U."""
    eye = np.eye(M)
    return np.array([np.outer(eye[i], v[:, s]) for i in range(M) for s in range(v.shape[1])])


def projected(images):
    """L L^T G."""
    return np.einsum("a,aij->ij", np.einsum("aij,ij->a", images, G), images)


def spectrum(images, copies=1):
    """Eigenvalues of C = L^T L and squared components of h = L^T G, `copies` merged into one."""
    values, vectors = np.linalg.eigh(np.einsum("aij,bij->ab", images, images))
    weights = (vectors.T @ np.einsum("aij,ij->a", images, G)) ** 2
    merged = values.reshape(-1, copies), weights.reshape(-1, copies)
    assert np.ptp(merged[0], axis=1).max() < 1e-9
    return {
        "eigenvalues": tuple(merged[0][:, 0].tolist()),
        "weights": tuple(merged[1].sum(1).tolist()),
        "norm2": NORM2,
    }


U, V = RNG.standard_normal((M, R)), RNG.standard_normal((N, R))
QU, QV = np.linalg.qr(U)[0], np.linalg.qr(V)[0]
CORE = np.einsum("ia,jb->abij", QU, QV).reshape(R * R, M, N)
MASK = RNG.random((M, N)) < 0.5
UNITS = np.eye(M * N).reshape(-1, M, N)
HESSIAN = RNG.uniform(0.5, 3.0, (M, N))
SCALED = UNITS / np.sqrt(HESSIAN)
MU, SIGMA = RNG.standard_normal((M, N)), 0.8
SLOPE2 = float((G * MU).sum() ** 2 / NORM2)


def kept(images):
    return float((projected(images) ** 2).sum() / NORM2)


MASKED = UNITS[MASK.ravel()]
BASES = {  # name -> (sampler, sizes, target)
    "gaussian": (cs.gaussian, SIZES, G),
    "rademacher": (cs.rademacher, SIZES, G),
    "sphere": (cs.sphere, SIZES, G),
    "cp": (cs.cp, SIZES | {"r": R}, G),
    "cp_given": (cs.linear_image(outer(U, V)), spectrum(outer(U, V)), projected(outer(U, V))),
    "low_rank": (cs.low_rank, SIZES | {"r": R}, G),
    "low_rank_given": (
        cs.linear_image(right_images(V)),
        spectrum(right_images(V), M) | {"m": M},
        G @ V @ V.T,
    ),
    "subspace": (cs.subspace, SIZES | {"r": R}, G),
    "svd_subspace": (cs.svd_subspace, SIZES | {"r": R}, G),
    "subspace_given": (
        cs.linear_image(CORE),
        {"r": R, "kept": kept(CORE)},
        QU @ QU.T @ G @ QV @ QV.T,
    ),
    "magnitude_mask": (
        cs.linear_image(MASKED),
        {"k": int(MASK.sum()), "kept": kept(MASKED)},
        MASK * G,
    ),
    "random_mask": (cs.random_mask, SIZES | {"keep": 0.6}, G),
    "hessian_scaled": (cs.linear_image(SCALED), spectrum(SCALED), G / HESSIAN),
    "momentum_centred": (
        cs.shifted(MU, SIGMA),
        SIZES | {"sigma2": SIGMA**2, "mu2": float((MU**2).sum()), "slope2": SLOPE2},
        G + (G * MU).sum() * MU / SIGMA**2,
    ),
    "layers": (cs.layers, {"layers": M, "dropped": 1, "m": 1, "n": N}, G),
}
DIRECTED = [  # (name, extra sizes, direction, queries)
    ("averaged", {"q": 3}, cs.average, 3),
    ("nes", {"q": 4}, cs.nes, 4),
    ("greedy", {"candidates": 4}, cs.greedy, 4),
    ("guiding_vector", {"candidates": 4, "best": 2}, cs.guiding_vector(2), 4),
]
CASES = {name: (card(name, **sizes), s, cs.average, 1, t) for name, (s, sizes, t) in BASES.items()}
_ALIKE = ("svd_subspace", "hessian_scaled")  # composed like subspace and cp_given
for _name, (_sampler, _sizes, _target) in BASES.items():
    if _name in _ALIKE:
        continue
    for _direction, _more, _function, _queries in DIRECTED:
        if card(_name).gaussian or _direction == "averaged":
            _card = card(_direction, perturbation=_name, **_sizes, **_more)
            CASES[_card.name] = (_card, _sampler, _function, _queries, _target)
for _inner in ("gaussian", "cp", "subspace"):
    _sampler, _sizes, _target = BASES[_inner]
    _card = card("layer_subset", perturbation=_inner, keep=0.25, **_sizes)
    CASES[_card.name] = (_card, cs.layer_subset(_sampler), cs.average, 1, _target)
_plain = {"perturbation": "gaussian", **SIZES}
for _k in (2, 3, 5):
    _card = card("greedy", candidates=_k, **_plain)
    CASES[f"greedy {_k}"] = (_card, cs.gaussian, cs.greedy, _k, G)
for _k, _best in ((2, 1), (3, 1), (6, 3), (5, 1)):
    _card = card("guiding_vector", candidates=_k, best=_best, **_plain)
    CASES[f"gv {_k} {_best}"] = (_card, cs.gaussian, cs.guiding_vector(_best), _k, G)
CASES["nes 2"] = (card("nes", q=2, **_plain), cs.gaussian, cs.nes, 2, G)
CASES["orthonormal"] = (card("orthonormal", q=5, **SIZES), cs.gaussian, cs.orthonormal, 5, G)


def test_every_card_is_sampled():
    assert {name.split("(")[0].split()[0] for name in CASES} == set(NAMES) | {"gv"}


def z_score(values, expected):
    error = values.std() / np.sqrt(len(values))
    gap = values.mean() - expected
    return 0.0 if abs(gap) < 1e-9 else gap / max(error, 1e-12)


@pytest.mark.sampled(25)
@pytest.mark.parametrize("name", CASES)
def test_card_against_simulation(name):
    found, sampler, direction, queries, target = CASES[name]
    samples = 4 * SAMPLES if "cp" in name else SAMPLES  # heavier tails
    g = cs.estimates(sampler, direction, queries, samples, seed=17)
    along, error, cos2 = cs.statistics(g, target, number(found.scale))
    variance = number(found.relative_variance)
    assert abs(z_score(along, 1.0)) < 4
    assert abs(z_score(error, variance)) < 4
    # The same samples refute numbers that are off by a fifth.
    assert abs(z_score(error, 1.2 * variance)) > 4
    if found.cos2 is not None:
        assert abs(z_score(cos2, number(found.cos2))) < 4
        assert abs(z_score(cos2, 1.2 * number(found.cos2))) > 4


@pytest.mark.parametrize("name", ["cp", "low_rank", "subspace", "svd_subspace", "random_mask"])
def test_basis_variance_against_the_conditional_mean(name):
    """E||E[g | kept] / scale - G||^2 / ||G||^2 with the conditional mean L L^T G written out."""
    rng, samples = np.random.default_rng(3), 60_000
    means = {
        "cp": lambda: _cp_mean(rng.standard_normal((samples, R, M)), _normal(rng, samples, N)),
        "low_rank": lambda: _right_mean(_normal(rng, samples, N)),
        "subspace": lambda: _frame_mean(cs.haar(rng, samples, M), cs.haar(rng, samples, N)),
        "svd_subspace": lambda: _frame_mean(*cs.singular_frames(rng, samples)),
        "random_mask": lambda: (rng.random((samples, M, N)) < 0.6) * G,
    }
    _, sizes, _ = BASES[name]
    found = card(name, **sizes)
    _, error, _ = cs.statistics(means[name](), G, number(found.scale))
    variance = number(found.basis_variance)
    assert abs(z_score(error, variance)) < 4
    assert abs(z_score(error, 1.1 * variance)) > 4
    assert variance < number(found.relative_variance)


def _normal(rng, samples, size):
    return rng.standard_normal((samples, R, size))


def _cp_mean(u, v):
    h = np.einsum("ij,zsi,zsj->zs", G, u, v, optimize=True)
    return np.einsum("zs,zsi,zsj->zij", h, u, v, optimize=True)


def _right_mean(v):
    return np.einsum("ij,zsj,zsk->zik", G, v, v, optimize=True)


def _frame_mean(u, v):
    return np.einsum("zia,zka,kl,zlb,zjb->zij", u, u, G, v, v, optimize=True)
