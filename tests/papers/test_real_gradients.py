"""Subspaces, averages and candidates on a tiny language model's own gradients."""

import numpy as np
import pytest
import torch

import estimators
from tests.model.tiny_model import sentences, tiny_model
from zotheory.model.points import point, spread_weights
from zotheory.papers.prior.candidates import EPS, candidates
from zotheory.papers.svd0.real_subspaces import averaged_share, refresh, spectra


@pytest.fixture(scope="module")
def model():
    return tiny_model()


@pytest.fixture(scope="module")
def found(model):
    return point(model, sentences()[:4], spread_weights(model.model, 2))


def test_gradients_are_those_of_the_loss(found):
    optimizer = estimators.mezo(list(found.named), eps=1e-3, seed=0)
    estimate = optimizer.estimate(found.loss, seed=3)
    slots = optimizer.slots()
    noise = {s.name: optimizer.perturbation.draw(s, 3, 0, 0).dense() for s in slots}
    slope = sum(float((g * noise[name]).sum()) for name, g in found.gradients.items())
    name = slots[0].name
    torch.testing.assert_close(estimate[name], slope * noise[name], rtol=5e-2, atol=1e-4)


def test_all_seven_matrices_of_spread_layers(found):
    assert {name.split(".")[2] for name in found.gradients} == {"1", "3"}
    assert len(found.gradients) == 14


def test_no_method_knows_the_gradient(found):
    """Every mean is 1 in its unit, whatever the gradient."""
    rng = np.random.default_rng(0)
    rows = [refresh(found, 3, rng) for _ in range(20)]
    for key in rows[0]:
        means = np.array([row[key].mean() for row in rows])
        assert abs(means.mean() - 1) < 5 * means.std() / np.sqrt(len(rows)), key
        assert means.std() > 0


def test_a_subspace_of_the_true_gradient_would_be_found_better(found):
    """An estimate that is the gradient itself: SVD-0's share is far above the random one."""
    gradient = next(iter(found.gradients.values()))
    shares = [averaged_share(gradient, k, 3, np.random.default_rng(k)) for k in (1, 10**8)]
    kept = float(torch.linalg.svdvals(gradient)[:3].square().sum() / gradient.square().sum())
    assert shares[1] == pytest.approx(kept, rel=1e-3)
    assert shares[0] < shares[1]


def test_the_reduced_average_has_the_law_of_averaged_estimates(found):
    gradient = next(iter(found.gradients.values()))
    rng, k, r = np.random.default_rng(1), 40, 2
    reduced = [averaged_share(gradient, k, r, rng) for _ in range(300)]
    g, plain = (gradient / gradient.norm()).double(), []
    for _ in range(300):
        z = torch.from_numpy(rng.standard_normal((k, *g.shape)))
        average = torch.einsum("k,kij->ij", (z * g).sum((1, 2)), z)
        u, _, vt = torch.linalg.svd(average)
        plain.append(float((u[:, :r].T @ g @ vt[:r].T).square().sum()))
    error = np.hypot(np.std(reduced), np.std(plain)) / np.sqrt(300)
    assert abs(np.mean(reduced) - np.mean(plain)) < 4 * error


def test_the_spectrum_of_an_estimate_is_that_of_noise(found):
    rng = np.random.default_rng(2)
    gaps = np.array([spectra(found, (8,), rng).gap(8).mean() for _ in range(30)])
    assert abs(gaps.mean()) < 4 * gaps.std() / np.sqrt(len(gaps))
    assert 0 < gaps.std() < 0.05


def test_candidates_choose_what_the_estimator_chooses(found):
    """cos^2 of GV's direction is that of the recipe's own estimate."""
    seeds = np.random.default_rng(4).integers(1 << 62, size=6)
    drawn = candidates(found, 6, np.random.default_rng(4))
    optimizer = estimators.mezo_gv(list(found.named), eps=EPS, candidates=4, seed=0)
    gradient = torch.cat([g.flatten() for g in found.gradients.values()])
    cos2 = []
    for seed in seeds:
        estimate = optimizer.estimate(found.loss, seed=int(seed))
        v = torch.cat([estimate[name].flatten() for name in found.gradients])
        cos2.append(float(torch.cosine_similarity(v, gradient, dim=0)) ** 2)
    np.testing.assert_allclose(drawn.guided() / drawn.dimension, cos2, rtol=1e-3, atol=1e-7)


def test_candidates_leave_the_weights_as_they_are(model, found):
    before = {name: p.detach().clone() for name, p in model.model.named_parameters()}
    drawn = candidates(found, 3, np.random.default_rng(0))
    assert all(torch.equal(p, before[name]) for name, p in model.model.named_parameters())
    assert drawn.losses.shape == (3, 4)
    assert np.allclose(
        drawn.plain(1),
        (drawn.dimension * drawn.inner**2 / drawn.gram.diagonal(axis1=1, axis2=2)).mean(axis=1),
    )
