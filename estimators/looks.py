"""Looks at a loss along an update D: slope and curvature there, from three losses on one batch.

With a radius h, exactly on a quadratic loss and to order h^2 on others,

    slope = (f(w + h D) - f(w - h D)) / 2h = <g, D>,
    curvature = (f(w + h D) - 2 f(w) + f(w - h D)) / h^2 = D^T H D.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from estimators.directions.base import Direction, Estimate
from estimators.evaluation import Evaluation, Weights
from estimators.noise import Draw, Noise, Source
from estimators.slots import Slot
from estimators.updates.base import Update


@dataclass(frozen=True)
class Look:
    """The loss at the weights and along D on one batch. radius: h. passes: losses evaluated."""

    loss: float
    slope: float
    curvature: float
    radius: float
    passes: int


class Along(Source):
    """An update that is no multiple of its estimate, as the noise of one draw."""

    def __init__(self, evaluation: Evaluation, terms: Weights, update: Update) -> None:
        self.terms_of: Callable[[Slot], dict[Noise, float]]
        self.terms_of = lambda slot: evaluation.terms(slot, terms)
        self.update = update

    def draw(self, slot: Slot, seed: int, step: int, query: int) -> Noise | None:
        terms = [(weight, noise) for noise, weight in self.terms_of(slot).items()]
        return self.update.displacement(slot, terms) if terms else None


class Looking:
    """Looks along the update of a step, in the place of a rule; nothing is to be written.

    found: the look; its passes are all losses but those that the estimate and it share, and
    those of a perturbation that prepares itself. rounding: the error of one loss, measured if it
    was None.
    """

    def __init__(self, centre: float | None, rounding: float | None, stretch: float) -> None:
        self.centre = centre
        self.rounding = rounding
        self.stretch = stretch
        self.found: Look | None = None

    def run(self, evaluation: Evaluation, direction: Direction, update: Update) -> Estimate:
        before = len(evaluation.losses)
        estimate = (direction.measured or direction).run(evaluation)
        spent = len(evaluation.losses) - before
        if not any(estimate.terms.values()):
            self.found = Look(estimate.loss, 0.0, 0.0, 0.0, spent)
            return estimate
        weights, radius = along(evaluation, estimate.terms, update)
        ends = ends_of(evaluation, estimate) if update.linear and self.stretch == 1.0 else None
        found, self.rounding = look(
            evaluation,
            weights,
            radius * self.stretch,
            centre=self.centre,
            rounding=self.rounding,
            ends=ends,
        )
        self.found = replace(found, passes=found.passes + spent)
        return estimate


def along(evaluation: Evaluation, terms: Weights, update: Update) -> tuple[Weights, float]:
    """Return D as weighted draws, and the radius at which h D is as long as eps Z."""
    radius = evaluation.eps / length(terms) if update.homogeneous else evaluation.eps
    if update.linear:
        return terms, radius
    return {Draw(Along(evaluation, terms, update), 0): 1.0}, radius


def length(terms: Weights) -> float:
    """Return the length of an update by the weights of its draws."""
    return math.sqrt(sum(weight * weight for weight in terms.values()))


def ends_of(evaluation: Evaluation, estimate: Estimate) -> tuple[float, float, float] | None:
    """Return f(w + h D), f(w - h D) and h of an estimate from w + v and w - v: these are free.

    There D = 2 c v with the share c of the points, so that h = 1 / 2c.
    """
    if estimate.points is None or len(estimate.points) != 2:
        return None
    (plus, share), (minus, other) = estimate.points.items()
    scaled = any(slot.group.get("ratio", 1.0) != 1.0 for slot in evaluation.slots)
    if share != -other or not share or scaled:
        return None
    return evaluation.losses[plus], evaluation.losses[minus], 0.5 / share


def at_radii(evaluation: Evaluation, weights: Weights, radii: Sequence[float]) -> list[float]:
    """Return f(w + h D) for each radius h."""
    points = [{draw: h * weight for draw, weight in weights.items() if h} for h in radii]
    return evaluation.evaluate(points, by="ratio")


def look(
    evaluation: Evaluation,
    weights: Weights,
    radius: float,
    *,
    centre: float | None = None,
    rounding: float | None = None,
    ends: tuple[float, float, float] | None = None,
) -> tuple[Look, float]:
    """Return the look along D = sum_j w_j Z_j, and the rounding error of a loss.

    centre: the loss at the weights; rounding: its error; ends: the losses at w + h D and w - h D
    with their radius h, in place of the one asked for. They are measured where they are None.
    """
    before = len(evaluation.losses)
    if centre is None:
        (centre,) = evaluation.evaluate([{}])
    if rounding is None:
        rounding = _rounding(evaluation, weights, radius, centre)
    if ends is None:
        ahead, behind = at_radii(evaluation, weights, [radius, -radius])
        ends = ahead, behind, radius
    plus, minus, radius = ends
    slope, curvature = (plus - minus) / (2.0 * radius), (plus - 2.0 * centre + minus) / radius**2
    return Look(centre, slope, curvature, radius, len(evaluation.losses) - before), rounding


def _rounding(evaluation: Evaluation, weights: Weights, radius: float, centre: float) -> float:
    """Return the standard rounding error of a loss, from points too near for its shape.

    At six points a 64th of a radius apart third differences are rounding alone, sqrt 20 times
    that of one loss (More and Wild 2011). Where rounding is so coarse that they are none, the
    points are 8 and 64 times as far apart.
    """
    for near in (radius / 64.0, radius / 8.0, radius):
        rows = [centre, *at_radii(evaluation, weights, [near * k for k in range(1, 6)])]
        for _ in range(3):
            rows = [after - before for before, after in pairwise(rows)]
        if any(rows):
            break
    return math.sqrt(sum(x * x for x in rows) / (20.0 * len(rows)))
