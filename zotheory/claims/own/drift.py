"""How far perturbing in place moves the weights, counted."""

from __future__ import annotations

from collections.abc import Iterator

import sympy as sp
import torch

import estimators
from zotheory.checks.counted import Count, counted
from zotheory.context import Context
from zotheory.counting.drift import Drift, own_steps, printed_cycles
from zotheory.vocabulary import Claim, Kind, Statement

CHANGED = sp.Symbol("weights changed")
HALF, BRAIN = sp.Symbol("moved in float16"), sp.Symbol("moved in bfloat16")
SIZE, CYCLES, EPS = 1_000_000, 1000, 1e-3
OWN_SIZE, OWN_STEPS = 100_000, 100  # ours draw again for every evaluation; one step tells


def _changed(statement: Statement, context: Context) -> Iterator[Count]:
    """Weights whose bits differ after one cycle in 32 bits."""
    restore = statement.setting["restore"]
    if restore is None:
        drift = printed_cycles(SIZE, 1, (torch.float32,), EPS, context.seed)[torch.float32]
        size = SIZE
    else:
        size = OWN_SIZE
        drift = _own(size, 1, torch.float32, context, restore)
    default = _own(OWN_SIZE, 1, torch.float32, context)
    yield Count(
        {"weights": size, "cycles": 1, "eps": EPS, "type": "float32", "seed": context.seed},
        {CHANGED: drift.changed},
        {
            "moved by, of their norm": drift.moved,
            f"changed of {OWN_SIZE} by one step of our default, which regenerates": default.changed,
        },
    )


def _moved(statement: Statement, context: Context) -> Iterator[Count]:
    types = torch.float16, torch.bfloat16
    ours = {t: _own(OWN_SIZE, OWN_STEPS, t, context) for t in types}
    if statement.setting["ours"]:
        size, cycles, found = OWN_SIZE, OWN_STEPS, ours
    else:
        size, cycles = SIZE, CYCLES
        found = printed_cycles(SIZE, CYCLES, types, EPS, context.seed)
    yield Count(
        {"weights": size, "cycles": cycles, "eps": EPS, "seed": context.seed},
        {HALF: found[torch.float16].moved, BRAIN: found[torch.bfloat16].moved},
        {
            f"changed of {OWN_SIZE} by {OWN_STEPS} steps of our default, both types": sum(
                drift.changed for drift in ours.values()
            )
        },
    )


def _own(
    size: int, steps: int, dtype: torch.dtype, context: Context, restore: str | None = None
) -> Drift:
    return own_steps(estimators.mezo, size, steps, dtype, EPS, context.seed, restore)


CLAIMS = (
    Claim(
        id="own.drift",
        where="ours",
        statement=Statement(
            "Perturbing in place by +eps, -2 eps, +eps in 32-bit floats, as MeZO does, does not "
            "return the weights bit for bit.",
            sp.Gt(CHANGED, 0),
            setting={"restore": None},
        ),
        needs=(Kind.COUNTED,),
        checks=(counted(_changed),),
        mutant=Statement(
            "Nor does a step that keeps a copy of the weights.",
            sp.Gt(CHANGED, 0),
            setting={"restore": "copy"},
        ),
    ),
    Claim(
        id="own.drift_16bit",
        where="ours",
        statement=Statement(
            "With learning rate 0 and eps = 1e-3, 1000 such cycles on a million weights drawn from "
            "N(0, 0.02^2) move them by more than 1% of their norm in float16 and more than 5% in "
            "bfloat16.",
            sp.And(sp.Gt(HALF, sp.Rational(1, 100)), sp.Gt(BRAIN, sp.Rational(5, 100))),
            setting={"ours": False},
        ),
        needs=(Kind.COUNTED,),
        checks=(counted(_moved),),
        mutant=Statement(
            "Steps of our default for 16-bit weights move them, too.",
            sp.And(sp.Gt(HALF, 0), sp.Gt(BRAIN, 0)),
            setting={"ours": True},
        ),
    ),
)
