"""What falls and step sizes are on a language model at its initial weights, by its Hessian."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import combinations
from math import exp, isfinite, log
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp
import torch
from torch import Tensor

from zotheory.budget import OWN_MODEL
from zotheory.context import Context
from zotheory.evidence.compared import Case, Quantity
from zotheory.evidence.modelled import (
    BATCH_SIZE,
    WORDS,
    Modelled,
    in_words,
    language_model,
    on_model,
    once,
    sentences,
    times_as_many,
    what_it_takes,
)
from zotheory.evidence.trained import best_rates
from zotheory.statistics.intervals import jackknife
from zotheory.vocabulary import AssetMissing, Claim, Kind, Setting, Statement

if TYPE_CHECKING:
    from zotheory.model.reviews import Example
    from zotheory.papers.own.second_moments import SecondMoment

FACTOR = sp.Symbol("largest factor between a best rate and the common multiple")
FALLS = sp.Symbol("factor between a method's fall per pass and MeZO's")
MODEL = Setting("SmolLM2-135M, reviews in prompts of at most 10 words, batches of 16")

REFERENCE = "mezo"
PROMISED = ("lozo", "tezo", "subzo", "lezo", "s_mezo", "rademacher")  # of own.step.same_fall
METHODS = (REFERENCE, *PROMISED, "svd0", "mezo_gv", "mezo_greedy")
FEWEST = 8  # methods with a best rate
MULTIPLE, BOUND = 3, sp.Rational(3, 2)


@dataclass(frozen=True, eq=False)
class Moments:
    """Of each batch, by method: E kappa^2, exactly, and an unbiased E[kappa^2 z^T H z]."""

    slopes: Mapping[str, np.ndarray]
    curvatures: Mapping[str, np.ndarray]

    def rows(self, *methods: str) -> np.ndarray:
        """One row a batch: slope and curvature of each method in turn."""
        return np.stack([x[m] for m in methods for x in (self.slopes, self.curvatures)], axis=1)

    def steps(self, one: str, other: str, alpha: float) -> tuple[float, float, float]:
        """log of the ratio of two methods' best steps, with its interval."""
        return self._ratio(one, other, 1, alpha)

    def falls(self, one: str, other: str, alpha: float) -> tuple[float, float, float]:
        """log of the ratio of two methods' falls per step, with its interval."""
        return self._ratio(one, other, 2, alpha)

    def best_step(self, method: str) -> float:
        """The ratio of the means."""
        slope, curvature = self.rows(method).mean(axis=0)
        return slope / curvature

    def _ratio(self, one: str, other: str, power: int, alpha: float) -> tuple[float, float, float]:
        def statistic(rows: np.ndarray) -> float:
            a, b, a0, b0 = rows.mean(axis=0)
            with np.errstate(invalid="ignore"):  # no best step: no number
                return float(power * np.log(a / a0) - np.log(b / b0))

        return jackknife(statistic, self.rows(one, other), alpha)


def _moments(context: Context) -> Moments:
    """Those of disjoint batches of the text, each with one reading of its Hessian."""
    text = sentences(context, WORDS)
    count = min(len(text) // BATCH_SIZE, context.budget.batches)
    if count < 2:
        raise AssetMissing(f"{2 * BATCH_SIZE} sentences of at most {WORDS} words are needed")
    company, found = _Company(context), []
    for number in range(count):
        context.tell(f"{context.claim}  Hessian of batch {number + 1} of {count}")
        batch = text[number * BATCH_SIZE : (number + 1) * BATCH_SIZE]
        measure = partial(company.measured, batch, number)
        found.append(once(f"Hessian, batch {number}", context, measure))
    slopes, curvatures = (
        {method: np.array([batch[method][i] for batch in found]) for method in METHODS}
        for i in (0, 1)
    )
    return Moments(slopes, curvatures)


class _Company:
    """The methods, fresh, on the run's model."""

    def __init__(self, context: Context) -> None:
        self._context = context

    @cached_property
    def _known(self) -> dict[str, tuple[SecondMoment, dict[str, Tensor]]]:
        """The second moments of their estimates, and their masks."""
        import estimators
        from zotheory.papers.own.second_moments import masks, second_moment

        model = language_model(self._context).model
        try:
            built = {m: getattr(estimators, m)(model, seed=self._context.seed) for m in METHODS}
        except ValueError as error:  # a rank that the model's matrices do not have
            raise AssetMissing(f"the methods do not fit {self._context.model}: {error}") from error
        return {m: (second_moment(one), masks(one)) for m, one in built.items()}

    def measured(
        self, text: Sequence[Example], number: int, context: Context
    ) -> dict[str, tuple[float, float]]:
        """E kappa^2 and an estimate of E[kappa^2 z^T H z] of each method on one batch."""
        from zotheory.model.curvature import curved, inner, on, products, read

        loss = curved(language_model(context), text)
        draw = torch.Generator().manual_seed(_seed(context.seed, number))
        signs = {
            name: torch.randint(0, 2, part.shape, generator=draw).to(part).mul_(2).sub_(1)
            for name, part in loss.gradient.items()
        }
        seen = products(loss, signs)
        whole, values = read(loss.gradient, seen), {}
        for method, (moment, mask) in self._known.items():
            reading, gradient = whole, loss.gradient
            if mask:
                gradient = on(mask, gradient)
                reading = read(gradient, seen.masked(mask), matrices=False)
            norms2 = np.array([inner(x, x) for x in gradient.values()])
            values[method] = float(moment.slope @ norms2), moment.curvature(reading, norms2)
        return values


def _seed(seed: int, number: int) -> int:
    return int(np.random.SeedSequence((seed, number)).generate_state(1)[0])


def _same_fall(_: Statement, context: Context) -> Modelled:
    found, bound = _moments(context), log(BOUND)
    cases, numbers, times = [], _told(found), 0.0
    for method in PROMISED:  # two passes a step, as MeZO
        ratio = found.falls(method, REFERENCE, context.alpha / len(PROMISED))
        cases.append(Case(method, {FALLS: Quantity(*map(exp, _apart(ratio)))}))
        value, *ends = (_number(exp(x)) for x in ratio)
        numbers[method] |= {"fall over MeZO's": value, "interval": ends}
        times = max(times, times_as_many(Quantity(*ratio), (bound, -bound)))
    return Modelled(cases, numbers, _setting(found), in_words(times))


def _one_factor(_: Statement, context: Context) -> Modelled:
    if context.model != OWN_MODEL:
        raise AssetMissing(f"the recorded training runs are of {OWN_MODEL}, not of {context.model}")
    best = {m: lr for m, lr in best_rates(seed=0).items() if m in METHODS}
    if len(best) < FEWEST:
        raise AssetMissing(f"best rates of {FEWEST} methods are needed, there are {len(best)}")
    found = _moments(context)
    pairs = list(combinations(best, 2))
    apart = []
    for one, other in pairs:
        steps = found.steps(one, other, context.alpha / len(pairs))
        apart.append(_apart(np.array(steps) - log(best[one] / best[other])))
    # The best common multiple is halfway, by ratio, between the two that are furthest apart.
    value, low, high = np.exp(np.max(apart, axis=0) / 2)
    numbers = _told(found)
    for method, lr in best.items():
        share = _number(lr / found.best_step(method))
        numbers[method] |= {"best rate": lr, "best rate over that step": share}
    case = Case(f"{len(best)} methods", {FACTOR: Quantity(value, low, high)})
    half = [log(x) for x in (value, low, high)]
    further = what_it_takes(Quantity(*half), [log(MULTIPLE)])
    return Modelled([case], numbers, _setting(found), further)


def _apart(ratio: Sequence[float]) -> tuple[float, float, float]:
    """The size of a logarithm, and the ends of its interval."""
    value, low, high = ratio
    return abs(value), max(0.0, low, -high), max(-low, high)


def _told(found: Moments) -> dict[str, dict[str, Any]]:
    return {m: {"E[kappa^2]/E[kappa^2 c]": _number(found.best_step(m))} for m in METHODS}


def _number(value: float) -> float | None:
    """None for what a ledger has no number for: no best step, no end."""
    return value if isfinite(value) else None


def _setting(found: Moments) -> dict[str, str]:
    batches = len(found.slopes[REFERENCE])
    return {
        "setting": f"{batches} batches of {BATCH_SIZE} review sentences of at most {WORDS} words, "
        "pretrained weights, loss over the whole vocabulary; of each batch the gradient and "
        "products of the Hessian with random signs; means over all draws by the methods' exact "
        "second moments"
    }


CLAIMS = (
    Claim(
        id="own.step.one_factor",
        where="ours, for the results table",
        setting=MODEL,
        statement=Statement(
            "On SmolLM2-135M and the reviews (prompts of at most 10 words, batches of 16), over at "
            "least eight methods with an SGD update, the rate with the lowest validation loss "
            "after 600 forward passes on a grid of factor sqrt(3) lies within a factor 3 of one "
            "common multiple of E[kappa^2] / E[kappa^2 c] measured at the initial weights (c the "
            "curvature along the method's own direction).",
            sp.Le(FACTOR, MULTIPLE),
        ),
        needs=(Kind.MODEL,),
        checks=(on_model(_one_factor),),
        mutant=Statement(
            "It lies within 5% of one: the best rates are in the ratios of the measured steps.",
            sp.Le(FACTOR, sp.Rational(21, 20)),
        ),
        correction=Statement(
            "They are further apart than a factor 3 from any common multiple.",
            sp.Gt(FACTOR, MULTIPLE),
        ),
    ),
    Claim(
        id="own.step.same_fall",
        where="ours, for the papers' promise of fewer steps",
        setting=MODEL,
        statement=Statement(
            "At SmolLM2-135M's initial weights (same setting) the expected fall per forward pass "
            "at the best step, E[kappa^2]^2 / (2 E[kappa^2 c]) per pass, of LOZO, TeZO, SubZO, "
            "LeZO, S-MeZO and signs is within a factor 1.5 of MeZO's.",
            sp.Le(FALLS, BOUND),
        ),
        needs=(Kind.MODEL,),
        checks=(on_model(_same_fall),),
        mutant=Statement(
            "They are all at least a factor 2 from MeZO's.",
            sp.Ge(FALLS, 2),
        ),
    ),
)
