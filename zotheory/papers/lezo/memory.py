"""Remark 1: what a step of LeZO holds, counted."""

from __future__ import annotations

from collections.abc import Iterator

import sympy as sp
import torch

import estimators
from zotheory.context import Context
from zotheory.evidence.compared import Case
from zotheory.evidence.counted import counted
from zotheory.evidence.instruments import Footprint, Passes, footprint
from zotheory.papers.shared.architectures import batch, opt_13b, small_llama
from zotheory.vocabulary import Claim, Kind, Setting, Statement

LEZO, MEZO = sp.symbols("LeZO MeZO", positive=True)  # in kilobytes
KB = 1024
LAYERS = 4  # of OPT-13B's 40; LeZO leaves out 3 of them, 75% as in the paper


def _peaks(_: Statement, __: Context) -> Iterator[Case]:
    """A step of both on the same model, perturbed the same way.

    In whole kilobytes: which layers are left out takes a number a layer, of which memory is not.
    """
    big, small = (f"OPT-13B, {LAYERS} of its layers", "small Llama")
    for name, options in (
        (big, {"restore": "regenerate"}),
        (big, {"restore": "copy"}),
        (small, {"apply": "forward"}),
    ):
        held = {method: _held(method, name == small, options) for method in ("mezo", "lezo")}
        yield Case(
            {"model": name, **options},
            {LEZO: held["lezo"].peak // KB, MEZO: held["mezo"].peak // KB},
            {"weights": held["mezo"].weights // KB},
        )


def _held(method: str, small: bool, options: dict[str, str]) -> Footprint:
    model = small_llama(torch.float32) if small else opt_13b(layers=LAYERS)
    closure = batch(model, 1, 8) if small else Passes()
    optimizer = getattr(estimators, method)(model, seed=0, counting=True, **options)
    return footprint(model, lambda: optimizer.step(closure))


CLAIMS = (
    Claim(
        id="lezo.remark1.memory",
        where="Remark 1",
        setting=Setting("Algorithm 1 beside MeZO, any model"),
        statement=Statement("LeZO holds no more memory than MeZO.", sp.Le(LEZO, MEZO)),
        needs=(Kind.COUNTED,),
        checks=(counted(_peaks),),
        mutant=Statement(
            "LeZO, which leaves out 75% of the layers, holds at most 75% of MeZO's memory.",
            sp.Le(LEZO, sp.Rational(3, 4) * MEZO),
        ),
    ),
)
