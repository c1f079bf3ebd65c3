"""Language models: LLaMA's modules, tied embeddings, LoRA."""

import peft
import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from tests.estimators.problems import build, same, weights


def llama(dtype=torch.float32):
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=64,
        hidden_size=24,
        intermediate_size=40,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        tie_word_embeddings=True,
    )
    model = LlamaForCausalLM(config).to(dtype).eval()
    tokens = torch.randint(0, 64, (3, 7))
    return model, lambda: model(input_ids=tokens, labels=tokens).loss


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", ["mezo", "tezo", "lozo", "subzo", "svd0", "lezo", "s_mezo"])
def test_llama_forward_and_inplace(name, dtype):
    losses = []
    for apply in ("inplace", "forward"):
        model, closure = llama(dtype)
        optimizer = build(name, model, lr=0.0, apply=apply, seed=1)
        optimizer.step(closure)
        losses.append(optimizer.log.losses[0])
    tolerance = 1e-5 if dtype == torch.float32 else 2e-2
    torch.testing.assert_close(losses[0], losses[1], rtol=0, atol=tolerance)
    assert losses[0][0] != losses[0][1]


def test_the_layers_of_a_llama():
    model, closure = llama()
    optimizer = build("lezo", model, sparsity=0.5, lr=1e-3)
    layers = {slot.name: slot.layer for slot in optimizer.slots()}
    assert layers["model.layers.1.mlp.up_proj.weight"] == "model.layers.1"
    assert layers["model.embed_tokens.weight"] is None
    assert layers["model.norm.weight"] is None
    before = {n: p.detach().clone() for n, p in model.named_parameters()}
    optimizer.step(closure)
    moved = {layers[n] for n, p in model.named_parameters() if not torch.equal(p, before[n])}
    assert len(moved) == 2
    assert None in moved


@pytest.mark.parametrize("apply", ["inplace", "forward"])
@pytest.mark.parametrize("name", ["mezo", "tezo", "lozo"])
def test_lora_trains_its_factors_only(name, apply):
    model, closure = llama()
    model = peft.get_peft_model(model, peft.LoraConfig(r=4, target_modules=["q_proj", "v_proj"]))
    model.eval()
    optimizer = build(name, model, lr=1e-3, apply=apply)
    trainable = {n for n, p in model.named_parameters() if p.requires_grad}
    assert {slot.name for slot in optimizer.slots()} == trainable
    frozen = [p for p in model.parameters() if not p.requires_grad]
    before, kept = weights(model), [p.detach().clone() for p in frozen]
    optimizer.step(closure)
    assert same(kept, frozen)
    assert not same(before, weights(model))
