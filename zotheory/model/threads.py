"""The number of threads that measurements on a model run on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

THREADS = 1


@contextmanager
def fixed_threads() -> Iterator[None]:
    """Within this context torch computes on THREADS threads.

    Sums are split among threads: numbers repeat exactly at a fixed count only. At one thread two
    measurements side by side on two cores finish sooner than one after the other on both.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(THREADS)
    try:
        yield
    finally:
        torch.set_num_threads(before)
