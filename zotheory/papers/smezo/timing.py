"""Abstract and Sec. 3.3: what finding the mask again adds to a perturbation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import numpy as np
import sympy as sp
import torch
from torch import Tensor

from zotheory.context import Context
from zotheory.evidence.compared import Case, median
from zotheory.evidence.instruments import OneThread
from zotheory.evidence.timed import Contenders, Rounds, Seconds, Timing, timed
from zotheory.vocabulary import Claim, Kind, Setting, Statement, conjunction

OVERHEAD = sp.Symbol("time of Algorithms 2 and 3 / time of MeZO's perturbation")
MEZO, SMEZO = "MeZO", "S-MeZO"
FIFTH, EPS = 0.2, 1e-3


@torch.no_grad()
def perturb(matrices: Sequence[Tensor], seed: int, thresholds: Sequence[float] | None) -> None:
    """w <- w + eps m*z in place, z drawn anew from the seed, a whole matrix at a time.

    m is 1 without thresholds (MeZO), else where |w| is at most its matrix's threshold.
    """
    source = torch.Generator().manual_seed(seed)
    for k, w in enumerate(matrices):
        z = torch.randn(w.shape, dtype=w.dtype, generator=source)
        if thresholds is not None:
            z.mul_(w.abs() <= thresholds[k])
        w.add_(z, alpha=EPS)


@contextmanager
def _perturbations(context: Context) -> Iterator[Contenders]:
    """Either perturbation of the blocks' matrices, on one thread."""
    from zotheory.evidence.modelled import borrowed_model
    from zotheory.model.gradients import layer_weights

    with borrowed_model(context) as found, OneThread():
        names = {weight.name for weight in layer_weights(found.model)}
        matrices = [p.detach() for name, p in found.model.named_parameters() if name in names]
        thresholds = [
            float(w.abs().flatten().kthvalue(round(FIFTH * w.numel())).values) for w in matrices
        ]
        yield {
            MEZO: partial(perturb, matrices, 0, None),
            SMEZO: partial(perturb, matrices, 0, thresholds),
        }


ROUNDS = Rounds("smezo.perturbation", _perturbations, most=32)


def _overhead(_: Statement, __: Context, seconds: Seconds) -> Case:
    notes = {f"{name} [s], median": float(np.median(s)) for name, s in seconds.items()}
    ratio = seconds[SMEZO] / seconds[MEZO]
    return Case("the blocks' matrices, one thread", {OVERHEAD: median(ratio)}, notes)


CLAIMS = (
    Claim(
        id="smezo.abstract.no_overhead",
        where="abstract ('without any overhead'), Sec. 3.3",
        setting=Setting(
            "fine-tuning of LLaMA-7B and others on GPUs",
            judged="SmolLM2-135M's perturbation on one processor in 32 bits",
        ),
        statement=Statement(
            "One perturbation of the blocks' matrices in place by Algorithms 2 and 3 (fixed "
            "thresholds, the mask of the 20% smallest found again from the weights) takes at most "
            "1.1 times MeZO's perturbation of the same matrices: ratio of medians, interleaved "
            "rounds, one thread, the same generator.",
            sp.Le(OVERHEAD, sp.Rational(11, 10)),
        ),
        needs=(Kind.TIMED,),
        checks=(timed(Timing(_overhead, (ROUNDS,))),),
        mutant=Statement(
            "It takes at most a fifth of MeZO's time, as only a fifth is perturbed.",
            sp.Le(OVERHEAD, sp.Rational(1, 5)),
        ),
        correction=Statement(
            "It takes more than 1.1 times MeZO's time, and at most three times.",
            conjunction(sp.Gt(OVERHEAD, sp.Rational(11, 10)), sp.Le(OVERHEAD, 3)),
        ),
    ),
)
