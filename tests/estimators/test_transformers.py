"""Language models: LLaMA's modules, tied embeddings."""

import pytest
import torch

from tests.estimators.language import llama_problem
from tests.estimators.problems import build


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", ["mezo", "tezo", "lozo", "subzo", "svd0", "lezo", "s_mezo"])
def test_llama_forward_and_inplace(name, dtype):
    losses = []
    for apply in ("inplace", "forward"):
        model, closure = llama_problem(dtype)
        optimizer = build(name, model, lr=0.0, apply=apply, seed=1)
        optimizer.step(closure)
        losses.append(optimizer.log.losses[0])
    tolerance = 1e-5 if dtype == torch.float32 else 2e-2
    torch.testing.assert_close(losses[0], losses[1], rtol=0, atol=tolerance)
    assert losses[0][0] != losses[0][1]


def test_the_layers_of_a_llama():
    model, closure = llama_problem()
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
