"""One shard: draw it, reduce it, keep it on disk."""

from __future__ import annotations

import io
import json
import os
import sys
import traceback
import warnings
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import lru_cache, reduce
from hashlib import blake2b, sha256
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import ThreadpoolController

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


def single_thread() -> AbstractContextManager[Any]:
    """A context in which BLAS and OpenMP use one thread.

    Workers then do not fight for cores, and sums inside BLAS are split in the same way wherever
    a shard is drawn, so that results agree bit for bit.
    """
    return _controller(len(sys.modules)).limit(limits=1)


@lru_cache(maxsize=1)
def _controller(modules_loaded: int) -> ThreadpoolController:
    # Finding the loaded libraries takes milliseconds; only a new module can bring a new one.
    return ThreadpoolController()


# Moments that can be merged.


@dataclass(frozen=True, slots=True, eq=False)
class Accumulator:
    """Count, mean and the sum of squared deviations, m2 = sum_i (x_i - mean)^2.

    `mean` and `m2` are float64 arrays of one shape: () for a scalar statistic, (k,) for k
    statistics drawn together. Merging uses the pairwise formulas of Chan, Golub and LeVeque (1983).
    """

    count: int
    mean: np.ndarray
    m2: np.ndarray

    @classmethod
    def of(cls, samples: np.ndarray) -> Accumulator:
        """Moments of `samples`, shape (size,) or (size, k), by the two-pass formula.

        Raises ValueError on another shape, on no samples, and on values that are not finite;
        TypeError on complex numbers and on what is no number.
        """
        x = np.asarray(samples).astype(np.float64, casting="same_kind", copy=False)
        if x.ndim not in (1, 2) or x.size == 0:
            raise ValueError(f"samples must have shape (size,) or (size, k), got {x.shape}")
        if not np.isfinite(x).all():
            raise ValueError("samples contain NaN or infinity")
        mean = x.mean(axis=0)
        deviation = x - mean
        return cls(len(x), np.asarray(mean), np.asarray((deviation * deviation).sum(axis=0)))

    def merge(self, other: Accumulator) -> Accumulator:
        """Moments of both sets of samples together."""
        if self.mean.shape != other.mean.shape:
            raise ValueError(f"cannot merge shapes {self.mean.shape} and {other.mean.shape}")
        a, b = self.count, other.count
        n = a + b
        delta = other.mean - self.mean
        step = delta / n
        m2 = self.m2 + other.m2 + a * b * delta * step
        return Accumulator(n, self.mean + b * step, m2)

    @property
    def variance(self) -> np.ndarray:
        """Unbiased sample variance, m2 / (count - 1); NaN for one sample."""
        return self.m2 / (self.count - 1) if self.count > 1 else np.full_like(self.m2, np.nan)


def merge(shards: Iterable[Accumulator]) -> Accumulator:
    """All shards together, merged from the first to the last (rounding depends on the order).

    Raises ValueError when there are none.
    """
    shards = list(shards)
    if not shards:
        raise ValueError("no shards to merge")
    return reduce(Accumulator.merge, shards)


# Random streams that depend on what they are for, never on who draws them or when.


def stream(root_seed: int, claim: str, shard: int) -> np.random.Generator:
    """The generator of one shard of one claim.

    Philox-4x64-10, a counter-based generator (Salmon et al. 2011, "Parallel random numbers: as
    easy as 1, 2, 3"), with the counter at 0 and the 128-bit key

        BLAKE2b-128(JSON [root_seed, claim, shard]).

    Streams of different (root_seed, claim, shard) are independent for every practical purpose
    (a key collision has probability 2^-128 per pair); the same triple gives the same words on
    every platform.

    Raises ValueError when `root_seed` or `shard` is not an integer >= 0.
    """
    for label, number in (("seed", root_seed), ("shard", shard)):
        if isinstance(number, bool) or not isinstance(number, int | np.integer) or number < 0:
            raise ValueError(f"{label} must be an integer >= 0, got {number!r}")
    address = json.dumps([int(root_seed), claim, int(shard)]).encode()
    key = np.frombuffer(blake2b(address, digest_size=16).digest(), dtype="<u8")
    return np.random.Generator(np.random.Philox(key=key))
