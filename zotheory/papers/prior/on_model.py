"""MeZO-GV's direction against MeZO's on a language model's own layers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import sympy as sp

from proofs_check.cards.ratio import number
from zotheory.context import Context
from zotheory.evidence.compared import Case, mean
from zotheory.evidence.modelled import WORDS, Modelled, by_layer, on_model, once, points
from zotheory.montecarlo import Accumulator
from zotheory.papers.prior.quantities import guided
from zotheory.statistics import Catoni
from zotheory.vocabulary import Check, Statement

if TYPE_CHECKING:
    from zotheory.papers.prior.candidates import Candidates

LAYERS, DRAWS, PROMPTS = 4, 45, 4
QUARTILES = np.arange(5) / 4


def variance_bound(queries: int, d: int) -> float:
    """A bound on E D^2, D = d cos^2 of GV at M = 4 less that of the mean of q of its candidates'.

    With S the sum of the four y_i^2 and A the part along g of the split by sorted y, any other
    split has 0 <= A'^2 <= A^2: D^2 <= (q S/4)^2 + (A^2 - q S/4)^2 up to the norms, whose part is
    at most d^2/((d-3)(d-5)). E[S^2] = 24 and, S independent of A^2/S, E[A^2 S] = 6 E[A^2].
    """
    law = guided(4, 2)
    plain = 3 * queries**2 - 3 * queries * number(law.second)
    return (number(law.fourth) + plain) * d**2 / ((d - 3) * (d - 5))


def cosine(guiding: sp.Symbol, plain: sp.Symbol, directions: Callable[[Statement], int]) -> Check:
    """E cos^2 of MeZO-GV's direction and of the mean of `directions` MeZO estimates, in pairs.

    The mean difference over all draws of all layers is bounded by Catoni's interval. It holds for
    draws of different means, too: the bound is one on second moments.
    """

    def measure(statement: Statement, context: Context) -> Modelled:
        drawn = once("prior.candidates", context, _candidates)
        queries = directions(statement)
        variance = max(variance_bound(queries, c.dimension) for c in drawn.values())

        def interval(values: np.ndarray, alpha: float) -> tuple[float, float]:
            found = Catoni(variance)([Accumulator.of(value[None]) for value in values], alpha)
            return float(found.lower), float(found.upper)

        together = {
            guiding: np.concatenate([c.guided() for c in drawn.values()]),
            plain: np.concatenate([c.plain(queries) for c in drawn.values()]),
        }
        case = Case(
            f"in units of 1/d, {len(together[plain])} draws, {len(drawn)} layers, the mean of "
            f"{queries} of MeZO's",
            {symbol: mean(values, interval) for symbol, values in together.items()},
        )
        numbers = {
            name: {
                "d": c.dimension,
                "draws": len(c.losses),
                "mean d cos^2 of GV and plain": [c.guided().mean(), c.plain(queries).mean()],
                "d cos^2 of GV, quartiles": np.quantile(c.guided(), QUARTILES),
                "d cos^2 of plain, quartiles": np.quantile(c.plain(queries), QUARTILES),
                "the elite are the lowest <g, z>": _agreement(c),
            }
            for name, c in drawn.items()
        }
        setting = {
            "setting": f"matrices of one decoder layer at a time, {PROMPTS} review prompts of at "
            f"most {WORDS} words, eps 1e-3, pretrained weights; MeZO's from the same four "
            "candidates",
            "method": f"{Catoni.name}, second moment at most {variance:.3g}",
        }
        return Modelled([case], numbers, setting)

    return on_model(measure)


def _agreement(drawn: Candidates) -> float:
    """How often the real losses choose the same half as the slopes do."""
    half = drawn.losses.shape[1] // 2
    chosen = (np.sort(x.argsort(axis=1)[:, :half], axis=1) for x in (drawn.losses, drawn.inner))
    return float(np.equal(*chosen).all(axis=1).mean())


def _candidates(context: Context) -> dict[str, Candidates]:
    from zotheory.papers.prior.candidates import candidates

    rng, found = np.random.default_rng([context.seed, DRAWS]), {}
    with points(context, by_layer, PROMPTS, LAYERS) as layers:
        for i, point in enumerate(layers):
            context.tell(f"{context.claim}  candidates in layer {i + 1} of {len(layers)}")
            found[_layer(tuple(point.gradients))] = candidates(point, DRAWS, rng)
    return found


def _layer(names: Sequence[str]) -> str:
    """What the names of a layer's parameters begin with."""
    return names[0].split(".self_attn")[0]
