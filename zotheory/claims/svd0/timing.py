"""Table 1: what SVD-0's subspaces cost, spread over the steps that use them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
import sympy as sp

import estimators
from zotheory.checks.timed import Timing, timed
from zotheory.context import Context
from zotheory.timing.rounds import interleaved, once
from zotheory.vocabulary import Claim, Kind, Statement

OVERHEAD = sp.Symbol("time of SVD-0 / time of SubZero")
INTERVAL = 1000
ROUNDS, RANK = 21, 24
LR = 0.0  # a step takes as long as at any other rate, and the model stays what it is
METHODS = ("svd0", "subzo")


def _seconds(context: Context) -> dict[str, np.ndarray]:
    """Seconds of a step of both methods that keeps the subspaces, and of one that renews them."""
    from zotheory.timing.language import borrowed_model, prompts_loss

    with borrowed_model(context) as found:
        loss = prompts_loss(found, context)
        contenders = {
            f"{method}, {step}": partial(
                getattr(estimators, method)(found.model, lr=LR, rank=RANK, interval=interval).step,
                loss,
            )
            for step, interval in (("kept", ROUNDS + 2), ("renewed", 1))
            for method in METHODS
        }
        return interleaved(
            contenders, ROUNDS, lambda words: context.tell(f"{context.claim}  timing: {words}")
        )


def _overhead(statement: Statement, context: Context) -> Sequence[Timing]:
    seconds = once("svd0.table1", context, _seconds)
    interval = statement.setting["interval"]
    svd0, subzo = (
        seconds[f"{method}, renewed"] + (interval - 1) * seconds[f"{method}, kept"]
        for method in METHODS
    )
    notes = {f"{name} [s], median": float(np.median(s)) for name, s in seconds.items()}
    return [Timing(f"16 review prompts, rank {RANK}", {OVERHEAD: svd0 / subzo}, notes)]


CLAIMS = (
    Claim(
        id="svd0.table1.overhead",
        where="Table 1",
        statement=Statement(
            "With an update every 1000 steps, SVD-0's time is at most 10% above SubZero's.",
            sp.Le(OVERHEAD, sp.Rational(11, 10)),
            setting={"interval": INTERVAL},
        ),
        needs=(Kind.TIMED,),
        checks=(timed(_overhead),),
        mutant=Statement(
            "So it is with an update at every step.",
            sp.Le(OVERHEAD, sp.Rational(11, 10)),
            setting={"interval": 1},
        ),
        correction=Statement(
            "With an update every 1000 steps, SVD-0's time is at most twice SubZero's.",
            sp.Le(OVERHEAD, 2),
            setting={"interval": INTERVAL},
        ),
    ),
)
