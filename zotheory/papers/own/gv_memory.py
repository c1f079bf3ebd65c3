"""MeZO-GV without a vector: what a step can do with, and how many random numbers it costs."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import sympy as sp

from zotheory.context import Context
from zotheory.evidence.compared import Case
from zotheory.evidence.counted import counted
from zotheory.vocabulary import Claim, Kind, Setting, Statement, conjunction

BEYOND = sp.Symbol("bytes beside the weights", nonnegative=True)
BUFFER = sp.Symbol("bytes of the largest tensor", positive=True)
DIFFERENCE = sp.Symbol("largest relative difference of weights", nonnegative=True)
GUIDED, MEZO = sp.symbols("drawn_by_MeZO-GV drawn_by_MeZO", integer=True, positive=True)
M, D = sp.symbols("M d", integer=True, positive=True)
ROUNDING = sp.Rational(1, 10**9)
LAYERS, CANDIDATES, STEPS = 4, 4, 3
SHAPES = ((5, 7), (11,), (3, 4, 2))


def _held(_: Statement, context: Context) -> Iterator[Case]:
    """Four layers of OPT-13B on the meta device, and steps on small tensors in 64 bits."""
    from zotheory.evidence.instruments import Passes, footprint
    from zotheory.papers.prior.algorithms import Guided, Rebuilt
    from zotheory.papers.shared.architectures import opt_13b

    model, closure = opt_13b(layers=LAYERS), Passes()
    weights = [p.detach() for p in model.parameters()]
    rebuilt = Rebuilt(weights, 1e-3, 1e-7, CANDIDATES)
    found = footprint(model, lambda: rebuilt.step(closure))
    printed, seeds = (_trained(of, context.seed) for of in (Guided, Rebuilt))
    largest = float((printed - seeds).abs().max() / printed.abs().max())
    yield Case(
        {"model": f"OPT-13B, {LAYERS} of its layers", "bits": 16, "M": CANDIDATES},
        {
            BEYOND: found.peak - found.weights,
            BUFFER: max(w.nbytes for w in weights),
            DIFFERENCE: largest,
        },
        {"steps compared with Algorithms 1 and 2": STEPS},
    )


def _trained(of: Callable, seed: int):
    """All weights after some steps of Algorithms 1 and 2, or of the other form of them."""
    import torch

    weights = _small()
    start = torch.cat([w.flatten() for w in weights])

    def loss() -> float:
        theta = torch.cat([w.flatten() for w in weights])
        return float(torch.sin(3 * theta).sum() + (theta**2).sum() * theta[0])

    step = of(weights, eps=1e-2, lr=1e-2, count=CANDIDATES)
    for i in range(STEPS):
        step.step(loss, first=(seed * STEPS + i) * CANDIDATES)
    moved = torch.cat([w.flatten() for w in weights])
    if torch.equal(moved, start):
        raise ArithmeticError("the steps moved nothing")
    return moved


def _small() -> list:
    import torch

    return [torch.linspace(-1, 1, _size(s), dtype=torch.float64).reshape(s) for s in SHAPES]


def _size(shape: tuple[int, ...]) -> int:
    size = 1
    for side in shape:
        size *= side
    return size


def _drawn(_: Statement, context: Context) -> Iterator[Case]:
    from zotheory.evidence.instruments import Draws, Passes
    from zotheory.papers.prior.algorithms import Rebuilt
    from zotheory.papers.shared.steps import MeZO

    def drawn(step: Callable[[], None]) -> int:
        with Draws() as draws:
            step()
        return draws.drawn

    plain = MeZO(_small(), 1e-3, 1e-7, economical=True)
    once = drawn(lambda: plain.step(Passes(), context.seed))
    for candidates in (2, 4, 8, 12):
        guided = Rebuilt(_small(), 1e-3, 1e-7, candidates)
        yield Case(
            {"M": candidates, "tensors": len(SHAPES)},
            {
                M: sp.Integer(candidates),
                D: sp.Integer(sum(map(_size, SHAPES))),
                GUIDED: drawn(lambda step=guided: step.step(Passes(), context.seed)),
                MEZO: once,
            },
        )


def _memory(says: str, buffers: sp.Rational) -> Statement:
    formula = conjunction(sp.Le(BEYOND, buffers * BUFFER), sp.Le(DIFFERENCE, ROUNDING))
    return Statement(says, formula)


def _numbers(says: str, guided: sp.Expr) -> Statement:
    return Statement(says, conjunction(sp.Eq(GUIDED, guided), sp.Eq(MEZO, 4 * D)))


CLAIMS = (
    Claim(
        id="own.gv_memory",
        where="ours, for prior Table 11",
        statement=_memory(
            "A MeZO-GV step can be made holding, beside the weights, the M seeds and losses, no "
            "more than two buffers of the size of one parameter tensor, with the same update as "
            "Algorithm 1's to rounding.",
            sp.Integer(2),
        ),
        needs=(Kind.COUNTED,),
        checks=(counted(_held),),
        mutant=_memory(
            "It can be made with half such a buffer by that step, which draws the noise of a "
            "tensor as a whole.",
            sp.Rational(1, 2),
        ),
        setting=Setting(paper="OPT-13B in 16 bits, M = 4, without activations"),
    ),
    Claim(
        id="own.gv_random_numbers",
        where="ours, for prior Alg. 1, 2",
        statement=_numbers(
            "Following Algorithms 1 and 2 addition by addition in place, with v rebuilt from its M "
            "seeds at each of its uses (three perturbations, one update), a step draws 6 M d "
            "Gaussian numbers; MeZO's step, counted the same way, 4 d.",
            6 * M * D,
        ),
        needs=(Kind.COUNTED,),
        checks=(counted(_drawn),),
        mutant=_numbers("A step draws 4 M d: the candidates' noise is drawn once.", 4 * M * D),
        setting=Setting(paper="Algorithms 1 and 2, every M and d"),
    ),
)
