import torch

from zotheory.papers.smezo.algorithms import ABOVE, WITHIN, get_mask, perturb


def test_algorithm_2_draws_one_number_a_weight_whatever_the_mask():
    weights = [torch.zeros(2, 3, dtype=torch.float64), torch.zeros(4, dtype=torch.float64)]
    masks = [torch.tensor([[1, 0, 1], [0, 0, 1]]), torch.tensor([0, 1, 1, 0])]
    full = [w.clone() for w in weights]
    perturb(weights, 0.5, 3, masks)
    perturb(full, 0.5, 3, [torch.ones_like(m) for m in masks])
    assert all(f.all() for f in full)
    for w, f, m in zip(weights, full, masks, strict=True):
        assert torch.equal(w, m * f)


def test_algorithm_3_writes_what_stands_on_the_left():
    assert get_mask("theta") == ([1, 0], [1, 0])
    assert get_mask("m") == ([WITHIN, ABOVE], [1, 0])
