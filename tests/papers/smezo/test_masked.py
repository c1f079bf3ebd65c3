import pytest
import torch
from torch import nn

from zotheory.papers.smezo.masked import (
    beyond_smallest,
    cycle,
    losses_masked_again,
    selected,
    step_losses,
    weight_matrices,
)

SEVEN = torch.tensor([[-3.0, -1.0, -0.1, 0.2, 0.5, 2.0, 4.0]])


def test_matrices_are_all_matrices(tiny):
    names = [name for name, _ in weight_matrices(tiny.model)]
    assert len(names) == 4 * 7 + 1
    assert "model.embed_tokens.weight" in names


@pytest.mark.parametrize(
    ("rule", "percentile", "expected"),
    [
        ("signed", 3 / 7, [True, True, True, False, False, False, False]),
        ("absolute", 3 / 7, [False, False, True, True, True, False, False]),
        ("signed", 1.0, [True] * 7),
        ("signed", 0.0, [True] + [False] * 6),
    ],
)
def test_the_smallest_of_what_is_compared_are_selected(rule, percentile, expected):
    assert selected(SEVEN, rule, percentile).tolist() == expected


def test_beyond_smallest_counts_weights_that_are_too_large():
    assert beyond_smallest(SEVEN, selected(SEVEN, "signed", 3 / 7)) == 2
    assert beyond_smallest(SEVEN, selected(SEVEN, "absolute", 3 / 7)) == 0
    assert beyond_smallest(SEVEN, torch.zeros(7, dtype=torch.bool)) == 0


def test_ties_are_not_too_large():
    weights = torch.tensor([[1.0, -1.0, 1.0, -1.0]])
    assert beyond_smallest(weights, torch.tensor([True, False, False, True])) == 0


def layer() -> nn.Linear:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        linear = nn.Linear(300, 200, bias=False)
        nn.init.normal_(linear.weight, std=0.02)
    return linear


def test_a_stored_mask_brings_the_weights_back():
    found = cycle(layer(), "stored", 0.8, seed=3)
    assert (found.weights, found.masked) == (60_000, 12_000)
    assert found.changed == (0, 0)
    assert found.displaced == 0
    assert 0 < found.farthest < 1e-7


def test_a_mask_computed_again_does_not():
    model = layer()
    before = model.weight.detach().clone()
    found = cycle(model, "again", 0.8, seed=3)
    assert min(found.changed) > 100
    assert found.displaced == torch.count_nonzero((model.weight - before).abs() > 1e-6)
    assert found.displaced <= sum(found.changed)
    assert found.farthest == pytest.approx(float((model.weight.detach() - before).abs().max()))


def test_both_ways_of_a_step_evaluate_the_same_points_and_a_new_mask_does_not():
    model, before = layer(), layer().weight.detach()
    inputs = torch.ones(300, dtype=torch.float32)

    def closure():
        return model(inputs).square().mean()

    placed = step_losses(model, closure, "mask", 0.8, seed=1)
    torch.testing.assert_close(model.weight.detach(), before, rtol=0, atol=1e-7)
    forward = step_losses(model, closure, "forward", 0.8, seed=1)
    assert placed == pytest.approx(forward, rel=1e-4)
    again = losses_masked_again(model, closure, 0.8, seed=1)
    assert again[0] == pytest.approx(forward[0], rel=1e-4)
    assert again[1] != pytest.approx(forward[1], rel=1e-4)
