"""What is derived of two candidates, against the code that trains and simulations."""

import numpy as np
import pytest
import sympy as sp
import torch

import estimators
from zotheory.papers.own import layers, two_candidates
from zotheory.papers.own.two_candidates import CLAIMS, NORMAL, Y
from zotheory.papers.prior.printed_steps import uneven
from zotheory.vocabulary import Statement

LAW, GREEDY = CLAIMS


def test_four_candidates_have_no_such_law():
    four = Statement("The same at M = 4.", LAW.statement.formula, setting={"M": 4})
    with pytest.raises(ArithmeticError, match="choose between 3"):
        two_candidates._same_law(four)


@pytest.mark.parametrize("seed", range(5))
def test_an_estimate_of_ours_is_mezos_along_one_of_its_draws(seed):
    """At M = 2: twice the two-point difference at sqrt(2) eps along y, for one draw y."""
    eps, w = 0.4, torch.tensor([0.3, -0.2, 0.5], dtype=torch.float64, requires_grad=True)

    def loss(at: np.ndarray) -> float:
        return float(uneven(at[None], np.ones(1))[0])

    optimizer = estimators.mezo_gv([("w", w)], candidates=2, eps=eps, seed=0)
    found = optimizer.estimate(lambda: loss(w.detach().numpy()), seed=seed)["w"].numpy()
    (slot,), theta, wide = optimizer.slots(), w.detach().numpy(), 2**0.5 * eps
    along = []
    for query in range(2):
        y = optimizer.perturbation.draw(slot, seed, 0, query).dense().double().numpy().ravel()
        slope = (loss(theta + wide * y) - loss(theta - wide * y)) / (2 * wide)
        along.append(2 * slope * y)
    assert any(np.allclose(found, of, rtol=1e-5, atol=1e-7) for of in along)


@pytest.mark.parametrize(("candidates", "normal"), [(2, True), (3, False)])
def test_the_folded_least_of_two_is_a_folded_normal(candidates, normal):
    statement = Statement("", GREEDY.statement.formula, setting={"M": candidates})
    (found,) = two_candidates._folded(statement).values()
    points = np.linspace(0, 3, 61)
    density, folded = (sp.lambdify(Y, f, ["scipy", "numpy"])(points) for f in (found.value, NORMAL))
    assert np.allclose(density, folded) == normal
    least = np.random.default_rng(0).standard_normal((400_000, candidates)).min(axis=1)
    share = np.mean(np.abs(least) <= 3)
    assert np.trapezoid(density, points) == pytest.approx(share, abs=2e-3)


def test_shares_of_noise_make_the_cosine():
    """own.layers' sum on LOZO-like noise u v^T of two matrices, by simulation."""
    rng, size = np.random.default_rng(0), 200_000
    gradients = [rng.standard_normal((2, 3)), 2 * rng.standard_normal((4, 2))]
    total = sum((g**2).sum() for g in gradients)
    inner, norms, expected = np.zeros(size), [], 0.0
    for g in gradients:
        u, v = (rng.standard_normal((size, side)) for side in g.shape)
        inner += np.einsum("bi,ij,bj->b", u, g, v)
        norms.append((u**2).sum(axis=1) * (v**2).sum(axis=1))
    whole = sum(norms)
    for g, norm in zip(gradients, norms, strict=True):
        term = layers.CLAIMS[0].statement.formula.args
        (rate,) = (r.rhs for r in term if r.lhs == layers.TERM)
        m, n = g.shape
        at = {layers.W: (g**2).sum() / total, layers.P: np.mean(norm / whole)}
        expected += float(rate.subs(at | {layers.M: m, layers.N: n}))
    assert np.mean(inner**2 / whole) / total == pytest.approx(expected, rel=0.02)
