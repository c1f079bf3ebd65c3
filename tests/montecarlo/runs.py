"""Samplers that worker processes import, and comparisons of runs."""

import os
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from zotheory.montecarlo import Accumulator


def square(rng: np.random.Generator, size: int) -> np.ndarray:
    return rng.standard_normal(size) ** 2


def gram_trace(rng: np.random.Generator, size: int) -> np.ndarray:
    """Two columns that go through BLAS: ||A^T A||^2 and tr(A A) of a 192 x 192 matrix."""
    rows = []
    for _ in range(size):
        a = rng.standard_normal((192, 192))
        rows.append((np.linalg.norm(a.T @ a) ** 2, np.trace(a @ a)))
    return np.array(rows)


@dataclass(frozen=True)
class Logged:
    """`square`, with a line in a file for every shard drawn."""

    log: Path
    seconds: float = 0.0

    def __call__(self, rng: np.random.Generator, size: int) -> np.ndarray:
        time.sleep(self.seconds)
        with self.log.open("a") as log:
            log.write(f"{os.getpid()}\n")
        return square(rng, size)


@dataclass(frozen=True)
class KillsItsWorkerOnce:
    """`gram_trace`, but the sixth draw or so kills the process that draws it, once."""

    log: Path
    marker: Path

    def __call__(self, rng: np.random.Generator, size: int) -> np.ndarray:
        with self.log.open("a") as log:
            log.write(f"{os.getpid()}\n")
        if len(self.log.read_text().splitlines()) > 5:
            try:
                self.marker.touch(exist_ok=False)
            except FileExistsError:
                pass
            else:
                os.kill(os.getpid(), signal.SIGKILL)
        return gram_trace(rng, size)


@dataclass(frozen=True)
class FailsAt:
    """`square`, but one shard, known by its first normal number, fails in the given way."""

    first: float
    how: str

    def __call__(self, rng: np.random.Generator, size: int) -> np.ndarray:
        x = rng.standard_normal(size)
        if x[0] != self.first:
            return x**2
        match self.how:
            case "raise":
                raise ZeroDivisionError("no gradient here")
            case "nan":
                return np.where(np.arange(size) == 1, np.nan, x)
            case "inf":
                return np.where(np.arange(size) == 1, np.inf, x)
            case "short":
                return x[:-1]
            case "cube":
                return x.reshape(size, 1, 1)
            case "complex":
                return x + 1j
            case "text":
                return np.array(["a"] * size)
        raise AssertionError(self.how)


def process_facts(rng: np.random.Generator, size: int) -> np.ndarray:
    """Two columns: the number of the process, and whether torch is loaded in it."""
    return np.array([[os.getpid(), "torch" in sys.modules]] * size, dtype=float)


def same(a: list[Accumulator], b: list[Accumulator]) -> bool:
    """Bit for bit, all moments."""
    return len(a) == len(b) and all(
        x.count == y.count
        and all(
            getattr(x, m).shape == getattr(y, m).shape
            and getattr(x, m).tobytes() == getattr(y, m).tobytes()
            for m in ("mean", "m2")
        )
        for x, y in zip(a, b, strict=True)
    )


def draws(log: Path) -> int:
    return len(log.read_text().splitlines()) if log.exists() else 0
