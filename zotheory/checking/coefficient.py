"""Is the step as long as the finite difference says, and does it go downhill?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from zotheory.checking.registry import check
from zotheory.checking.result import CheckError, Failed, NotApplicable, Passed
from zotheory.checking.subject import Estimated, Subject, module_of, seed_globally
from zotheory.checking.toy import Loss
from zotheory.montecarlo import Accumulator
from zotheory.probing.lineup import of_recipe, recipe_names
from zotheory.probing.measure import Estimator
from zotheory.probing.objectives import Objective, linear
from zotheory.probing.theory import Exact, exact
from zotheory.statistics.bounded import ClopperPearson
from zotheory.statistics.intervals import student

ALPHA = 1e-4  # the error of each statistical check
BATCHES = 30  # whose means are near normal
SAMPLES = 40 * BATCHES
STEPS = 150  # on linear losses
M, N = 12, 8  # the matrix on which estimates are drawn
NEAR = 0.05  # a mean this near its claimed value is not told from it


@check(
    "coefficient",
    "A finite difference does not see a constant: a step that does is made of one loss alone, or"
    " forgets its baseline.",
)
def a_constant_does_not_matter(subject: Subject) -> Passed:
    subject.needs_repeating()
    updates = []
    for constant in (0.0, 10.0):
        scene = subject.scene()
        (step,) = subject.trace(scene, _lifted(scene.linear(), constant))
        updates.append(step.update)
    change = float((updates[1] - updates[0]).norm() / updates[0].norm().clamp_min(1e-300))
    if change > 1e-3:
        raise Failed(
            f"adding 10 to the loss changes the first step by {change:.2g} of it", change=change
        )
    return Passed(f"adding 10 to the loss changes the first step by {change:.1e} of it")


def _lifted(loss: Loss, constant: float) -> Loss:
    return lambda seen: loss(seen) + constant


@check("coefficient", "Twice the learning rate is twice the step: schedules and grids rely on it.")
def the_step_is_proportional_to_the_rate(subject: Subject) -> Passed:
    subject.needs_repeating()
    updates = []
    for factor in (1.0, 2.0):
        scene = subject.scene()
        (step,) = subject.trace(scene, scene.linear(), lr=factor * subject.lr)
        updates.append(step.update)
    if not float(updates[0].norm()):
        raise Failed("the first step moves nothing")
    ratio = float(updates[1] @ updates[0] / updates[0].square().sum())
    if abs(ratio - 2.0) > 0.01:
        raise Failed(
            f"at twice the learning rate the first step is {ratio:.4g} times as long", ratio=ratio
        )
    return Passed(f"{ratio:.6g} times the step at twice the rate")


@check("coefficient", "A wrong sign climbs; on a linear loss a step goes down more often than up.")
def steps_go_downhill(subject: Subject) -> Passed:
    scene = subject.scene()
    losses = [scene.linear(i) for i in range(STEPS)]
    shaped = subject.plain()
    down: list[bool] = []
    made = subject.build(scene)
    for loss in losses:
        if shaped:  # what is shaped by earlier steps starts anew
            scene = subject.scene()
            made = subject.build(scene, seed=subject.seed + len(down) + 1)
        (step,) = subject.trace(scene, loss, made=made)
        told = float(loss(step.after) - loss(step.before))
        if told:
            down.append(told < 0)
    if len(down) < STEPS // 5:
        raise Failed(f"of {STEPS} steps only {len(down)} change a linear loss")
    found = ClopperPearson()([Accumulator.of(np.array(down, dtype=float))], ALPHA)
    rate, low, high = np.mean(down), float(found.lower), float(found.upper)
    said = f"{rate:.0%} of {len(down)} steps go down (in [{low:.2f}, {high:.2f}], error {ALPHA:g})"
    if high < 0.5:
        raise Failed(said, downhill=float(rate))
    if low <= 0.5:
        raise NotApplicable(f"undecided: {said}")
    return Passed(said, {"downhill": float(rate)})


class _Once:
    """`estimate(closure)` of an implementation that only steps: its step at rate 1, taken back."""

    def __init__(self, subject: Subject, parameters: Sequence[Tensor], seed: int) -> None:
        self.parameters = list(parameters)
        seed_globally(seed)
        given = module_of(self.parameters) if subject.takes_model else self.parameters
        self.made = subject._made(given, 1.0, seed, {})
        if not callable(getattr(self.made, "step", None)):
            self.made = Estimated(self.made, self.parameters, 1.0)

    def estimate(self, closure: Any) -> list[Tensor]:
        before = [p.detach().clone() for p in self.parameters]

        def loss(*_: Any, **__: Any) -> Tensor:
            return torch.tensor(closure(), dtype=torch.float64)

        self.made.step(loss)
        found = [b - p.detach() for b, p in zip(before, self.parameters, strict=True)]
        with torch.no_grad():
            for p, b in zip(self.parameters, before, strict=True):
                p.copy_(b)
        return found


def _drawn(subject: Subject) -> dict[str, np.ndarray]:
    """<g, G>, ||g||^2 and cos^2 of first estimates g by fresh optimisers; G is a unit gradient."""
    if "drawn" not in subject.known:
        why = subject.plain()
        if why:
            raise NotApplicable(why)
        objective = linear(M, N, subject.seed)
        estimator = _estimator(subject)
        gradient = objective.gradient.flatten()
        along, squares, first = [], [], []
        for number in range(SAMPLES):
            seed = subject.seed + 7919 * (number + 1)
            parameters = [nn.Parameter(p) for p in objective.parameters(estimator.layers)]
            made = estimator.factory(parameters, seed=seed)
            found = made.estimate(lambda p=parameters: objective.loss(p))
            parts = found.values() if isinstance(found, dict) else found
            flat = torch.cat([p.detach().double().flatten() for p in parts])
            along.append(float(flat @ gradient))
            squares.append(float(flat @ flat))
            first.append(flat / flat.norm() if number < 3 else flat[:0])
        if float((torch.stack(first[:3]) @ first[0]).abs().min()) > 1.0 - 1e-6:
            raise NotApplicable("seeds do not change the noise")
        a, s = np.array(along), np.array(squares)
        cos2 = np.divide(a * a, s, out=np.zeros_like(a), where=s > 0)
        subject.known["drawn"] = {"along": a, "squares": s, "cos2": cos2}
    return subject.known["drawn"]


def _estimator(subject: Subject) -> Estimator:
    if subject.recipe:
        return of_recipe(subject.recipe, M, N)[0]
    return Estimator(subject.name, lambda p, seed: _Once(subject, p, seed))


def claimed(subject: Subject, objective: Objective) -> Exact | float | None:
    """What is claimed of estimates: by a recipe's theory, as a scale, or 1.

    Raises CheckError for a card that is neither a recipe nor a number.
    """
    card = subject.recipe if subject.card is None else subject.card
    if card is None:
        return None
    if isinstance(card, int | float):
        return float(card)
    if card not in recipe_names():
        try:
            return float(card)
        except ValueError:
            raise CheckError(f"card {card!r} is neither a recipe nor a number") from None
    estimator = of_recipe(card, M, N)[0]
    found = exact(estimator.build(objective, 0)[0], objective)
    if found is None:
        raise NotApplicable(f"no exact moments of {card} are known")
    return found


@check(
    "coefficient",
    "A factor of 2, of eps or of the dimension in the estimate is a learning rate that nobody "
    "chose.",
)
def scale_of_the_mean(subject: Subject) -> Passed:
    given = claimed(subject, linear(M, N, subject.seed))
    wanted = given.scale if isinstance(given, Exact) else 1.0 if given is None else given
    along = _drawn(subject)["along"]
    low, high = student(along.reshape(BATCHES, -1).mean(axis=1), ALPHA)
    said = (
        f"<E g, G>/||G||² = {along.mean():.3g} in [{low:.3g}, {high:.3g}] (error {ALPHA:g},"
        f" {SAMPLES} first estimates); claimed {wanted:.3g}"
    )
    if low > wanted + NEAR * abs(wanted) or high < wanted - NEAR * abs(wanted):
        raise Failed(said, scale=float(along.mean()), claimed=wanted)
    return Passed(said, {"scale": float(along.mean()), "claimed": wanted})


@check(
    "coefficient",
    "Mean, variance and E cos² of an estimate are what theory and step size rest on; they are those"
    " of its card.",
)
def moments_are_those_of_the_card(subject: Subject) -> Passed:
    found = _drawn(subject)
    said = (
        f"relative variance {found['squares'].mean() - found['along'].mean() ** 2:.4g},"
        f" E cos² {found['cos2'].mean():.3g}"
    )
    given = claimed(subject, linear(M, N, subject.seed))
    if not isinstance(given, Exact):
        raise NotApplicable(f"no card is given (--card RECIPE); measured: {said}")
    angle = math.cos(math.radians(given.angle))
    # the relative variance is E||g - E g||^2 / ||E g||^2, with ||E g|| = scale / cos(angle)
    norm = (given.scale / angle) ** 2
    second = norm * (1.0 + given.variance)
    low, high = student(found["squares"].reshape(BATCHES, -1).mean(axis=1), ALPHA / 2)
    told = f"E||g||² = {found['squares'].mean():.4g} in [{low:.4g}, {high:.4g}]; card {second:.4g}"
    if low > second * (1 + NEAR) or high < second * (1 - NEAR):
        raise Failed(told, second=float(found["squares"].mean()), card=second)
    if given.cos2 is not None:
        low, high = student(found["cos2"].reshape(BATCHES, -1).mean(axis=1), ALPHA / 2)
        cos2 = float(found["cos2"].mean())
        told += f"; E cos² = {cos2:.3g} in [{low:.3g}, {high:.3g}]; card {given.cos2:.3g}"
        if low > given.cos2 * (1 + NEAR) or high < given.cos2 * (1 - NEAR):
            raise Failed(told, cos2=cos2, card=given.cos2)
    return Passed(told, {"second": float(found["squares"].mean()), "card": second})
