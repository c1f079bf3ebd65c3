"""How much arithmetic a computation does, counted on the operations themselves."""

import pytest
import torch

from zotheory.evidence.instruments import Operations

A, B, C = torch.ones(3, 4), torch.ones(4, 5), torch.ones(3, 5)


@pytest.mark.parametrize(
    ("computation", "done"),
    [
        (lambda: A + 1, 12),
        (lambda: torch.lerp(A, A, 0.5), 12),
        (lambda: A @ B, 2 * 4 * 15),
        (lambda: C.addmm_(A, B, alpha=0.1), 2 * 4 * 15),
        (lambda: (A @ B).mul_(2), 2 * 4 * 15 + 15),
        (lambda: torch.stack([A, A]) @ B, 2 * (12 + 2 * 4 * 15)),
        (lambda: B.T[1:].reshape(-1, 2), 0 + 16),
        (lambda: B.T[1:], 0),
        (lambda: torch.zeros(100), 0),
        (lambda: torch.empty(100).normal_(), 0),
        (lambda: torch.arange(5) + 1, 0),
    ],
)
def test_every_entry_written_counts_and_a_product_by_its_inner_dimension(computation, done):
    with Operations() as operations:
        computation()
    assert operations.done == done


def test_the_thread_count_comes_back():
    before = torch.get_num_threads()
    with Operations():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before
