"""How often a step made on one batch lowers the loss of another one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import sympy as sp
import torch

from proofs_check.gaussian import Derivation
from zotheory.context import Context
from zotheory.evidence.compared import Case
from zotheory.evidence.draws import SEEDS, Recipe
from zotheory.evidence.exact import exact
from zotheory.evidence.measured import Measurement, measured
from zotheory.evidence.modelled import Modelled, on_model
from zotheory.papers.shared.estimates import linear, zeros
from zotheory.papers.smezo import batches
from zotheory.papers.smezo.batches import COSINE, agreement
from zotheory.statistics import ClopperPearson, decide_within
from zotheory.vocabulary import DRAWN, Claim, Kind, Setting, Statement

LOWERED = sp.Symbol("P(a step on batch 1 lowers the loss of batch 2)")
SHEPPARD = sp.Rational(1, 2) + sp.asin(COSINE) / sp.pi
DOMAIN = (sp.Ge(COSINE, -1, evaluate=False), sp.Le(COSINE, 1, evaluate=False))
COSINES = (-1.0, -0.5, 0.0, 0.6, 1.0)
DIMENSION = 20
TOLERANCE = 0.1  # of the share on a language model


def _lowered(statement: Statement) -> Mapping[sp.Expr, Derivation]:
    return {LOWERED: agreement(statement.setting["directions"])}


def _measure(statement: Statement, _: Context) -> Sequence[Measurement]:
    """Steps of the optimiser itself; the two losses are linear, so that no step is too large."""
    directions = statement.setting["directions"]
    recipe = Recipe("q_spsa", (("queries", directions),)) if directions > 1 else Recipe("mezo")
    targets = np.array([float(statement.formula.rhs.subs(COSINE, c)) for c in COSINES])
    decide = partial(
        decide_within, method=ClopperPearson(), target=targets, tolerance=0.035, scale=1.0
    )
    sampler = HeldOut(recipe, COSINES, DIMENSION)
    at = f"{recipe.name} with {directions} directions, d={DIMENSION}, cos = {COSINES}"
    return [Measurement(at, sampler, decide, 250, 72, first_look=36)]


def _on_model(statement: Statement, context: Context) -> Modelled:
    """Slopes of two batches of a language model along MeZO's directions, and the law's share."""
    study, directions = batches.steps(context), statement.setting["directions"]
    outcomes = batches.agree(study.slopes[:, :, 0] * study.slopes[:, :, 1], directions)
    found = batches.lowered(study, outcomes, directions, context.alpha, context.seed)
    law = statement.formula.rhs
    predicted = batches.law(law, study)
    cases = [
        Case(name, {LOWERED: share, law: float(p)}, tolerance=TOLERANCE)
        for (name, share), p in zip(batches.told(found).items(), predicted, strict=True)
    ]
    numbers = {
        "counted share": batches.by_loss(outcomes.mean(axis=0)),
        "estimate": batches.by_loss(found.estimate),
        "interval": batches.by_loss(np.stack([found.lower, found.upper], axis=1)),
        "law, averaged over pairs": batches.by_loss(predicted),
        "cosines": batches.by_loss(study.cosines),
        DRAWN: batches.by_pair(study, outcomes),
    }
    return Modelled(cases, numbers, batches.setting(study, context) | {"tolerance": TOLERANCE})


CLAIMS = (
    Claim(
        id="own.held_out",
        where="ours, for smezo.fig2b",
        setting=Setting("any two smooth losses, a small step"),
        statement=Statement(
            "The probability that a small ZO step (to first order, along one Gaussian direction) "
            "made on batch 1 lowers the loss of batch 2 is 1/2 + arcsin(cos(g1, g2))/pi.",
            sp.Eq(LOWERED, SHEPPARD),
            DOMAIN,
            setting={"directions": 1},
        ),
        needs=(Kind.EXACT, Kind.MEASURED, Kind.MODEL),
        checks=(exact(_lowered), measured(_measure), on_model(_on_model)),
        mutant=Statement(
            "The same for the average of two directions.",
            sp.Eq(LOWERED, SHEPPARD),
            DOMAIN,
            setting={"directions": 2},
        ),
    ),
)


# Steps of the code that trains on one linear loss, seen by others.


@dataclass(frozen=True)
class HeldOut:
    """1 where a step of a recipe on <g, w> lowers <g_j, w>: a column for each cos(g, g_j)."""

    recipe: Recipe
    cosines: tuple[float, ...]
    d: int

    def __call__(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """`size` independent rows of 0.0 and 1.0, shape (size, number of cosines)."""
        named = zeros({"w": (self.d,)})
        ((_, w),) = named
        gradient, *others = self._gradients()
        closure, losses = linear(named, [gradient]), torch.stack(others)
        optimizer = self.recipe.build(named)
        optimizer.seed = int(rng.integers(SEEDS))
        rows = np.empty((size, len(others)))
        for row in rows:
            before = losses @ w.detach()
            optimizer.step(closure)
            row[:] = (losses @ w.detach() < before).numpy()
        return rows

    def _gradients(self) -> list[torch.Tensor]:
        """g and the g_j, all of norm 1, in no special position."""
        frame = np.random.default_rng(self.d).standard_normal((self.d, 2))
        along, across = torch.from_numpy(np.linalg.qr(frame)[0].T.copy())
        turned = [c * along + (1 - c * c) ** 0.5 * across for c in self.cosines]
        return [along, *turned]
