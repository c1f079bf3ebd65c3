"""Does a step mean the same whatever is round it?"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from zotheory.checking.direction import off_span, share
from zotheory.checking.registry import check
from zotheory.checking.result import Failed, NotApplicable, Passed
from zotheory.checking.subject import Step, Subject, raised
from zotheory.checking.toy import Loss, Scene, Toy, Watch
from zotheory.checking.weights import KEPT

Context = Callable[[], AbstractContextManager[Any]]


def _run(
    subject: Subject,
    scene: Scene,
    *,
    around: Context = nullcontext,
    within: Context = nullcontext,
    steps: int = 2,
    as_float: bool = False,
    made: Any = None,
    loss: Loss | None = None,
) -> list[Step]:
    """Some steps in a context, with closures in another."""
    made = subject.build(scene) if made is None else made
    show, found = scene.show, []

    def shown() -> dict[str, Tensor]:
        with within():
            return show()

    scene.show = shown
    loss = scene.linear() if loss is None else loss
    for _ in range(steps):
        watch = Watch(scene, loss, as_float=as_float)
        before = scene.weights()
        with around():
            returned = made.step(watch)
        found.append(Step(before, scene.weights(), watch.points, watch.losses, returned))
    scene.show = show
    return found


def _same(one: list[Step], other: list[Step], what: str, tolerance: float = 1e-9) -> Passed:
    for number, (a, b) in enumerate(zip(one, other, strict=True), 1):
        if len(a.points) != len(b.points):
            raise Failed(f"{what} step {number} has {len(b.points)} losses, not {len(a.points)}")
        scale = max((float(m.norm()) for m in a.perturbed), default=0.0)
        if not scale:
            raise Failed("no loss sees the weights perturbed")
        for call, (p, q) in enumerate(zip(a.points, b.points, strict=True), 1):
            apart = float((p - q).norm()) / scale
            if apart > tolerance:
                raise Failed(
                    f"{what} loss {call} of step {number} is at another point ({apart:.2g} of a"
                    " perturbation off)",
                    apart=apart,
                )
        apart = float((a.after - b.after).norm()) / max(float(a.update.norm()), 1e-300)
        if apart > max(tolerance, 1e-6):
            raise Failed(
                f"{what} step {number} goes elsewhere ({apart:.2g} of it apart)", apart=apart
            )
    return Passed(f"{what} the same points and the same steps")


def _cast() -> AbstractContextManager[Any]:
    return torch.autocast("cpu", dtype=torch.bfloat16)


@check(
    "surroundings",
    "Within autocast cast weights are kept: losses of a step round which it stands see the "
    "first point's weights.",
)
def autocast_round_the_step(subject: Subject) -> Passed:
    subject.needs_repeating()
    inside = _run(subject, subject.scene(torch.float32), within=_cast)
    outside = _run(subject, subject.scene(torch.float32), around=_cast)
    return _same(inside, outside, "with autocast round the step, not in the closure,", 1e-4)


@check(
    "surroundings",
    "Autocast in the closure rounds what modules use; the weights themselves must not be.",
)
def autocast_in_the_closure(subject: Subject) -> Passed:
    subject.needs_repeating()
    scene = subject.scene(torch.float32)
    (step,) = _run(subject, scene, within=_cast, steps=1)
    if not step.perturbed:
        raise Failed("no loss sees the weights perturbed")
    kinds = {str(p.dtype) for p in scene.model.parameters()}
    if kinds != {"torch.float32"}:
        raise Failed(f"the weights have become {', '.join(sorted(kinds))}")
    scene = subject.scene(torch.float32)
    found = _run(subject, scene, within=_cast, steps=5, made=subject.build(scene, lr=0.0))
    drift = float((found[-1].after - found[0].before).norm() / found[0].perturbed[0].norm())
    if drift > KEPT:
        raise Failed(
            f"5 steps at learning rate 0 move the weights by {drift:.2g} of a perturbation"
        )
    return Passed(
        "weights stay float32; 5 steps at learning rate 0 move them by"
        f" {drift:.1e} of a perturbation"
    )


@check(
    "surroundings", "A compiled model must not go on with the weights with which it was compiled."
)
def compiled_models_see_the_noise(subject: Subject) -> Passed:
    subject.needs_repeating()
    plain = _run(subject, subject.scene(), steps=5)
    scene = subject.scene()
    torch.compiler.reset()
    scene.show = torch.compile(scene.toy, backend="eager")
    made, loss, graphs = subject.build(scene), scene.linear(), []
    try:
        compiled = _run(subject, scene, made=made, loss=loss)
        graphs.append(_graphs())
        compiled += _run(subject, scene, made=made, loss=loss, steps=3)
        graphs.append(_graphs())
    except RuntimeError as error:
        if "compile" not in str(error):
            raise
        return Passed(f"refused: {raised(error)}")
    if graphs[1] > graphs[0]:
        raise Failed(
            f"the model is compiled again and again: {graphs[0]} graphs after 2 steps, {graphs[1]}"
            " after 5",
            graphs=graphs[1],
        )
    return _same(plain, compiled, "compiled,")


def _graphs() -> int:
    return int(torch._dynamo.utils.counters["stats"]["unique_graphs"])


@check(
    "surroundings",
    "Wrappers (DistributedDataParallel, torch.compile) rename parameters; a run resumed in one must"
    " be the run without.",
)
def wrapped_models_have_the_same_noise(subject: Subject) -> Passed:
    if not subject.takes_model:
        raise NotApplicable("it takes parameters, which have no names")
    subject.needs_repeating()
    plain = _run(subject, subject.scene())
    scene = subject.scene()
    inner, scene.model = scene.model, nn.Module()
    scene.model.add_module("module", inner)
    made = subject.build(scene)
    scene.model = inner
    return _same(plain, _run(subject, scene, made=made), "wrapped as `module`,")


@check(
    "surroundings",
    "Programs set a default type for models they make; noise in it has another law or fails.",
)
def the_default_type_does_not_matter(subject: Subject) -> Passed:
    subject.needs_repeating()

    class Double:
        def __enter__(self) -> None:
            torch.set_default_dtype(torch.float64)

        def __exit__(self, *_: object) -> None:
            torch.set_default_dtype(torch.float32)

    plain = _run(subject, subject.scene(torch.float32))
    return _same(
        plain,
        _run(subject, subject.scene(torch.float32), around=Double),
        "with default type float64",
        1e-4,
    )


@check(
    "surroundings",
    "Programs set a default device for what they make; noise made there meets weights elsewhere.",
)
def the_default_device_does_not_matter(subject: Subject) -> Passed:
    subject.needs_repeating()
    plain = _run(subject, subject.scene())
    scene = subject.scene()
    loss = scene.linear()
    made, found = subject.build(scene), []
    for _ in range(2):
        watch = Watch(scene, loss)

        def closure(*a: Any, w: Watch = watch, **k: Any) -> Any:
            with torch.device("cpu"):
                return w(*a, **k)

        before = scene.weights()
        with torch.device("meta"):
            returned = made.step(closure)
        found.append(Step(before, scene.weights(), watch.points, watch.losses, returned))
    return _same(plain, found, "with another default device")


@check("surroundings", "Loops without gradients stand in inference_mode or no_grad.")
def inference_mode_does_not_matter(subject: Subject) -> Passed:
    subject.needs_repeating()
    plain = _run(subject, subject.scene())
    scene = subject.scene()
    found = _run(subject, scene, around=torch.inference_mode)
    for name, parameter in scene.parameters.items():
        if parameter.is_inference():
            raise Failed(f"{name} has become an inference tensor, which cannot be trained any more")
    return _same(plain, found, "in inference_mode")


@check(
    "surroundings",
    "With a first-order optimiser beside it, gradients are not this one's to change.",
)
def gradients_are_left_alone(subject: Subject) -> Passed:
    scene = subject.scene()
    made = subject.build(scene)
    kept = {}
    for index, (name, p) in enumerate(scene.parameters.items()):
        p.grad = torch.full_like(p, 1.0 + index) if index % 2 else None
        kept[name] = None if p.grad is None else p.grad.clone()
    steps = _run(subject, scene, made=made)
    for name, p in scene.parameters.items():
        if (p.grad is None) != (kept[name] is None):
            was = "None" if kept[name] is None else "there"
            raise Failed(f"the gradient of {name} was {was}, and is not after a step")
        before = kept[name]
        if p.grad is not None and before is not None and not torch.equal(p.grad, before):
            raise Failed(f"a step changes the gradient of {name}")
    if not any(float(s.update.norm()) for s in steps):
        raise Failed("no step moves")
    return Passed("as before, None or not")


@check(
    "surroundings",
    "Models with gradient checkpointing run their layers in a function of PyTorch's.",
)
def checkpointing_does_not_matter(subject: Subject) -> Passed:
    subject.needs_repeating()
    plain = _run(subject, subject.scene())
    scene = subject.scene()
    model = scene.toy
    scene.show = lambda: checkpoint(model, use_reentrant=False)
    return _same(plain, _run(subject, scene), "with gradient checkpointing")


@check(
    "surroundings",
    "Modules that write their own weights in forward (max_norm, spectral norm) change what "
    "noise is taken off from.",
)
def weights_written_by_modules_come_back(subject: Subject) -> Passed:
    def scene() -> Scene:
        def inside(model: Toy) -> None:
            with torch.no_grad():
                w = model.embed.weight
                w.mul_(0.9999 / w.norm(dim=1, keepdim=True))

        return subject.scene(max_norm=1.0, change=inside)

    there = scene()
    place = there.slices()["embed.weight"]
    steps = subject.trace(there, there.linear(), 8, lr=0.0)
    size = max(float(m[place].norm()) for s in steps for m in s.perturbed)
    moved = float((steps[-1].after - steps[0].before)[place].norm())
    told = (
        "8 steps at learning rate 0 move an embedding with max_norm by"
        f" {moved / size:.2g} of a perturbation"
    )
    if moved > 0.05 * size:
        raise Failed(told, moved=moved / size)
    return Passed(told)


@check("surroundings", "Losses that have no gradient (F1, a reward) come as numbers of Python.")
def losses_may_be_numbers(subject: Subject) -> Passed:
    subject.needs_repeating()
    plain = _run(subject, subject.scene())
    return _same(plain, _run(subject, subject.scene(), as_float=True), "with losses as floats")


@check(
    "surroundings",
    "Convolutions in channels_last, weights that are transposed views: strides are no one's "
    "concern.",
)
def strides_do_not_matter(subject: Subject) -> Passed:
    scene = subject.scene()
    made = subject.build(scene)
    for layer in scene.toy.blocks:  # as model.to(memory_format=...) does to convolutions
        layer.linear.weight.data = layer.linear.weight.detach().t().contiguous().t()
    try:
        steps = _run(subject, scene, made=made)
    except ValueError as error:
        if "contiguous" not in str(error) and "channels_last" not in str(error):
            raise
        raise NotApplicable(f"refused: {error}"[:200]) from error
    if not steps[0].perturbed or not float(steps[0].update.norm()):
        raise Failed("weights that are transposed views are not moved")
    for number, step in enumerate(steps[:1] if subject.plain() else steps, 1):
        off = share(off_span(step.update, step.perturbed), step.update)
        if off > 1e-4 and not subject.plain():
            raise Failed(
                f"with transposed views as weights {off:.0%} of step {number} lies off the span of"
                " its points",
                off=off,
            )
    return Passed("weights that are transposed views are moved along what was evaluated")


@check(
    "surroundings",
    "Weights on the meta device (offloaded, not loaded yet) take no noise: a run without a "
    "word learns nothing.",
)
def weights_that_are_not_there_are_refused(subject: Subject) -> Passed:
    scene = subject.scene()
    if not subject.is_toy:
        raise NotApplicable("tried on the small model only")
    start = scene.weights()
    for module in scene.toy.blocks[0].modules():
        for name, p in list(module._parameters.items()):
            if p is not None:
                module._parameters[name] = torch.nn.Parameter(torch.empty_like(p, device="meta"))
    calls = []

    def closure(*_: Any, **__: Any) -> Tensor:
        calls.append(1)
        return start.sum() * 0 + len(calls)

    try:
        made = subject.build(scene)
        made.step(closure)
    except Exception as error:
        return Passed(f"refused: {raised(error.__cause__ or error)}")
    raise Failed("a model with weights on the meta device is stepped without a word")


@check(
    "surroundings",
    "Losses that do not see the noise (merged adapters, a cached copy, a constant) are a run "
    "that learns nothing.",
)
def blind_losses_are_told(subject: Subject) -> Passed:
    scene = subject.scene()
    made = subject.build(scene)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            for _ in range(20):
                made.step(lambda *_, **__: torch.tensor(1.0))
        except Exception as error:
            return Passed(f"raised {raised(error)}")
    if not said:
        raise Failed("20 steps with equal losses, and neither a warning nor an error")
    return Passed(f"warned: {said[0].message}"[:200])
