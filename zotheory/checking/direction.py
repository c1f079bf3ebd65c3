"""Is what is written what was evaluated?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from zotheory.checking.registry import check
from zotheory.checking.result import Failed, NotApplicable, Passed
from zotheory.checking.subject import Step, Subject
from zotheory.checking.toy import Scene, Toy, Watch

FLOAT64, FLOAT32, BFLOAT16 = 1e-4, 2e-2, 0.2  # of an update's norm, off the span for rounding


def off_span(update: Tensor, moves: Sequence[Tensor]) -> Tensor:
    """update minus its projection on the span of moves: one coefficient for all entries."""
    basis: list[Tensor] = []
    left = update.clone()
    for move in moves:
        part = move / move.norm() if float(move.norm()) else move
        for _ in range(2):  # twice is enough
            for one in basis:
                part = part - (one @ part) * one
        if float(part.norm()) > 1e-9:
            basis.append(part / part.norm())
            left = left - (basis[-1] @ left) * basis[-1]
    return left


def share(part: Tensor, whole: Tensor) -> float:
    """||part|| / ||whole||."""
    return float(part.norm() / whole.norm())


def judged(
    subject: Subject,
    make: Callable[[], Scene],
    steps: int,
    tolerance: float,
    *,
    estimates: Callable[[Any], Any] | None = None,
    **options: Any,
) -> Passed:
    """Whether all of some steps lie in the span of their points (and of the step before).

    An implementation whose steps are shaped (Adam, momentum) is judged by its `estimate(closure)`
    instead, if it has one.
    """
    scene = make()
    made = subject.build(scene, **options)
    found = subject.trace(scene, [scene.linear(i) for i in range(steps)], steps, made=made)
    if not any(float(step.update.norm()) for step in found):
        raise Failed(f"{steps} steps on a linear loss moved no weight")
    worst, last = 0.0, torch.zeros_like(found[0].update)
    for number, step in enumerate(found, 1):
        if float(step.update.norm()) == 0.0:
            continue
        left = off_span(step.update, [*step.perturbed, last])
        last = step.update
        if _off(scene, step, left, tolerance):
            shaped = subject.plain()
            if not shaped:
                raise _failed(scene, step, left, number)
            return _by_estimate(subject, make, steps, tolerance, shaped, **options)
        worst = max(worst, share(left, step.update))
    return Passed(f"{steps} steps, at most {worst:.1e} of one off the span", {"off": worst})


def _off(scene: Scene, step: Step, left: Tensor, tolerance: float) -> bool:
    """Whether the whole is off by more than the tolerance, or one tensor's part by far more."""
    if share(left, step.update) > tolerance:
        return True
    least = 0.2 * float(step.update.square().mean().sqrt())
    return any(
        float(left[place].norm()) > 2.5 * tolerance * float(step.update[place].norm())
        for place in scene.slices().values()
        if float(step.update[place].square().mean().sqrt()) > least
    )


def _by_estimate(
    subject: Subject, make: Callable[[], Scene], steps: int, tolerance: float, why: str, **o: Any
) -> Passed:
    scene = make()
    made = subject.build(scene, **o)
    if not callable(getattr(made, "estimate", None)):
        raise NotApplicable(f"{why}, and it has no estimate(closure) to look at instead")
    worst = 0.0
    for number in range(1, steps + 1):
        watch = Watch(scene, scene.linear(number - 1))
        before = scene.weights()
        found = made.estimate(watch)
        parts = found.values() if isinstance(found, dict) else found
        flat = torch.cat([part.detach().double().flatten().cpu() for part in parts])
        trainable = [n for n, p in scene.parameters.items() if p.requires_grad]
        whole, start = torch.zeros_like(before), 0
        for name in trainable:
            place = scene.slices()[name]
            size = place.stop - place.start
            whole[place] = flat[start : start + size]
            start += size
        step = Step(before, before + whole, watch.points, watch.losses, None)
        if float(whole.norm()):
            left = off_span(whole, step.perturbed)
            if _off(scene, step, left, tolerance):
                raise _failed(scene, step, left, number, "estimate")
            worst = max(worst, share(left, whole))
        if number < steps:
            made.step(Watch(scene, scene.linear(number - 1)))
    told = f"{steps} estimates (steps are shaped), at most {worst:.1e} of one off the span"
    return Passed(told, {"off": worst})


def _failed(scene: Scene, step: Step, left: Tensor, number: int, what: str = "update") -> Failed:
    sizes = {name: float(left[place].norm()) for name, place in scene.slices().items()}
    name = max(sizes, key=sizes.__getitem__)
    place = scene.slices()[name]
    update = step.update[place]
    of_it = sizes[name] / max(float(update.norm()), 1e-300)
    alone = off_span(update, [m[place] for m in step.perturbed])
    with_own = share(alone, update) if float(update.norm()) else 1.0
    told = (
        f"step {number}: {share(left, step.update):.0%} of the {what} lies off the span of its"
        f" {len(step.perturbed)} evaluated points; most in {name} ({of_it:.0%} of it"
    )
    told += ", where its coefficient is another than elsewhere)" if with_own < 0.01 else ")"
    return Failed(told, step=number, off=share(left, step.update), tensor_off=of_it)


STEPS = 102  # beyond the 50 or 100 steps after which released low-rank methods renew a factor


@check(
    "direction",
    "A step along directions that no loss was evaluated at (noise re-seeded per tensor, drawn in"
    " another order, renewed in between) is a random walk.",
)
def update_is_in_the_span(subject: Subject) -> Passed:
    if subject.is_toy:
        return judged(subject, subject.scene, STEPS, FLOAT64)
    return judged(subject, subject.scene, 3, FLOAT32)


@check(
    "direction",
    "Large weights are written in parts; a generator that is asked for rows gives other "
    "numbers than"
    " one that is asked for all.",
)
def large_weights_are_written_as_evaluated(subject: Subject) -> Passed:
    return judged(subject, lambda: subject.scene(torch.float32, large=True), 2, FLOAT32)


@check("direction", "Rounding in 32 bits must not turn the step away from what was evaluated.")
def update_is_in_the_span_in_float32(subject: Subject) -> Passed:
    return judged(subject, lambda: subject.scene(torch.float32), 3, FLOAT32)


@check(
    "direction",
    "In 16 bits small noise is rounded away where weights are large, as in norms; an update along"
    " it walks where nothing was evaluated.",
)
def update_is_in_the_span_in_bfloat16(subject: Subject) -> Passed:
    lr = sized(subject, 0.05)
    return judged(subject, lambda: subject.scene(torch.bfloat16), 3, BFLOAT16, lr=lr)


def sized(subject: Subject, wanted: float) -> float:
    """A learning rate at which a first step has this root mean square, measured in 64 bits."""
    scene = subject.scene()
    (step,) = subject.trace(scene, scene.linear())
    rms = float(step.update.square().mean().sqrt())
    if rms == 0.0:
        raise NotApplicable("its first step moves nothing")
    return subject.lr * wanted / rms


@check(
    "direction",
    "Parameters that share memory have one noise: drawn twice for one place, it is doubled, or"
    " taken off twice.",
)
def shared_memory_has_one_noise(subject: Subject) -> Passed:
    def change(model: Toy) -> None:
        first, second = model.blocks[0].linear, model.blocks[1].linear
        second.weight = nn.Parameter(first.weight.detach())  # two parameters, one storage
        model.blocks[3].linear.weight = model.blocks[2].linear.weight  # tied

    def make() -> Scene:
        return subject.scene(change=change)

    scene = make()
    names = list(scene.slices())
    one, two = (scene.slices()[f"layers.{i}.linear.weight"] for i in (0, 1))
    if "layers.3.linear.weight" in names:
        raise AssertionError("a tied parameter is named once")
    made = subject.build(scene)
    step = subject.trace(scene, scene.linear(), made=made)[0]
    for vector in (*step.points, step.after):
        if not torch.equal(vector[one], vector[two]):
            raise Failed("two parameters over one storage were seen with different values")
    left = off_span(step.update, step.perturbed)
    if not subject.plain() and share(left, step.update) > FLOAT64:
        raise _failed(scene, step, left, 1)
    sizes = torch.stack([move.square() for move in step.perturbed]).sum(0)
    other = scene.slices()["layers.2.linear.weight"]
    ratio = float((sizes[one].mean() / sizes[other].mean()).sqrt())
    drift = _drift(subject, make)
    return Passed(
        f"noise there is {ratio:.2f} times as large as elsewhere; after 10 steps at learning rate 0"
        f" off by {drift:.1e} of it",
        {"ratio": ratio, "drift": drift},
    )


def _drift(subject: Subject, make: Callable[[], Scene]) -> float:
    scene = make()
    steps = subject.trace(scene, scene.linear(), 10, lr=0.0)
    moved = (steps[-1].after - steps[0].before).norm()
    drift = float(moved / max(move.norm() for move in steps[0].perturbed))
    if drift > 0.01:
        raise Failed(
            f"10 steps at learning rate 0 move weights that share memory by {drift:.2g} of one"
            " perturbation",
            drift=drift,
        )
    return drift


@check(
    "direction",
    "Groups have learning rates of their own: each moves by its own along one direction, and a"
    " group at rate 0 stays.",
)
def groups_have_their_rates(subject: Subject) -> Passed:
    lr, moved = subject.lr, {}
    for rates in ((1.0, 1.0), (1.0, 3.0), (1.0, 0.0)):
        scene = subject.scene()
        parameters = list(scene.model.parameters())
        parts = parameters[:3], parameters[3:]
        groups = [{"params": p, "lr": lr * r} for p, r in zip(parts, rates, strict=True)]
        split = sum(p.numel() for p in parts[0])
        (step,) = subject.trace(scene, scene.linear(), groups=groups)
        moved[rates] = step.update[:split], step.update[split:]
    if not float(moved[1.0, 1.0][1].norm()):
        raise Failed("a group at learning rate 1 does not move")
    stays = share(moved[1.0, 0.0][1], moved[1.0, 1.0][1])
    if stays > 1e-6:
        raise Failed(
            f"a group at learning rate 0 moves {stays:.2g} as far as at its own", moved=stays
        )
    subject.needs_repeating()
    plain = moved[1.0, 1.0]
    ratio = share(moved[1.0, 3.0][1], plain[1]) / share(moved[1.0, 3.0][0], plain[0])
    if abs(ratio - 3.0) > 0.03:
        raise Failed(f"a group with 3 times the learning rate moves {ratio:.3g} times as far")
    return Passed("a group at three times the rate moves three times as far, at rate 0 not at all")


@check(
    "direction",
    "A frozen weight stays, is not perturbed, and one that is frozen later is left alone from "
    "then.",
)
def frozen_weights_stay(subject: Subject) -> Passed:
    def freeze(model: Toy) -> None:
        model.blocks[1].requires_grad_(False)

    scene = subject.scene(change=freeze)
    place = scene.slices()["layers.1.linear.weight"]
    steps = subject.trace(scene, scene.linear(), 3)
    for step in steps:
        _unmoved(step, place, "frozen")
    return Passed("3 steps neither perturbed nor moved it")


def _unmoved(step: Step, place: slice, what: str) -> None:
    largest = max(float(move[place].abs().max()) for move in step.moves)
    if largest:
        raise Failed(f"a {what} weight is perturbed, by up to {largest:.2g}", perturbed=largest)
    if float(step.update[place].abs().max()):
        raise Failed(f"a {what} weight moves by {float(step.update[place].abs().max()):.2g}")


@check(
    "direction",
    "Whoever unfreezes layers as training goes on expects all uses of a weight to see its noise.",
)
def weights_unfrozen_later_move(subject: Subject) -> Passed:
    scene = subject.scene()
    layer = scene.toy.blocks[1].linear
    place = scene.slices()["layers.1.linear.weight"]
    made = subject.build(scene)
    layer.weight.requires_grad_(False)
    (frozen,) = subject.trace(scene, scene.linear(), made=made)
    layer.weight.requires_grad_(True)
    model, uses = scene.toy, []

    def show() -> dict[str, Tensor]:  # the weight is used by its module, and as an attribute, too
        seen = model()
        uses.append((seen["layers.1.linear.weight"].detach(), layer.weight.detach().clone()))
        return seen

    scene.show = show
    kinds = []
    for _ in range(4 * len(model.blocks)):  # some leave layers out
        uses.clear()
        try:
            (step,) = subject.trace(scene, scene.linear(), made=made)
        except RuntimeError as error:
            return Passed(f"refused: {error}"[:200])
        for by_module, read in uses:
            if not torch.equal(by_module.double(), read.double()):
                raise Failed(
                    "a weight unfrozen later is seen with its noise by one use, not by another"
                )
        kinds.append(float(step.update[place].norm()))
    if float(frozen.update[place].norm()):
        raise Failed("a weight that is frozen after the optimiser was made goes on moving")
    if not any(kinds):
        raise Failed(f"a weight that is unfrozen again does not move in {len(kinds)} steps")
    return Passed("left alone while frozen, moved again after")


NAMED = 24  # steps of which a method that leaves layers out leaves each out of some


@check(
    "direction",
    "Methods that work layer by layer read layers off names; given weights without, they may take "
    "every tensor for a layer, and leave embeddings out.",
)
def names_do_not_decide_what_moves(subject: Subject) -> Passed:
    if not subject.is_toy:
        raise NotApplicable("tried on the small model only")
    if subject.takes_model and not subject.takes_both:
        raise NotApplicable("it takes a model, whose parameters have their names")
    ways: dict[str, Callable[[nn.Module], Any]] = {
        "a list of parameters": lambda model: list(model.parameters()),
        "named parameters": lambda model: list(model.named_parameters()),
    }
    if subject.takes_both:
        ways["model.parameters()"] = lambda model: model.parameters()
        ways["the model"] = lambda model: model
    moved: dict[str, dict[str, int]] = {}
    refused = []
    for way, give in ways.items():
        scene = subject.scene()
        try:
            made = subject.build(scene, given=give(scene.model))
            steps = subject.trace(scene, scene.linear(), NAMED, made=made)
        except Exception as error:
            refused.append(f"{way}: {error}")
            continue
        moved[way] = {
            name: sum(any(float(v[place].norm()) for v in (*s.moves, s.update)) for s in steps)
            for name, place in scene.slices().items()
        }
    if len(moved) < 2:
        raise NotApplicable(f"it takes no {'; '.join(refused)}"[:200])
    (first, one), *others = moved.items()
    for way, other in others:
        for name in one:
            if (one[name] == NAMED) != (other[name] == NAMED):
                raise Failed(
                    f"{name} moves in {one[name]} of {NAMED} steps given {first}, in {other[name]}"
                    f" given {way}"
                )
    return Passed(f"the same tensors move at every step, given {' or '.join(moved)}")


@check(
    "direction",
    "Some weights are used by no loss of a batch (experts, unused heads): no reason to fail.",
)
def unused_weights_do_no_harm(subject: Subject) -> Passed:
    scene = subject.scene()
    model, spare = scene.toy, nn.Linear(3, 3, bias=False, dtype=torch.float64)
    nn.init.zeros_(spare.weight)
    model.blocks[2].add_module("spare", spare)
    place = scene.slices()["layers.0.linear.weight"]

    def show() -> dict[str, Tensor]:
        return {**model(), "layers.2.spare.weight": torch.zeros(3, 3)}

    scene.show = show
    try:
        steps = subject.trace(scene, scene.linear(), 8)
    except RuntimeError as error:
        if "spare" not in str(error):
            raise
        return Passed(f"refused, by name: {error}"[:200])
    if not any(float(s.update[place].norm()) for s in steps):
        raise Failed("with an unused weight beside them, the others do not move")
    return Passed("the others move")


@check(
    "direction", "Weights that start at zero (LoRA's B, biases) must go on learning, not only once."
)
def zero_weights_go_on_moving(subject: Subject) -> Passed:
    def zero(model: Toy) -> None:
        nn.init.zeros_(model.blocks[0].linear.weight)

    scene = subject.scene(change=zero)
    place = scene.slices()["layers.0.linear.weight"]
    steps = subject.trace(scene, scene.linear(), 24)
    late = [step for step in steps[12:] if float(step.update[place].norm())]
    if not late:
        raise Failed("a weight that starts at zero does not move in steps 13 to 24")
    return Passed(f"moved in {len(late)} of the steps 13 to 24", {"moved": len(late)})
