"""Gradient and Hessian of a model's loss."""

import numpy as np
import pytest
import torch

from tests.model.tiny_model import sentences
from zotheory.model.curvature import curved, inner, products, read
from zotheory.model.language_model import ModelError


@pytest.fixture
def loss(tiny):
    tiny.model.double()
    return curved(tiny, sentences()[:16])


@pytest.fixture
def vector(loss):
    draw = torch.Generator().manual_seed(0)
    return {
        name: torch.randn(g.shape, generator=draw).double() for name, g in loss.gradient.items()
    }


def test_the_hessian_is_the_gradients_derivative(tiny, loss, vector):
    product, step = loss.hessian(vector), 3e-4
    ends = []
    for sign in (1, -1):
        with torch.no_grad():
            for name, parameter in tiny.model.named_parameters():
                parameter.add_(vector[name], alpha=sign * step)
        ends.append(curved(tiny, sentences()[:16]))
        with torch.no_grad():
            for name, parameter in tiny.model.named_parameters():
                parameter.sub_(vector[name], alpha=sign * step)
    slope = (ends[0].loss - ends[1].loss) / (2 * step)
    assert slope == pytest.approx(sum(inner(loss.gradient[n], vector[n]) for n in vector), rel=0.01)
    for name in vector:
        difference = (ends[0].gradient[name] - ends[1].gradient[name]) / (2 * step)
        assert (difference - product[name]).norm() < 0.01 * product[name].norm()


def test_the_two_kinds_make_up_the_whole(loss, vector):
    seen, product = products(loss, vector), loss.hessian(vector)
    *units, (rest, its) = seen.across
    for name, part in product.items():
        shares = [sum(inner(u[n], vector[n]) for n in vector) for u, _ in units]
        whole = its[name] + sum(s * h[name] for s, (_, h) in zip(shares, units, strict=True))
        assert torch.allclose(whole, part, atol=1e-4 * float(part.abs().max()))
        assert sum(inner(loss.gradient[n], rest[n]) for n in vector) == pytest.approx(0, abs=1e-6)
    norms = [name for name, part in vector.items() if part.ndim == 1]
    alone = {n: v if n in norms else torch.zeros_like(v) for n, v in vector.items()}
    product = loss.hessian(alone)
    assert all(torch.equal(seen.own[name], product[name]) for name in norms)


def test_the_form_of_the_gradient_is_exact(loss, vector):
    g, h = loss.gradient, loss.hessian(loss.gradient)
    found = read(g, products(loss, vector), matrices=False)
    everywhere = np.ones((len(g), len(g)))
    assert found.form(everywhere) == pytest.approx(sum(inner(g[n], h[n]) for n in g), rel=1e-4)


def test_sums_are_those_of_their_definition(loss, vector):
    seen = products(loss, vector)
    found = read(loss.gradient, seen)
    for i, (name, g) in enumerate(loss.gradient.items()):
        v, h = vector[name], seen.own[name]
        assert found.trace[i] == pytest.approx(float((v * h).sum()), rel=1e-3, abs=1e-4)
        if g.ndim == 2:
            direct = (g @ g.T @ v, v @ g.T @ g, g @ v.T @ g)
            sums = [float((x * h).sum()) for x in direct]
            assert [found.rows[i], found.columns[i], found.swapped[i]] == pytest.approx(
                sums, rel=1e-3, abs=1e-4
            )
    assert not read(loss.gradient, seen, matrices=False).rows.any()


def test_a_gradient_that_is_zero_is_refused(tiny):
    for parameter in tiny.model.parameters():
        parameter.data.zero_()
    with pytest.raises(ModelError, match="squared norm"):
        curved(tiny, sentences()[:16])
