"""Is the noise fresh, seeded, centred, and nobody else's?"""

from __future__ import annotations

import random

import numpy as np
import torch
from scipy.stats import binom
from torch import Tensor

from zotheory.checking.coefficient import ALPHA
from zotheory.checking.registry import check
from zotheory.checking.result import Failed, NotApplicable, Passed
from zotheory.checking.subject import Subject
from zotheory.checking.toy import LAYERS, Scene
from zotheory.statistics.intervals import student

DRAWS = 80


def first(subject: Subject, scene: Scene | None = None, **options: int) -> Tensor:
    """The first point that a fresh optimiser evaluates, relative to the weights."""
    scene = subject.scene() if scene is None else scene
    (step,) = subject.trace(scene, scene.curved(), **options)
    if not step.perturbed:
        raise Failed(f"none of {len(step.points)} losses of a step sees the weights perturbed")
    return step.perturbed[0]


def cosine(one: Tensor, other: Tensor) -> float:
    return float(torch.nn.functional.cosine_similarity(one, other, dim=0))


def alike(one: Tensor, other: Tensor) -> bool:
    """Equal up to rounding and a factor."""
    return abs(cosine(one, other)) > 1.0 - 1e-6


@check("noise", "The same direction every step searches a line, and nothing else.")
def noise_differs_between_steps(subject: Subject) -> Passed:
    scene = subject.scene()
    made = subject.build(scene)
    seen = [s.perturbed for s in subject.trace(scene, scene.linear(), 12, made=made)]
    moves = [step[-1] for step in seen if step]
    if len(moves) < 12:
        raise Failed(f"in {12 - len(moves)} of 12 steps no loss sees the weights perturbed")
    gram = torch.stack([m / m.norm() for m in moves])
    gram = (gram @ gram.T).abs() - torch.eye(len(moves), dtype=torch.float64)
    worst = divmod(int(gram.argmax()), len(moves))
    if float(gram.max()) > 1.0 - 1e-6:
        raise Failed(f"steps {worst[0] + 1} and {worst[1] + 1} perturb along one direction")
    return Passed(f"12 steps, largest |cosine| of two {float(gram.max()):.2f}")


@check("noise", "Seeds that change nothing make repetitions of a run, not independent runs.")
def noise_differs_between_seeds(subject: Subject) -> Passed:
    one, other = first(subject, seed=1), first(subject, seed=2)
    if alike(one, other):
        how = (
            "given to it and to the global generators"
            if subject.takes_seed
            else "of the global generators"
        )
        raise Failed(f"seeds 1 and 2 {how} give the same noise")
    return Passed(f"cosine of two seeds' first noise {cosine(one, other):.2f}")


@check("noise", "A result is reproducible when a seed fixes the run, whatever was drawn before.")
def one_seed_one_run(subject: Subject) -> Passed:
    runs = []
    for globally in (1, 2) if subject.takes_seed and seeded(subject) else (1, 1):
        scene = subject.scene()
        steps = subject.trace(scene, scene.curved(), 3, seed=5, globally=globally)
        runs.append([s.after for s in steps])
    for number, (one, other) in enumerate(zip(*runs, strict=True), 1):
        if not torch.equal(one, other):
            apart = float((one - other).abs().max())
            raise Failed(f"two runs with one seed are {apart:.2g} apart after step {number}")
    return Passed("3 steps twice, equal bit for bit")


def seeded(subject: Subject) -> bool:
    """Whether `seed=` reaches the factory as an argument of its own name."""
    return "seed" in subject._parameters or subject.takes_both


@check(
    "noise",
    "Optimisers made one after another (rounds, phases, folds) must not all start with the same"
    " few directions.",
)
def optimisers_made_in_turn_differ(subject: Subject) -> Passed:
    if subject.demands_seed:
        raise NotApplicable("it demands a seed, which is then the caller's")
    moves = []
    for turn in range(2):
        scene = subject.scene()
        made = subject.build(scene, seedless=True, globally=3 if turn == 0 else None)
        (step,) = subject.trace(scene, scene.curved(), made=made)
        if not step.perturbed:
            raise Failed("no loss sees the weights perturbed")
        moves.append(step.perturbed[0])
    if alike(*moves):
        raise Failed("without a seed, two optimisers made in turn have the same noise")
    return Passed(f"cosine of their first noise {cosine(*moves):.2f}")


@check(
    "noise",
    "Layers of equal shape with equal noise are tied in the search: the effective dimension is that"
    " of one.",
)
def noise_differs_between_tensors(subject: Subject) -> Passed:
    scene = subject.scene()
    places = scene.slices()
    if subject.is_toy:
        names = [f"layers.{i}.linear.weight" for i in range(LAYERS)] + [
            "embed.weight",
            "conv.weight",
        ]
    else:
        names = list(places)[:12]
    steps = subject.trace(scene, scene.linear(), DRAWS // 2)
    rows: dict[str, list[Tensor]] = {name: [] for name in names}
    for step in steps:
        for move in (
            (step.perturbed[0], step.perturbed[-1])
            if len(step.perturbed) > 2
            else step.perturbed[:1]
        ):
            for name in names:  # the last is along what was chosen, if candidates come first
                rows[name].append(move[places[name]])
    worst, pair = 0.0, ("", "")
    for i, one in enumerate(names):
        for other in names[:i]:
            least = min(len(rows[one][0]), len(rows[other][0]))
            products = torch.stack(
                [_normed(a, b, least) for a, b in zip(rows[one], rows[other], strict=True)]
            ).numpy()
            products = products[products != 0]
            if len(products) < 10:  # tensors that are seldom perturbed together
                continue
            low, high = student(products, ALPHA / len(names) ** 2)
            gap = max(low, -high)
            if gap > worst:
                worst, pair = gap, (other, one)
    if worst > 0.1:
        raise Failed(
            f"the noise of {pair[0]} and {pair[1]} is correlated by more than {worst:.2f}"
            f" (error {ALPHA:g}, {len(steps)} steps)",
            correlation=worst,
        )
    return Passed(f"no two of {len(names)} tensors correlated by more than 0.1 (error {ALPHA:g})")


def _normed(one: Tensor, other: Tensor, least: int) -> Tensor:
    one, other = one[:least], other[:least]
    scale = one.norm() * other.norm()
    return one @ other / scale if float(scale) else torch.zeros((), dtype=torch.float64)


def _state() -> tuple[bytes, str, object]:
    return (
        torch.default_generator.get_state().numpy().tobytes(),
        repr(np.random.get_state()),  # noqa: NPY002
        random.getstate(),
    )


@check(
    "noise",
    "A step that re-seeds PyTorch's generator repeats the data's order and dropout of another step,"
    " and those of every other user of it.",
)
def global_generators_are_untouched(subject: Subject) -> Passed:
    scene = subject.scene()
    made = subject.build(scene)
    subject.trace(scene, scene.curved(), made=made)
    before = _state()
    subject.trace(scene, scene.curved(), made=made)
    after = _state()
    names = [
        n for n, a, b in zip(("PyTorch", "NumPy", "Python"), before, after, strict=True) if a != b
    ]
    if names:
        raise Failed(f"a step changes the global generator of {' and '.join(names)}")
    return Passed("a step leaves PyTorch's, NumPy's and Python's as they were")


def _draws(subject: Subject) -> Tensor:
    """The first perturbation of fresh optimisers with different seeds, one a row."""
    if "draws" not in subject.known:
        if not subject.is_toy:
            raise NotApplicable("many fresh optimisers are made on the small model only")
        rows = [first(subject, seed=100 + i) for i in range(DRAWS)]
        if alike(rows[0], rows[1]):
            raise NotApplicable("seeds do not change the noise")
        subject.known["draws"] = torch.stack(rows)
    return subject.known["draws"]


@check(
    "noise", "Noise with a mean moves the weights by itself: the losses are those of another point."
)
def noise_is_centred(subject: Subject) -> Passed:
    draws = _draws(subject)
    used = (draws != 0).sum(0)
    up = (draws > 0).sum(0)
    tail = 2 * binom.cdf(torch.minimum(up, used - up).numpy(), used.clamp_min(1).numpy(), 0.5)
    least = float(tail.min()) * int((used > 0).sum())
    entry = int(tail.argmin())
    if least < ALPHA:
        raise Failed(
            f"entry {entry} of the weights is moved up {int(up[entry])} times of {int(used[entry])}"
            f" (error {ALPHA:g})",
            up=int(up[entry]),
        )
    return Passed(f"no entry is moved up or down too often in {len(draws)} draws (error {ALPHA:g})")


def _shares(subject: Subject) -> dict[str, tuple[float, float]]:
    """Each tensor's mean square of noise, relative to that of all, with its ends."""
    draws = _draws(subject).square()
    scene = subject.scene()
    whole, places = draws.mean(1), scene.slices()
    found = {}
    for name, place in places.items():
        centre = float(draws[:, place].mean() / whole.mean())
        low, high = student(
            (draws[:, place].mean(1) - centre * whole).numpy() / float(whole.mean()),
            ALPHA / len(places),
        )
        found[name] = centre + low, centre + high
    return found


@check(
    "noise",
    "Tensors with more noise than others have another learning rate and another curvature than"
    " the method's analysis gives them.",
)
def noise_is_isotropic(subject: Subject) -> Passed:
    from zotheory.checking.lineup import of_recipe

    card = subject.recipe if subject.card is None else subject.card
    named = isinstance(card, str) and not card.replace(".", "").isdigit()
    if named and card == subject.recipe:
        raise NotApplicable(f"{card} is its own card")
    shares = _shares(subject)
    wanted = _shares(of_recipe(str(card), seed=4)) if named else dict.fromkeys(shares, (1.0, 1.0))
    name = max(shares, key=lambda n: max(shares[n][0] - wanted[n][1], wanted[n][0] - shares[n][1]))
    low, high = shares[name]
    told = f"E z² of {name} is in [{low:.2f}, {high:.2f}] of that of all (error {ALPHA:g})"
    if low > wanted[name][1] + 0.1 or high < wanted[name][0] - 0.1:
        at = (
            f"{wanted[name][0]:.2f} to {wanted[name][1]:.2f} by its card"
            if named
            else "1 (name a card if it is meant to differ)"
        )
        raise Failed(f"{told}, not {at}", low=low, high=high)
    return Passed(f"farthest from {'its card' if named else '1'}: {told}")
