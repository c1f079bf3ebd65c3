"""MeZO-GV's direction against MeZO's on a language model's own layers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import sympy as sp

from proofs_check.cards.ratio import number
from zotheory.context import Context
from zotheory.evidence.modelled import WORDS, by_layer, on_model, once, points
from zotheory.montecarlo import Accumulator
from zotheory.papers.prior.quantities import guided
from zotheory.statistics import Catoni
from zotheory.vocabulary import Check, Evidence, Kind, Statement, Verdict

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


def cosine(directions: Callable[[Statement], int]) -> Check:
    """E cos^2 of MeZO-GV's direction and of the mean of `directions` MeZO estimates, in pairs."""

    def judge(statement: Statement, context: Context) -> Evidence:
        drawn = once("prior.candidates", context, _candidates)
        return decide(statement, drawn, directions(statement), context)

    return on_model(judge)


def decide(
    statement: Statement, drawn: dict[str, Candidates], queries: int, context: Context
) -> Evidence:
    """The mean difference over all draws of all layers by Catoni's interval.

    It holds for draws of different means, too: the bound is one on second moments.
    """
    differences = {name: c.guided() - c.plain(queries) for name, c in drawn.items()}
    variance = max(variance_bound(queries, c.dimension) for c in drawn.values())
    together = np.concatenate(list(differences.values()))
    shards = [Accumulator.of(value[None]) for value in together]
    interval = Catoni(variance)(shards, context.alpha)
    low, high = float(interval.lower), float(interval.upper)
    sign = 1 if isinstance(statement.formula, sp.Gt) else -1
    least, most = (low, high) if sign > 0 else (-high, -low)
    verdict = Verdict.INCONCLUSIVE
    if least > 0:
        verdict = Verdict.CONFIRMED
    elif most <= 0:
        verdict = Verdict.REFUTED
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
    guided_mean, plain_mean = (
        float(np.mean([value for c in drawn.values() for value in of(c)]))
        for of in (lambda c: c.guided(), lambda c: c.plain(queries))
    )
    summary = (
        f"d E cos^2: GV {guided_mean:.2f}, mean of {queries} of MeZO's {plain_mean:.2f}; "
        f"difference in [{low:.2f}, {high:.2f}] ({len(together)} draws, {len(drawn)} layers)"
    )
    certificate = {
        "model": context.model,
        "setting": f"matrices of one decoder layer at a time, {PROMPTS} review prompts of at "
        f"most {WORDS} words, eps 1e-3, pretrained weights; MeZO's from the same four candidates",
        "method": f"{Catoni.name}, second moment at most {variance:.3g}",
        "error probability": context.alpha,
        "seed": context.seed,
    }
    return Evidence(Kind.MODEL, verdict, summary, numbers, certificate)


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
