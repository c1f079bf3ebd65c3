"""The faulty guiding vector: the samplers against code that re-seeds, and against each other."""

import numpy as np
import pytest
import torch

from proofs_check.cards import card
from proofs_check.cards.ratio import number
from zotheory.papers.own.gv_reseeding import Reseeded, ReseededMean, guiding_weights


def reseeding(seeds, gradient):
    """The faulty implementation, literally: d cos^2 on <gradient, w>, one row per tensor."""
    losses = []
    for seed in seeds:
        generator = torch.Generator().manual_seed(seed)
        losses.append(
            sum(g @ torch.randn(len(g), dtype=g.dtype, generator=generator) for g in gradient)
        )
    (weights,) = guiding_weights(np.array([losses]))
    guide = []
    for g in gradient:
        part = torch.zeros_like(g)
        for seed, weight in zip(seeds, weights, strict=True):
            generator = torch.Generator().manual_seed(seed)
            part += weight * torch.randn(len(g), dtype=g.dtype, generator=generator)
        guide.append(part)
    v = torch.stack(guide)
    return float(
        gradient.numel() * (gradient * v).sum() ** 2 / gradient.norm() ** 2 / v.norm() ** 2
    )


def test_the_sampler_is_the_implementation():
    tensors, n = 3, 20
    generator = torch.Generator().manual_seed(0)
    literal = []
    for sample in range(1500):
        gradient = torch.randn(tensors, n, dtype=torch.float64, generator=generator)
        literal.append(reseeding([4 * sample + i for i in range(4)], gradient))
    drawn = Reseeded(tensors, n)(np.random.default_rng(0), 100_000)
    assert np.mean(literal) == pytest.approx(drawn.mean(), abs=4.5 * np.std(literal) / 1500**0.5)


@pytest.mark.parametrize(("tensors", "n"), [(2, 10), (4, 6), (8, 20)])
def test_the_reduced_sampler_has_the_same_mean(tensors, n):
    literal = Reseeded(tensors, n)(np.random.default_rng(1), 60_000)
    reduced = ReseededMean(tensors, n)(np.random.default_rng(2), 400_000)
    assert literal.mean() == pytest.approx(reduced.mean(), abs=4.5 * literal.std() / 60_000**0.5)
    assert np.mean(literal**2) < Reseeded(tensors, n).second_moment()
    assert reduced.var() < ReseededMean(tensors, n).variance()


def test_without_the_fault_it_is_the_guiding_vector():
    drawn = Reseeded(3, 10, faulty=False)(np.random.default_rng(3), 60_000)
    exact = 30 * number(card("guiding_vector", m=30, n=1).cos2)
    assert drawn.mean() == pytest.approx(exact, rel=0.03)


def test_the_fourth_moment_is_largest_when_one_tensor_has_all_of_the_gradient():
    t = np.abs(np.random.default_rng(4).standard_normal((3, 200_000))).max(axis=0)
    second, fourth = np.mean(t**2), np.mean(t**4)
    s = np.linspace(0, 1, 101)
    given = s**2 * fourth + 6 * s * (1 - s) * second + 3 * (1 - s) ** 2
    assert np.argmax(given) == 100
