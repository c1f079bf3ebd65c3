"""Are the weights, and all else of the model, as they should be whatever happens?"""

from __future__ import annotations

import signal
import sys
import threading
from contextlib import suppress
from types import FrameType
from typing import Any

import torch
from torch import Tensor

from zotheory.checking.registry import check
from zotheory.checking.result import Failed, NotApplicable, Passed
from zotheory.checking.subject import Subject
from zotheory.checking.toy import Loss, Scene, Watch

KEPT = 0.01  # of one perturbation: weights that are nearer have come back


def _still(subject: Subject, dtype: torch.dtype | None, steps: int = 40) -> Passed:
    scene = subject.scene() if dtype is None else subject.scene(dtype)
    found = subject.trace(scene, scene.linear(), steps, lr=0.0)
    sizes = [float(move.norm()) for step in found for move in step.perturbed]
    if not sizes:
        raise Failed(f"none of the losses of {steps} steps sees the weights perturbed")
    moved = (found[-1].after - found[0].before).norm()
    drift = float(moved) / max(sizes)
    told = f"{steps} steps at learning rate 0 move the weights by {drift:.2g} of one perturbation"
    if drift > KEPT:
        raise Failed(told, drift=drift)
    return Passed(told if drift else f"bit for bit as before after {steps} steps", {"drift": drift})


@check("weights", "A run at learning rate 0 must stay: what drifts there drifts in every run.")
def weights_stay_at_rate_0(subject: Subject) -> Passed:
    if not subject.is_toy:
        return _still(subject, None, 5)
    _still(subject, torch.float64)
    return _still(subject, torch.float32)


@check("weights", "In 16 bits +eps, -2 eps, +eps in place does not come back: the weights drift.")
def weights_stay_at_rate_0_in_bfloat16(subject: Subject) -> Passed:
    return _still(subject, torch.bfloat16)


@check("weights", "As in bfloat16, with finer steps and a smaller range.")
def weights_stay_at_rate_0_in_float16(subject: Subject) -> Passed:
    return _still(subject, torch.float16)


class Stop(Exception):
    """What the closures of these checks raise."""


def _after(subject: Subject, error: type[BaseException]) -> Passed:
    calls = _calls(subject)
    for call in range(min(calls, 8)):
        scene = subject.scene()
        made = subject.build(scene)
        (done,) = subject.trace(scene, scene.curved(), made=made)
        size = max((float(m.norm()) for m in done.perturbed), default=0.0)

        def fail(number: int, at: int = call) -> None:
            if number == at:
                raise error

        before = scene.weights()
        try:
            made.step(Watch(scene, scene.curved(), before=fail))
        except error:
            pass
        except Exception as other:
            raise Failed(
                f"an error in loss {call + 1} arrives as {type(other).__name__}"
            ) from other
        else:
            raise Failed(f"an error in loss {call + 1} of {calls} is swallowed")
        drift = float((scene.weights() - before).norm()) / max(size, 1e-300)
        if drift > KEPT:
            raise Failed(
                f"after an error in loss {call + 1} of {calls} the weights are off by {drift:.2g}"
                " of a perturbation",
                call=call + 1,
                off=drift,
            )
    return Passed(f"as before, in whichever of {calls} losses it happens")


def _calls(subject: Subject) -> int:
    """Closures that a second step calls."""
    scene = subject.scene()
    return len(subject.trace(scene, scene.curved(), 2)[1].points)


@check(
    "weights",
    "An error in a batch (out of memory, bad data) is caught and training goes on: from "
    "perturbed weights?",
)
def weights_survive_an_error(subject: Subject) -> Passed:
    return _after(subject, Stop)


@check(
    "weights",
    "The stop button raises KeyboardInterrupt in the closure; `except Exception` does not see it.",
)
def weights_survive_the_stop_button(subject: Subject) -> Passed:
    return _after(subject, KeyboardInterrupt)


@check("weights", "The stop button is pressed at any moment, also while noise is written.")
def weights_survive_the_stop_button_anywhere(subject: Subject) -> Passed:
    if threading.current_thread() is not threading.main_thread():
        raise NotApplicable("signals reach the main thread only")
    if sys.gettrace() is not None:
        raise NotApplicable("a debugger or a coverage tool traces already")
    subject.needs_repeating()
    loss = subject.scene().linear()
    scene = subject.scene()
    made = subject.build(scene)
    (done,) = subject.trace(scene, loss, made=made)
    size = max((float(m.norm()) for m in done.perturbed), default=0.0)
    counter = _Interrupting(None)
    counter.around(lambda: made.step(Watch(scene, loss)))
    before, after = done.after, scene.weights()
    for share in range(1, 17):
        there = subject.scene()
        again = subject.build(there)
        subject.trace(there, loss, made=again)
        stop = _Interrupting(max(1, counter.seen * share // 17))
        with suppress(KeyboardInterrupt):
            stop.around(lambda m=again, s=there: m.step(Watch(s, loss)))
        now = there.weights()
        off = min(float((now - before).norm()), float((now - after).norm())) / size
        if off > KEPT:
            raise Failed(
                f"interrupted {share}/17 into a step, the weights are {off:.2g} of a perturbation"
                f" off those before and after it ({stop.where})",
                off=off,
            )
    return Passed("those before or after the step, interrupted at 16 moments of it")


class _Interrupting:
    """Counts the lines that run, and sends SIGINT at one of them."""

    def __init__(self, at: int | None) -> None:
        self.at, self.seen, self.where = at, 0, ""

    def around(self, call: Any) -> None:
        """Run `call` with SIGINT raising KeyboardInterrupt, as in a notebook."""
        handler = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            sys.settrace(self._trace)
            try:
                call()
            finally:
                sys.settrace(None)
        finally:
            signal.signal(signal.SIGINT, handler or signal.SIG_DFL)

    def _trace(self, frame: FrameType, event: str, _: Any) -> Any:
        if event == "line":
            self.seen += 1
            if self.seen == self.at:
                sys.settrace(None)
                self.where = f"{frame.f_code.co_filename.rsplit('/', 1)[-1]}:{frame.f_lineno}"
                signal.raise_signal(signal.SIGINT)
                return None
        return self._trace


def _spoilt(watch: Watch, call: int, value: float) -> Loss:
    """The loss of a closure, but for one call."""
    plain = watch.loss

    def loss(seen: Tensor) -> Tensor:
        return torch.tensor(value).double() if len(watch.points) == call + 1 else plain(seen)

    return loss


@check("weights", "One loss that is NaN or infinite must not turn all weights into NaN.")
def weights_survive_nan(subject: Subject) -> Passed:
    calls = _calls(subject)
    for value in (float("nan"), float("inf")):
        for call in range(min(calls, 4)):
            scene = subject.scene()
            made = subject.build(scene)
            (done,) = subject.trace(scene, scene.curved(), made=made)
            size = max((float(m.norm()) for m in done.perturbed), default=0.0)
            before, plain = scene.weights(), scene.curved()
            watch = Watch(scene, plain)
            watch.loss = _spoilt(watch, call, value)
            try:
                made.step(watch)
                how = "the step goes on and"
            except Exception:
                how = "the step raises, and"
            off = float((scene.weights() - before).norm()) / max(size, 1e-300)
            if not off <= KEPT:
                raise Failed(
                    f"loss {call + 1} of {calls} is {value}: {how} the weights are off by"
                    f" {off:.2g} of a perturbation"
                )
    return Passed(f"NaN and infinity in any of {calls} losses leave the weights as they were")


def _rest(scene: Scene) -> dict[str, Any]:
    model = scene.model
    told: dict[str, Any] = {f"buffer {n}": b.clone() for n, b in model.named_buffers()}
    told |= {f"training mode of {n or 'the model'}": m.training for n, m in model.named_modules()}
    told |= {f"requires_grad of {n}": p.requires_grad for n, p in scene.parameters.items()}
    told |= {f"identity of {n}": id(p) for n, p in scene.parameters.items()}
    return told | {
        f"hooks of {n}": len(m._forward_hooks) + len(m._forward_pre_hooks)
        for n, m in model.named_modules()
    }


@check(
    "weights",
    "Buffers, training mode, requires_grad and the parameters' identity are not the "
    "optimiser's to change.",
)
def nothing_else_is_touched(subject: Subject) -> Passed:
    scene = subject.scene()
    scene.model.train()
    made = subject.build(scene)
    before = _rest(scene)
    subject.trace(scene, scene.curved(), 3, made=made)
    after = _rest(scene)
    for name, value in before.items():
        now = after.get(name)
        if isinstance(value, Tensor) and isinstance(now, Tensor):
            same = torch.equal(value, now)
        else:
            same = value == now
        if not same:
            raise Failed(f"3 steps change the {name}")
    if before.keys() != after.keys():
        raise Failed("3 steps add to the model, or take from it")
    return Passed(f"{len(before)} properties as before 3 steps")
