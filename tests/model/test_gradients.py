import pytest
import torch

from zotheory.model.gradients import consumed_gradients, layer_weights
from zotheory.model.prompts import label_word_ids, last_logits, make_batch, prompt_loss


def loss_of(language_model, examples, kind):
    batch = make_batch(language_model.tokenizer, examples)
    words = label_word_ids(language_model.tokenizer)
    return prompt_loss(last_logits(language_model, batch), batch.labels, words, kind)


def test_layer_weights_are_the_matrices_of_the_layers(tiny):
    found = layer_weights(tiny.model)
    assert len(found) == 4 * 7
    assert {w.layer for w in found} == {0, 1, 2, 3}
    assert [w.module for w in found[:7]] == (
        ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    )
    assert found[1].shape == (8, 16)


@pytest.mark.parametrize("kind", ["vocabulary", "label_words"])
def test_consumed_gradients_are_the_gradients(tiny, text, kind):
    parameters = dict(tiny.model.named_parameters())
    expected = torch.autograd.grad(loss_of(tiny, text[:5], kind), list(parameters.values()))
    seen = {}

    def consume(name, parameter, gradient):
        assert parameter is parameters[name]
        assert name not in seen
        seen[name] = gradient.clone()

    with consumed_gradients(tiny.model, consume):
        loss_of(tiny, text[:5], kind).backward()
    assert seen.keys() == parameters.keys()
    for name, gradient in zip(parameters, expected, strict=True):
        torch.testing.assert_close(seen[name], gradient)
        assert parameters[name].grad is None


def test_an_update_inside_the_backward_pass_is_the_update_after_it(tiny, text):
    parameters = dict(tiny.model.named_parameters())
    gradients = torch.autograd.grad(
        loss_of(tiny, text[:5], "vocabulary"), list(parameters.values())
    )
    expected = [p.detach() - 0.1 * g for p, g in zip(parameters.values(), gradients, strict=True)]
    with consumed_gradients(tiny.model, lambda _, p, g: p.add_(g, alpha=-0.1)):
        loss_of(tiny, text[:5], "vocabulary").backward()
    for parameter, wanted in zip(parameters.values(), expected, strict=True):
        torch.testing.assert_close(parameter.detach(), wanted)


def test_hooks_go_with_the_context(tiny, text):
    with consumed_gradients(tiny.model, lambda *_: None):
        pass
    loss_of(tiny, text[:2], "vocabulary").backward()
    assert all(p.grad is not None for p in tiny.model.parameters())


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["vocabulary", "label_words"])
def test_smollm2_gradient_against_finite_differences(smollm2, reviews, kind):
    name = "model.layers.12.self_attn.v_proj.weight"
    weight = smollm2.model.get_parameter(name)
    examples = reviews.train[:4]
    (gradient,) = torch.autograd.grad(loss_of(smollm2, examples, kind), [weight])
    # Along the gradient the loss changes most: the difference stands out of float32's rounding.
    direction = gradient / gradient.norm()
    kept, step = weight.detach().clone(), 1e-2
    with torch.no_grad():
        values = []
        for sign in (1, -1):
            weight.copy_(kept + sign * step * direction)
            values.append(loss_of(smollm2, examples, kind).item())
        weight.copy_(kept)
    slope = (values[0] - values[1]) / (2 * step)
    assert slope == pytest.approx(gradient.norm().item(), rel=2e-2)
