"""Table 1: what SVD-0's subspaces cost, spread over the steps that use them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import sympy as sp

import estimators
from zotheory.context import Context
from zotheory.evidence.compared import Case, median
from zotheory.evidence.modelled import once
from zotheory.evidence.timed import interleaved, timed
from zotheory.vocabulary import Claim, Kind, Setting, Statement

OVERHEAD = sp.Symbol("time of SVD-0 / time of SubZero")
INTERVAL = 1000
ROUNDS, RENEWALS, RANK = 23, 1, 24
LR = 0.0  # a step takes as long as at any other rate, and the model stays what it is
METHODS = ("svd0", "subzo")


def _seconds(context: Context) -> dict[str, np.ndarray]:
    """Seconds of a step of both methods that keeps the subspaces, and of one that renews them."""
    from zotheory.evidence.borrowed import prompts_loss
    from zotheory.evidence.modelled import borrowed_model

    with borrowed_model(context) as found:
        loss = prompts_loss(found, context)

        def contenders(step: str, interval: int) -> dict[str, Callable[[], object]]:
            return {
                f"{method}, {step}": partial(
                    getattr(estimators, method)(
                        found.model, lr=LR, rank=RANK, interval=interval, seed=0
                    ).step,
                    loss,
                )
                for method in METHODS
            }

        def tell(words: str) -> None:
            context.tell(f"{context.claim}  timing: {words}")

        kept = interleaved(contenders("kept", INTERVAL), ROUNDS, tell)
        return kept | interleaved(contenders("renewed", 1), RENEWALS, tell)


def _overhead(_: Statement, context: Context) -> Sequence[Case]:
    """A renewal is spread over the interval: one will do, a hundredth of the whole."""
    seconds = once("svd0.table1", context, _seconds)
    svd0, subzo = (
        seconds[f"{method}, renewed"][0] + (INTERVAL - 1) * seconds[f"{method}, kept"]
        for method in METHODS
    )
    notes = {f"{name} [s], median": float(np.median(s)) for name, s in seconds.items()}
    return [Case(f"16 review prompts, rank {RANK}", {OVERHEAD: median(svd0 / subzo)}, notes)]


CLAIMS = (
    Claim(
        id="svd0.table1.overhead",
        where="Table 1",
        setting=Setting(
            "OPT-1.3B, Qwen-1.8B, OPT-13B fine-tuned for 20,000 steps on GPUs",
            "SmolLM2-135M on one processor in 32 bits",
        ),
        statement=Statement(
            "With an update every 1000 steps, SVD-0's time is at most 10% above SubZero's.",
            sp.Le(OVERHEAD, sp.Rational(11, 10)),
        ),
        needs=(Kind.TIMED,),
        checks=(timed(_overhead),),
        mutant=Statement(
            "SVD-0's time is at most three quarters of SubZero's.",
            sp.Le(OVERHEAD, sp.Rational(3, 4)),
        ),
        correction=Statement(
            "With an update every 1000 steps, SVD-0's time is at most twice SubZero's.",
            sp.Le(OVERHEAD, 2),
        ),
    ),
)
