"""The gradient that estimators are probed on."""

import pytest
import torch

from zotheory.model.language_model import ModelError
from zotheory.model.prompts import label_word_ids, last_logits, make_batch, prompt_loss
from zotheory.probing.real import gradient_of, real_gradient


def test_it_is_the_gradient_of_the_prompt_loss_in_the_middle_layer(tiny, text):
    weights, gradient = gradient_of(tiny, text[:8])
    parameter = tiny.model.get_parameter("model.layers.2.self_attn.q_proj.weight")
    assert torch.equal(weights, parameter)
    batch = make_batch(tiny.tokenizer, text[:8])

    def loss() -> torch.Tensor:
        logits = last_logits(tiny, batch)
        return prompt_loss(logits, batch.labels, label_word_ids(tiny.tokenizer), "vocabulary")

    direction = gradient / gradient.norm()
    with torch.no_grad():
        parameter.add_(1e-2 * direction)
        plus = loss()
        parameter.sub_(2e-2 * direction)
        minus = loss()
    assert float((plus - minus) / 2e-2) == pytest.approx(float(gradient.norm()), rel=1e-2)


def test_a_model_without_layers_is_refused(tiny, text):
    tiny.model.model.layers = torch.nn.ModuleList()
    with pytest.raises(ModelError, match="no matrices in numbered layers"):
        gradient_of(tiny, text[:8])


@pytest.mark.slow
def test_the_real_model_has_one():
    weights, gradient = real_gradient(None)
    assert weights.shape == gradient.shape == (576, 576)
    assert 0 < float(gradient.norm()) < 100
