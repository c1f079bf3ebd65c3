"""Random numbers are counted as they come, regenerated ones once."""

import pytest
import torch

from zotheory.evidence.instruments import Draws


def test_counts_distinct_and_all_draws():
    generator = torch.Generator()
    with Draws() as draws:
        torch.empty(40, dtype=torch.float64).normal_(generator=generator.manual_seed(1))
        torch.empty(5, 8, dtype=torch.float64).normal_(generator=generator.manual_seed(1))
        torch.rand(3, dtype=torch.float64, generator=generator)
        torch.ones(100, dtype=torch.float64).add_(1)
    assert draws.drawn == 83
    assert draws.distinct == 43


def test_nothing_drawn_is_nothing():
    with Draws() as draws:
        torch.zeros(3, dtype=torch.float64)
    assert (draws.drawn, draws.distinct) == (0, 0)


def test_narrow_numbers_are_refused():
    with pytest.raises(TypeError, match="64-bit"), Draws():
        torch.randn(3)


def test_the_thread_count_comes_back():
    before = torch.get_num_threads()
    with Draws():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before
