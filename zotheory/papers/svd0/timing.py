"""Table 1 and Sec. 4.2: what SVD-0's subspaces cost, spread over the steps that use them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import numpy as np
import sympy as sp

import estimators
from zotheory.context import Context
from zotheory.evidence.compared import Case, median
from zotheory.evidence.modelled import once
from zotheory.evidence.timed import Contenders, Rounds, Seconds, Timing, in_turn, timed
from zotheory.vocabulary import Claim, Kind, Setting, Statement, conjunction

OVERHEAD = sp.Symbol("time of SVD-0 / time of SubZero")
INTERVAL = 1000
MOST, RANK = 32, 24
LR = 0.0  # a step takes as long as at any other rate, and the model stays what it is
METHODS = ("svd0", "subzo")


@contextmanager
def _steps(context: Context, interval: int = INTERVAL) -> Iterator[Contenders]:
    """A step of both methods on review prompts, their subspaces renewed every `interval` steps."""
    from zotheory.evidence.borrowed import prompts_loss
    from zotheory.evidence.modelled import borrowed_model

    with borrowed_model(context) as found:
        loss = prompts_loss(found, context)
        yield {
            method: partial(
                getattr(estimators, method)(
                    found.model, lr=LR, rank=RANK, interval=interval, seed=0
                ).step,
                loss,
            )
            for method in METHODS
        }


def _renewed(context: Context) -> dict[str, float]:
    """Seconds of one step of both methods that renews the subspaces, after one not counted."""
    with _steps(context, interval=1) as contenders:
        return next(in_turn(contenders))


STEPS = Rounds("svd0.steps", _steps, MOST)


def _overhead(_: Statement, context: Context, kept: Seconds) -> Case:
    """A renewal is spread over the interval: one will do, a hundredth of the whole."""
    renewed = once("svd0.renewed", context, _renewed)
    svd0, subzo = (renewed[method] + (INTERVAL - 1) * kept[method] for method in METHODS)
    notes = {f"{name}, kept [s], median": float(np.median(s)) for name, s in kept.items()}
    notes |= {f"{name}, renewed [s]": seconds for name, seconds in renewed.items()}
    return Case(f"16 review prompts, rank {RANK}", {OVERHEAD: median(svd0 / subzo)}, notes)


ROWS, TOKENS = 16, 32
RENEWAL = sp.Symbol("time that a renewal adds / time of a step that keeps its subspace")
FREQUENT, RARE = 50, 1000
KEPT, RENEWED = "kept", "renewal"


@contextmanager
def _step_and_renewal(context: Context) -> Iterator[Contenders]:
    """A step that keeps its subspaces, and the renewal of all: lines 5 and 6.

    A renewal is one two-point estimate and the full SVD of every matrix's part of it.
    """
    import torch

    from zotheory.evidence.borrowed import rows_loss
    from zotheory.evidence.modelled import borrowed_model
    from zotheory.model.gradients import layer_weights

    with borrowed_model(context) as found:
        loss = rows_loss(found, context, ROWS, TOKENS)
        parameters = dict(found.model.named_parameters())
        names = [weight.name for weight in layer_weights(found.model)]
        named = [(name, parameters[name]) for name in names]
        svd0 = estimators.svd0(named, lr=LR, rank=RANK, interval=10**9, seed=0)
        mezo = estimators.mezo(named, lr=LR, seed=0)

        def renew() -> None:
            for gradient in mezo.estimate(loss).values():
                torch.linalg.svd(gradient, full_matrices=False)

        yield {KEPT: partial(svd0.step, loss), RENEWED: renew}


@contextmanager
def _step(context: Context) -> Iterator[Contenders]:
    """A step that keeps its subspaces."""
    with _step_and_renewal(context) as contenders:
        yield {KEPT: contenders[KEPT]}


def _renewal(context: Context) -> float:
    """Seconds of one renewal, after one not counted."""
    with _step_and_renewal(context) as contenders:
        return next(in_turn({RENEWED: contenders[RENEWED]}))[RENEWED]


LONG_STEPS = Rounds("svd0.long_steps", _step, MOST)


def _renewals(_: Statement, context: Context, seconds: Seconds) -> Case:
    """A renewal takes many steps' time: one will do, beside the steps' median."""
    renewal = once("svd0.renewal", context, _renewal)
    notes = {f"{KEPT} [s], median": float(np.median(seconds[KEPT])), f"{RENEWED} [s]": renewal}
    values = {RENEWAL: median(renewal / seconds[KEPT])}
    return Case(f"{ROWS} x {TOKENS} tokens, rank {RANK}", values, notes)


def _added(rare: sp.Expr, frequent: sp.Expr) -> sp.And:
    """The shares that renewals add to the mean step: below at F = 1000, above at F = 50."""
    return conjunction(sp.Lt(RENEWAL / RARE, rare), sp.Gt(RENEWAL / FREQUENT, frequent))


CLAIMS = (
    Claim(
        id="svd0.sec42.frequency_cost",
        where="Sec. 4.2",
        setting=Setting(
            "LLMs on GPUs; the paper prints no times by F", "SmolLM2-135M on two cores in 32 bits"
        ),
        statement=Statement(
            "On SmolLM2-135M (batch 16 x 32 tokens, r = 24, all attention and feed-forward "
            "matrices, full SVD on two cores), by times taken side by side of a step that keeps "
            "its subspace and one that renews it, renewal adds less than 2% to the mean step at F "
            "= 1000 and more than 5% at F = 50.",
            _added(sp.Rational(2, 100), sp.Rational(5, 100)),
        ),
        needs=(Kind.TIMED,),
        checks=(timed(Timing(_renewals, (LONG_STEPS,))),),
        mutant=Statement(
            "Less than 0.02% at F = 1000, and more than 5% at F = 50.",
            _added(sp.Rational(2, 10_000), sp.Rational(5, 100)),
        ),
        correction=Statement(
            "Less than 20% at F = 1000, and more than 2% at F = 50.",
            _added(sp.Rational(20, 100), sp.Rational(2, 100)),
        ),
    ),
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
        checks=(timed(Timing(_overhead, (STEPS,))),),
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
