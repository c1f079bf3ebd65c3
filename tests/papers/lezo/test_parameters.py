from itertools import combinations

import pytest
import torch

import estimators
from zotheory.papers.lezo.parameters import OPT_13B, SMOLLM2, Sizes, dropped_share, sizes, sizes_of
from zotheory.papers.shared.architectures import llama_30b, opt_1b3, small_llama


@pytest.mark.parametrize("embedding", [False, True])
def test_least_and_greatest_over_all_sets(embedding):
    found = Sizes(blocks=(3, 5, 5), embedding=7, total=22)
    layers = (3, 5, 5, 7) if embedding else (3, 5, 5)
    for dropped in range(3):
        counts = [22 - sum(off) for off in combinations(layers, dropped)]
        assert found.perturbed(dropped, embedding=embedding) == (min(counts), max(counts))


def test_sizes_are_what_a_step_perturbs():
    model = small_llama(torch.float32)
    found = sizes(model)
    assert found.total == sum(p.numel() for p in model.parameters())
    optimizer = estimators.lezo(model, sparsity=0.5, seed=0)
    estimate = optimizer.estimate(lambda: sum(p.sum() for p in model.parameters()))
    moved = sum(part.numel() for part in estimate.values() if part.any())
    assert (moved, moved) == found.perturbed(2)


def test_published_models_have_their_published_sizes():
    opt, smollm = sizes_of(OPT_13B), sizes_of(SMOLLM2)
    assert (len(opt.blocks), opt.total) == (40, 12_853_473_280)
    assert (len(smollm.blocks), smollm.total) == (30, 134_515_008)
    assert sum(p.numel() for p in opt_1b3().parameters()) == 1_315_758_080
    assert sum(p.numel() for p in llama_30b().parameters()) == 32_528_943_616


def test_dropped_share():
    block = 12 * 5120**2 + 13 * 5120
    assert float(dropped_share()) == pytest.approx(30 * block / 12_853_473_280, rel=1e-12)
