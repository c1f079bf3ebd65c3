"""Counting on one thread: a dispatch mode does not see what other threads do."""

from __future__ import annotations

from typing import Any

import torch


class OneThread:
    """Keeps PyTorch, and work that follows its thread count, on the calling thread."""

    def __enter__(self) -> OneThread:
        self._threads = torch.get_num_threads()
        torch.set_num_threads(1)
        return self

    def __exit__(self, *_: Any) -> None:
        torch.set_num_threads(self._threads)
