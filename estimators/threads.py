"""Work shared among PyTorch's number of threads."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from functools import cache

import torch

WORTH_A_THREAD = 1 << 15  # numbers below which waking a thread costs more than it saves


@cache
def _pool(workers: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(workers, thread_name_prefix="noise")


def parallel(task: Callable[[int], None], count: int, device: torch.device, entries: int) -> None:
    """Run `task(0)`, ..., `task(count - 1)`; on the CPU, on up to PyTorch's number of threads.

    The tasks must release the interpreter lock to gain anything. `entries`, the numbers that all
    tasks together handle, decides whether threads are worth waking.
    """
    workers = min(torch.get_num_threads(), count, 1 + entries // WORTH_A_THREAD)
    if device.type != "cpu":
        workers = min(count, 1)

    if workers <= 1:
        with torch.no_grad():
            for index in range(count):
                task(index)
        return

    tasks = iter(range(count))  # shared: a thread whose core is busy elsewhere takes fewer

    @torch.no_grad()
    def share() -> None:
        for index in tasks:
            task(index)

    others = [_pool(workers).submit(share) for _ in range(1, workers)]
    try:
        share()
    finally:  # nobody may still be writing when an error is dealt with
        wait(others)
    for other in others:
        other.result()
