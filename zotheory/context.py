"""What a check may use besides the statement: seed, budget, Monte Carlo, the real model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from zotheory.budget import ALPHA, Budget
from zotheory.montecarlo import MonteCarlo


@dataclass(frozen=True)
class Context:
    """One claim's view of a run.

    Attributes:
        claim: the claim's id; the first part of every random stream's key.
        seed: the run's root seed.
        budget: limits on samples, search evaluations and batches.
        monte_carlo: the engine that runs shards.
        model: the causal LM to measure on (a name or a path), or None to leave model claims out.
        scratch: a folder for finished work that a resumed run picks up.
        tell: reports progress in a few words.
        alpha: probability that one measured check wrongly refutes a true statement.
    """

    claim: str
    seed: int
    budget: Budget
    monte_carlo: MonteCarlo
    model: str | None
    scratch: Path
    tell: Callable[[str], None] = lambda _: None
    alpha: float = ALPHA
