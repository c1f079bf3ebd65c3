"""What does a step cost?"""

from __future__ import annotations

import gc
import math
from collections import Counter
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from zotheory.checking.drawing import Drawn
from zotheory.checking.registry import check
from zotheory.checking.result import Failed, NotApplicable, Passed
from zotheory.checking.subject import Subject
from zotheory.checking.toy import Watch


@check("accounting", "Methods are compared by forward passes: how many a step makes must be known.")
def losses_are_counted(subject: Subject) -> Passed:
    scene = subject.scene()
    steps = 12 if subject.is_toy else 2
    counts = [len(step.points) for step in subject.trace(scene, scene.curved(), steps)]
    if not any(counts):
        raise Failed("a step never calls its closure")
    if min(counts) < 2:
        raise Failed(f"a step calls its closure {min(counts)} times: one loss is no difference")
    usual = max(set(counts), key=counts.count)
    more = {i + 1: n for i, n in enumerate(counts) if n != usual}
    told = f"{usual} a step" + (f", and {more} (step: losses)" if more else "")
    return Passed(told, {"losses": usual})


@check("accounting", "What a step returns is logged as the loss; it should be near it.")
def the_loss_is_returned(subject: Subject) -> Passed:
    scene = subject.scene()
    (step,) = subject.trace(scene, scene.curved())
    if step.returned is None:
        raise NotApplicable("step returns nothing")
    try:
        value = float(step.returned)
    except (TypeError, ValueError):
        raise Failed(f"step returns {type(step.returned).__name__}, no number") from None
    low, high = min(step.losses), max(step.losses)
    if (
        not math.isfinite(value)
        or not low - (high - low) - 1e-6 <= value <= high + (high - low) + 1e-6
    ):
        raise Failed(f"step returns {value:.4g}; its losses were {low:.4g} to {high:.4g}")
    return Passed(f"returns {value:.4g}; its losses were {low:.4g} to {high:.4g}")


@check(
    "accounting",
    "Random numbers are what a step costs beside its losses; one that draws the noise of all steps "
    "before it again makes a run's cost grow with its square.",
)
def draws_do_not_grow(subject: Subject) -> Passed:
    scene = subject.scene()
    loss, drawn, counts = scene.linear(), Drawn(), []
    with drawn:
        made = subject.build(scene)
    before = Counter(drawn.numbers)
    for _ in range(32 if subject.is_toy else 4):
        start = drawn.total
        with drawn:
            subject.trace(scene, loss, made=made)
        counts.append(drawn.total - start)
    if not any(counts):
        raise NotApplicable("no random numbers are seen (threads, kernels, libraries of its own)")
    quarter = len(counts) // 4
    first, last = sum(counts[:quarter]) / quarter, sum(counts[-quarter:]) / quarter
    size = sum(p.numel() for p in scene.model.parameters())
    if last > 1.5 * max(first, size):
        raise Failed(
            f"the last {quarter} of {len(counts)} steps draw {last:.0f} random numbers each, the"
            f" first {quarter} drew {first:.0f}",
            first=first,
            last=last,
        )
    mean = sum(counts) / len(counts)
    sources = ", ".join(name for name, n in (drawn.numbers - before).items() if n)
    told = f"{mean:.0f} random numbers a step, {mean / size:.3g} for each weight ({sources})"
    if before.total():
        told += f", and {before.total()} when it is made"
    return Passed(told, {"drawn": mean, "drawn for each weight": mean / size})


class _Bytes(TorchDispatchMode):
    """The largest sum of bytes of storages that operations made and that are still alive."""

    def __init__(self) -> None:
        super().__init__()
        self.alive: dict[int, int] = {}
        self.peak = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        import weakref

        out = func(*args, **(kwargs or {}))
        for one in out if isinstance(out, tuple | list) else (out,):
            if isinstance(one, Tensor) and one.device.type != "meta":
                storage = one.untyped_storage()
                key = storage._cdata
                if key not in self.alive:
                    self.alive[key] = storage.nbytes()
                    weakref.finalize(storage, self.alive.pop, key, None)
        self.peak = max(self.peak, sum(self.alive.values()))
        return out


def _held(made: Any) -> int:
    """Bytes of the tensors that an optimiser holds, its parameters apart."""
    seen: set[int] = set()
    inside = {id(p) for g in getattr(made, "param_groups", ()) for p in g["params"]}
    total, left = 0, [made]
    while left:
        one = left.pop()
        if id(one) in seen or id(one) in inside or isinstance(one, torch.nn.Module | type):
            continue
        seen.add(id(one))
        if isinstance(one, Tensor):
            total += one.untyped_storage().nbytes()
        elif isinstance(one, dict):
            left += list(one.values())
        elif isinstance(one, list | tuple | set):
            left += list(one)
        elif hasattr(one, "__dict__") and not callable(one):
            left += list(vars(one).values())
    return total


@check("accounting", "What a step leaves behind (directions, copies) adds up over a run.")
def memory_does_not_grow(subject: Subject) -> Passed:
    scene = subject.scene()
    made = subject.build(scene)
    held = []
    for steps in (4, 16):
        subject.trace(scene, scene.linear(), steps, made=made)
        gc.collect()
        held.append(_held(made))
    size = sum(p.numel() * p.element_size() for p in scene.model.parameters())
    grown = (held[1] - held[0]) / size
    if grown > 1.0:
        raise Failed(f"16 steps hold {grown:.1f} times the weights' bytes more", grown=grown)
    peak = _peak(subject)
    return Passed(
        f"holds {held[1] / size:.2f} times the weights' bytes; a step's peak over a loss is"
        f" {peak:.2f} times",
        {"held": held[1] / size, "peak": peak},
    )


def _peak(subject: Subject) -> float:
    peaks = []
    for whole in (False, True):
        scene = subject.scene()
        made = subject.build(scene)
        subject.trace(scene, scene.linear(), made=made)
        watch = Watch(scene, lambda seen: seen.sum())
        with _Bytes() as bytes_:
            if whole:
                made.step(watch)
            else:
                watch()
        peaks.append(bytes_.peak)
    size = sum(p.numel() * p.element_size() for p in scene.model.parameters())
    return (peaks[1] - peaks[0]) / size
