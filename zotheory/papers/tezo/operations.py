"""Table 8 against Algorithm 1: a step with momentum does what a plain one does, and more."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import sympy as sp

from zotheory.context import Context
from zotheory.evidence.compared import Case
from zotheory.evidence.counted import counted
from zotheory.evidence.printed import printed
from zotheory.papers.shared.parts import parts
from zotheory.papers.tezo.tables7_8 import TABLE8, TIME
from zotheory.vocabulary import Claim, Kind, Statement, conjunction

RECIPES = {"TeZO": "tezo", "TeZO-m": "tezo_m", "LOZO": "lozo", "LOZO-m": "lozo_m"}
WITH_MOMENTUM = {"TeZO": "TeZO-m", "LOZO": "LOZO-m"}
DRAWN = {m: sp.Symbol(f"random numbers drawn by {m}", integer=True) for m in RECIPES}
DONE = {m: sp.Symbol(f"operations of {m}", integer=True) for m in RECIPES}

GRID = tuple(product(((7, 5, 2), (130, 263, 4)), (1, 3)))
INTERVAL = 2  # within three steps LOZO renews V, which its momentum has to be carried over


def _steps(statement: Statement, context: Context) -> Iterator[Case]:
    """Steps of each method on one m x n weight: what they draw, and what they compute."""
    import torch

    import estimators
    from zotheory.evidence.instruments import Draws, Operations, Passes

    recipes = {**RECIPES, **statement.setting.get("recipes", {})}
    for (m, n, r), steps in GRID:
        drawn, done = {}, {}
        for method, name in recipes.items():
            weight = torch.nn.Parameter(torch.zeros(m, n, dtype=torch.float64))
            options = {"interval": INTERVAL} if name.startswith("lozo") else {}
            optimizer = getattr(estimators, name)([weight], rank=r, seed=context.seed, **options)
            closure = Passes()
            with Draws() as draws, Operations() as operations:
                for _ in range(steps):
                    optimizer.step(closure)
            drawn[DRAWN[method]], done[DONE[method]] = draws.drawn, operations.done
        yield Case({"m": m, "n": n, "r": r, "T": steps}, {**drawn, **done})


def _fits(least: sp.Rational) -> sp.Basic:
    """Momentum draws and computes at least as much, and takes at least that share of the time."""
    return conjunction(
        *(
            sp.Ge(number[momentum], number[plain])
            for plain, momentum in WITH_MOMENTUM.items()
            for number in (DRAWN, DONE)
        ),
        *(
            sp.Ge(TABLE8[momentum, column], least * TABLE8[plain, column])
            for plain, momentum in WITH_MOMENTUM.items()
            for column in TABLE8.columns
        ),
    )


CLAIMS = (
    Claim(
        id="tezo.table8.operations",
        where="Table 8 against Algorithm 1 (ours)",
        statement=Statement(
            "Table 8 fits the operations of Algorithm 1, where a step with momentum draws and "
            "computes at least what a plain one does: TeZO-m's printed time is at least 98% of "
            "TeZO's, and LOZO-m's at least 98% of LOZO's, in each of the nine columns.",
            _fits(sp.Rational(98, 100)),
        ),
        needs=(Kind.PRINTED, Kind.COUNTED),
        checks=parts(
            (TABLE8.numbers.keys(), printed(TABLE8)),
            ({*DRAWN.values(), *DONE.values()}, counted(_steps)),
        ),
        correction=Statement(
            "It draws and computes at least as much, and its printed time is at least 90% of the "
            "plain one's.",
            _fits(sp.Rational(9, 10)),
        ),
        setting=TIME,
    ),
)
