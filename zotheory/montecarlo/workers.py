"""Where shards are drawn: in this process, in local processes, or on a Dask cluster."""

import warnings
from collections.abc import Iterator, Sequence

from joblib import Parallel, delayed, parallel_config

from zotheory.montecarlo.accumulators import Accumulator
from zotheory.montecarlo.shards import Failure, ShardTask, single_thread

Outcomes = Iterator[tuple[int, Accumulator | Failure]]


def inline(task: ShardTask, shards: Sequence[int]) -> Outcomes:
    """Draw the shards here, one after the other."""
    return map(task, shards)


def local_processes(task: ShardTask, shards: Sequence[int], jobs: int) -> Outcomes:
    """Draw the shards in `jobs` processes; yields them as they finish.

    joblib keeps the processes for the next call.
    """
    with parallel_config("loky", n_jobs=jobs, inner_max_num_threads=1):
        outcomes = Parallel(return_as="generator_unordered")(delayed(task)(s) for s in shards)
    try:
        for outcome in outcomes:  # noqa: UP028 (`yield from` would close `outcomes` by itself)
            yield outcome
    finally:
        with warnings.catch_warnings():
            # joblib's advice on lost work, when a run stops at an error
            warnings.simplefilter("ignore", UserWarning)
            outcomes.close()


def dask_cluster(task: ShardTask, shards: Sequence[int], client) -> Outcomes:
    """Draw the shards on the cluster of a distributed.Client; yields them as they finish.

    Tasks of a worker that dies run again elsewhere. The client is used without joblib's Dask
    backend because that one scatters arguments: scattered data dies with the worker that holds
    it, whereas the result of a task, as here, is computed anew. Workers keep BLAS and OpenMP at
    one thread afterwards.
    """
    from distributed import as_completed

    shared = client.submit(_itself, task, pure=False)
    futures = client.map(_draw, shards, task=shared, pure=False)
    try:
        for _, outcome in as_completed(futures, loop=client.loop, with_results=True):
            yield outcome
    finally:
        client.cancel([shared, *futures])


def _itself(task: ShardTask) -> ShardTask:
    return task


def _draw(shard: int, task: ShardTask) -> tuple[int, Accumulator | Failure]:
    # Never undone: a worker's threads share these settings, and one that restored them would
    # change the sums of a shard that another one is still drawing.
    single_thread()
    return task(shard)
