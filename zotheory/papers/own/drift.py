"""How far perturbing in place moves the weights, counted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache

import sympy as sp
import torch
from torch import Tensor

import estimators
from estimators.streams import Stream
from estimators.zeroth_order import ZerothOrder
from zotheory.context import Context
from zotheory.evidence.compared import Case
from zotheory.evidence.counted import counted
from zotheory.evidence.instruments import Passes
from zotheory.papers.shared.steps import cycle
from zotheory.vocabulary import Claim, Kind, Setting, Statement, conjunction

CHANGED = sp.Symbol("weights changed")
HALF, BRAIN = sp.Symbol("moved in float16"), sp.Symbol("moved in bfloat16")
SIZE, CYCLES, EPS = 1_000_000, 1000, 1e-3
OWN_SIZE, OWN_STEPS = 100_000, 100  # ours draw again for every evaluation; one step tells


def _changed(statement: Statement, context: Context) -> Iterator[Case]:
    """Weights whose bits differ after one cycle in 32 bits."""
    restore = statement.setting["restore"]
    if restore is None:
        drift = printed_cycles(SIZE, 1, (torch.float32,), EPS, context.seed)[torch.float32]
        size = SIZE
    else:
        size = OWN_SIZE
        drift = _own(size, 1, torch.float32, context, restore)
    default = _own(OWN_SIZE, 1, torch.float32, context)
    yield Case(
        {"weights": size, "cycles": 1, "eps": EPS, "type": "float32", "seed": context.seed},
        {CHANGED: drift.changed},
        {
            "moved by, of their norm": drift.moved,
            f"changed of {OWN_SIZE} by one step of our default, which regenerates": default.changed,
        },
    )


def _moved(statement: Statement, context: Context) -> Iterator[Case]:
    types = torch.float16, torch.bfloat16
    ours = {t: _own(OWN_SIZE, OWN_STEPS, t, context) for t in types}
    if statement.setting["ours"]:
        size, cycles, found = OWN_SIZE, OWN_STEPS, ours
    else:
        size, cycles = SIZE, CYCLES
        found = printed_cycles(SIZE, CYCLES, types, EPS, context.seed)
    yield Case(
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
        setting=Setting("MeZO's perturbations in 32-bit floats"),
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
        setting=Setting("MeZO's perturbations in 16-bit floats, a million weights"),
        statement=Statement(
            "With learning rate 0 and eps = 1e-3, 1000 such cycles on a million weights drawn from "
            "N(0, 0.02^2) move them by more than 1% of their norm in float16 and more than 5% in "
            "bfloat16.",
            conjunction(sp.Gt(HALF, sp.Rational(1, 100)), sp.Gt(BRAIN, sp.Rational(5, 100))),
            setting={"ours": False},
        ),
        needs=(Kind.COUNTED,),
        checks=(counted(_moved),),
        mutant=Statement(
            "Steps of our default for 16-bit weights move them, too.",
            conjunction(sp.Gt(HALF, 0), sp.Gt(BRAIN, 0)),
            setting={"ours": True},
        ),
    ),
)


# How far weights move when nothing should move them: perturbation cycles at learning rate 0.


SCALE = 0.02  # standard deviation of the weights
_PIECE = 1 << 15  # weights of one stream: PyTorch's kernels stay on the calling thread


@dataclass(frozen=True)
class Drift:
    """How many weights are not what they were, and ||w - w_0|| / ||w_0||."""

    changed: int
    moved: float


def drift_of(before: Tensor, after: Tensor) -> Drift:
    """The drift between two vectors of one type; NaN and -0 against 0 count as changed bits."""
    bits = {2: torch.int16, 4: torch.int32, 8: torch.int64}[before.element_size()]
    changed = int((before.view(bits) != after.view(bits)).sum())
    start = before.double()
    return Drift(changed, float((after.double() - start).norm() / start.norm()))


@cache
def printed_cycles(
    size: int, cycles: int, dtypes: tuple[torch.dtype, ...], eps: float, seed: int
) -> dict[torch.dtype, Drift]:
    """MeZO's cycle as released, w <- w + s * z * eps for s = 1, -2, 1, on `size` weights.

    Weights are N(0, 0.02^2) rounded to each type; every cycle has new standard normal z, drawn in
    32 bits and rounded to the type (as accelerators draw them), the same for its three
    perturbations, as regeneration from a seed makes them.
    """

    def run(piece: int) -> dict[torch.dtype, tuple[Tensor, Tensor]]:
        count = min(_PIECE, size - piece * _PIECE)
        drawn = SCALE * _normal(count, seed, piece)
        before = {dtype: drawn.to(dtype) for dtype in dtypes}
        weights = {dtype: w.clone() for dtype, w in before.items()}
        for number in range(cycles):
            z = _normal(count, seed, piece, number)
            for dtype, w in weights.items():
                cycle(w, z.to(dtype), eps)
        return {dtype: (before[dtype], weights[dtype]) for dtype in dtypes}

    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        pieces = list(pool.map(run, range(-(-size // _PIECE))))
    joined = {
        d: [torch.cat(both) for both in zip(*(p[d] for p in pieces), strict=True)] for d in dtypes
    }
    return {dtype: drift_of(before, after) for dtype, (before, after) in joined.items()}


@cache
def own_steps(
    recipe: Callable[..., ZerothOrder],
    size: int,
    steps: int,
    dtype: torch.dtype,
    eps: float,
    seed: int,
    restore: str | None = None,
) -> Drift:
    """Steps of one of our optimisers at learning rate 0 on such weights; `restore` as there."""
    weights = (SCALE * _normal(size, seed)).to(dtype)
    parameter = torch.nn.Parameter(weights.clone())
    optimizer = recipe([parameter], lr=0.0, eps=eps, seed=seed, restore=restore)
    closure = Passes()
    for _ in range(steps):
        optimizer.step(closure)
    return drift_of(weights, parameter.detach())


def _normal(count: int, *stream: int) -> Tensor:
    return Stream(torch.device("cpu"), "drift", *stream).normal((count,), torch.float32)
