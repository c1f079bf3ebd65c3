"""Runs of shards whose result depends on the seed alone."""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import replace
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

from joblib import Parallel, delayed, parallel_config

from zotheory.montecarlo.shards import (
    Accumulator,
    Failure,
    MonteCarloError,
    Sampler,
    ShardStore,
    ShardTask,
    in_one_line,
    single_thread,
    stream,
)


class MonteCarlo:
    """Draws samples in shards of fixed size and returns the moments of every shard.

    Shard s of the run `name` is drawn from `stream(seed, name, s)`, so the result does not depend
    on the number of workers, on the order in which they finish, or on interruptions.

    Args:
        seed: root seed, >= 0.
        jobs: processes on this machine; 1 draws in the calling process.
        dask: address of a Dask scheduler; when given, its workers draw, instead of `jobs`. They
            must be able to import the samplers' modules.
        store: folder for finished shards; a run that was killed goes on from them. None keeps
            nothing.

    Use as a context manager, or call `close`, to leave the Dask cluster.

    Example:
        >>> def square(rng, size):
        ...     return rng.standard_normal(size) ** 2
        >>> shards = MonteCarlo(seed=0).run("chi2", square, range(8), shard_size=1000)
        >>> merge(shards).count
        8000
    """

    def __init__(
        self, seed: int, jobs: int = 1, dask: str | None = None, store: Path | None = None
    ) -> None:
        if jobs < 1:
            raise ValueError(f"jobs must be at least 1, got {jobs}")
        stream(seed, "", 0)  # refuses a bad seed here rather than in a worker
        self.seed = int(seed)
        self.jobs = jobs
        self.dask = dask
        self.store = None if store is None else Path(store)

    def __enter__(self) -> MonteCarlo:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def connect(self) -> None:
        """Join the Dask cluster now, if there is one, rather than at the first run.

        Raises MonteCarloError if no scheduler answers.
        """
        if self.dask is not None:
            _ = self._client

    def close(self) -> None:
        """Leave the Dask cluster, if one was used. Local processes end by themselves when idle."""
        if "_client" in self.__dict__:
            self.__dict__.pop("_client").close()

    def run(
        self, name: str, sampler: Sampler, shards: range, shard_size: int, fingerprint: str = ""
    ) -> list[Accumulator]:
        """Moments of the given shards, in their order.

        Args:
            name: the claim; keys the random streams and the store. Samplers that run under one
                name see the same random numbers.
            sampler: picklable, `sampler(rng, size)` returns float64 samples of shape (size,), or
                (size, k) for k statistics; its modules are imported by every worker.
            shards: shard numbers, >= 0.
            shard_size: samples per shard, >= 1.
            fingerprint: whatever else decides the samples (parameters, version of the code);
                stored shards of another fingerprint are not used.

        Raises:
            MonteCarloError: the sampler raised, or returned NaN, infinity or a wrong shape; a
                worker was lost for good; the store cannot be written. Shards that had finished
                stay stored.
            ValueError: bad arguments.
        """
        if not shards or min(shards) < 0:
            raise ValueError(f"{name}: shards must be a non-empty range of numbers >= 0")
        if shard_size < 1:
            raise ValueError(f"{name}: shard_size must be at least 1, got {shard_size}")
        store = self._open_store(name, shard_size, fingerprint)
        finished = {} if store is None else _load(store, shards)
        missing = [shard for shard in shards if shard not in finished]
        if missing:
            task = ShardTask(self.seed, name, sampler, shard_size, store)
            finished.update(self._draw(task, missing))
        return [finished[shard] for shard in shards]

    def _open_store(self, name: str, shard_size: int, fingerprint: str) -> ShardStore | None:
        if self.store is None:
            return None
        label = json.dumps([name, self.seed, int(shard_size), fingerprint])
        readable = re.sub(r"[^\w.-]", "_", name)[:80]
        directory = self.store / f"{readable}-{sha256(label.encode()).hexdigest()[:16]}"
        try:
            directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise MonteCarloError(f"{name}: cannot keep shards in {directory}: {error}") from error
        return ShardStore(directory, label)

    def _draw(self, task: ShardTask, missing: list[int]) -> dict[int, Accumulator]:
        drawn = {}
        with closing(self._outcomes(task, missing)) as outcomes:
            for shard, outcome in outcomes:
                if isinstance(outcome, Failure):
                    error = MonteCarloError(outcome.message)
                    error.add_note(outcome.details)
                    raise error
                drawn[shard] = outcome
        return drawn

    def _outcomes(self, task: ShardTask, missing: list[int]) -> Outcomes:
        """Draw `missing`; infrastructure errors become MonteCarloError."""
        try:
            if self.dask is not None:
                yield from self._outcomes_of_cluster(task, missing)
            elif self.jobs == 1 or len(missing) == 1:
                yield from inline(task, missing)
            else:
                yield from local_processes(task, missing, self.jobs)
        except MonteCarloError:
            raise
        except Exception as error:
            raise MonteCarloError(
                f"{task.name}: the workers failed: {in_one_line(error)}"
            ) from error

    def _outcomes_of_cluster(self, task: ShardTask, missing: list[int]) -> Outcomes:
        # The workers may not share this file system, so this process keeps the shards.
        for shard, outcome in dask_cluster(replace(task, store=None), missing, self._client):
            if task.store is not None and isinstance(outcome, Accumulator):
                task.store.save(shard, outcome)
            yield shard, outcome

    @cached_property
    def _client(self) -> Any:
        try:
            from distributed import Client
        except ModuleNotFoundError as error:
            raise MonteCarloError("a Dask address needs the package distributed") from error
        try:
            return Client(self.dask, set_as_default=False, timeout="5s")
        except (OSError, TimeoutError, ValueError) as error:
            raise MonteCarloError(
                f"no Dask scheduler at {self.dask}: {in_one_line(error)}"
            ) from error


def _load(store: ShardStore, shards: range) -> dict[int, Accumulator]:
    loaded = ((shard, store.load(shard)) for shard in shards)
    return {shard: moments for shard, moments in loaded if moments is not None}


# Where shards are drawn: in this process, in local processes, or on a Dask cluster.


Outcomes = Generator[tuple[int, Accumulator | Failure], None, None]


def inline(task: ShardTask, shards: Sequence[int]) -> Outcomes:
    """Draw the shards here, one after the other."""
    yield from map(task, shards)


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


def dask_cluster(task: ShardTask, shards: Sequence[int], client: Any) -> Outcomes:
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
