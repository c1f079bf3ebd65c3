"""One shard: draw it, reduce it, keep it on disk."""

import io
import os
import sys
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

import numpy as np
from threadpoolctl import ThreadpoolController

from zotheory.montecarlo.accumulators import Accumulator
from zotheory.montecarlo.streams import stream

Sampler = Callable[[np.random.Generator, int], np.ndarray]

_DIGEST_BYTES = 32


class MonteCarloError(RuntimeError):
    """A run that cannot go on; the message names the claim and, where there is one, the shard."""


def in_one_line(error: Exception) -> str:
    """Type and first line of an error."""
    first, *_ = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {first}"


@dataclass(frozen=True)
class Failure:
    """Why a shard has no result. Travels between processes where an exception might not."""

    message: str
    details: str


@dataclass(frozen=True)
class ShardStore:
    """Finished shards of one run, one file each: SHA-256(label, shard, moments), then moments.

    A file appears by a rename, so a killed process leaves a whole file or none; a file whose
    digest does not match (a damaged disk, another run's file) counts as absent.
    """

    directory: Path
    label: str

    def _path(self, shard: int) -> Path:
        return self.directory / f"{shard:08d}.shard"

    def _digest(self, shard: int, payload: bytes) -> bytes:
        return sha256(f"{self.label}\n{shard}\n".encode() + payload).digest()

    def save(self, shard: int, moments: Accumulator) -> None:
        """Keep the moments of a finished shard. Raises OSError when the disk refuses."""
        buffer = io.BytesIO()
        np.save(buffer, np.stack([moments.mean, moments.m2]))
        payload = moments.count.to_bytes(8, "little") + buffer.getvalue()
        temporary = self.directory / f"{shard:08d}.{os.getpid()}.tmp"
        temporary.write_bytes(self._digest(shard, payload) + payload)
        temporary.replace(self._path(shard))

    def load(self, shard: int) -> Accumulator | None:
        """The moments of a finished shard; None when it is absent or damaged (with a warning)."""
        try:
            content = self._path(shard).read_bytes()
        except FileNotFoundError:
            return None
        digest, payload = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
        if digest != self._digest(shard, payload):
            warnings.warn(f"{self._path(shard)} is damaged; drawing the shard again", stacklevel=2)
            return None
        mean, m2 = np.load(io.BytesIO(payload[8:]), allow_pickle=False)
        # Rows of a 1-d stack are NumPy scalars; statistics are arrays, of shape () here.
        return Accumulator(int.from_bytes(payload[:8], "little"), np.asarray(mean), np.asarray(m2))


@dataclass(frozen=True)
class ShardTask:
    """The work of one run: shard number in, (shard number, moments or failure) out.

    `store` is None where another process than the one that draws keeps the results.
    """

    seed: int
    name: str
    sampler: Sampler
    shard_size: int
    store: ShardStore | None

    def __call__(self, shard: int) -> tuple[int, Accumulator | Failure]:
        try:
            with single_thread():
                moments = self._draw(shard)
            if self.store is not None:
                self.store.save(shard, moments)
        except Exception as error:
            message = f"{self.name}, shard {shard}: {in_one_line(error)}"
            return shard, Failure(message, traceback.format_exc())
        return shard, moments

    def _draw(self, shard: int) -> Accumulator:
        samples = np.asarray(self.sampler(stream(self.seed, self.name, shard), self.shard_size))
        if samples.ndim not in (1, 2) or len(samples) != self.shard_size:
            expected = f"({self.shard_size},) or ({self.shard_size}, k)"
            raise ValueError(f"the sampler must return shape {expected}, got {samples.shape}")
        return Accumulator.of(samples)


def single_thread():
    """A context in which BLAS and OpenMP use one thread.

    Workers then do not fight for cores, and sums inside BLAS are split in the same way wherever
    a shard is drawn, so that results agree bit for bit.
    """
    return _controller(len(sys.modules)).limit(limits=1)


@lru_cache(maxsize=1)
def _controller(modules_loaded: int) -> ThreadpoolController:
    # Finding the loaded libraries takes milliseconds; only a new module can bring a new one.
    return ThreadpoolController()
