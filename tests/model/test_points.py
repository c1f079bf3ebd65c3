"""A point's loss and gradients belong together, at the model's weights as they are."""

import pytest
import torch

from zotheory.model.language_model import ModelError
from zotheory.model.points import point, spread_weights


def test_gradients_are_those_that_backward_leaves(tiny, text):
    found = point(tiny, text[:4], spread_weights(tiny.model, 2))
    with torch.enable_grad():
        assert not found.loss().requires_grad
    assert all(parameter.grad is None for parameter in tiny.model.parameters())
    (name, weight), step = found.named[0], 1e-3
    gradient = found.gradients[name]
    before, weight.data = weight.data, weight.data + step * gradient / gradient.norm()
    above = float(found.loss())
    weight.data = before
    slope = (above - float(found.loss())) / step
    assert slope == pytest.approx(float(gradient.norm()), rel=2e-2)


def test_more_layers_than_there_are_is_all_of_them(tiny):
    layers = {weight.layer for weight in spread_weights(tiny.model, 9)}
    assert layers == {0, 1, 2, 3}


def test_a_gradient_that_vanishes_is_an_error(tiny, text):
    weights = spread_weights(tiny.model, 1)
    with torch.no_grad():
        dict(tiny.model.named_parameters())[weights[0].name.replace("q_proj", "o_proj")].zero_()
    with pytest.raises(ModelError, match="norm"):
        point(tiny, text[:2], weights)


def test_replayed_layers_change_no_loss(tiny, text):
    weights = [weight for weight in spread_weights(tiny.model, 4) if weight.layer == 2]
    found, calls = point(tiny, text[:4], weights), []
    before = float(found.loss())
    (_, weight), *_ = found.named
    with torch.no_grad():
        weight.add_(0.1)
    moved = float(found.loss())
    hooks = [layer.mlp.register_forward_hook(lambda *_: calls.append(1)) for layer in found.earlier]
    with found.replayed():
        calls.clear()
        assert float(found.loss()) == moved != before
        with torch.no_grad():
            weight.sub_(0.1)
        assert float(found.loss()) == pytest.approx(before, rel=1e-6)
        assert not calls
    assert float(found.loss()) == pytest.approx(before, rel=1e-6)
    assert len(calls) == len(hooks) == 2
