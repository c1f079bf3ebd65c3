"""What a step notices about its losses: warnings about runs that learn nothing, or by chance."""

from __future__ import annotations

import sys
import warnings
from collections import deque
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any

import torch
from torch import Tensor, nn

from estimators.audit import Audit, Buffers
from estimators.inplace import Applier
from estimators.noise import Noise
from estimators.rounding import Point, Written
from estimators.slots import Slot

WINDOW, EQUAL = 10, 5  # steps looked back on, and those of equal losses that are too many
LOST = 0.5  # the least squared cosine between the noise and what writing makes of it
COARSE = 0.9  # below it, weights of 32 bits are updated along what is left of the noise
FINE = 2.0**-4  # a spacing of weights that is no matter, in units of eps
_BLOCKS, _ENTRIES = 32, 512  # at most and at least looked at to measure the rounding of a tensor


class Guard:
    """Looks at the steps of one optimiser and warns, once of each kind."""

    def __init__(self) -> None:
        self._equal: deque[bool] = deque(maxlen=WINDOW)
        self._told: set[str] = set()
        self.measured: set[int] = set()
        self.situation = 0  # what the closure of this step is and works on, see `ZerothOrder._step`
        self._restless: dict[int, list[str]] = {}  # buffers written in the situations looked at

    def tell(self, kind: str, text: str) -> None:
        """Warn, if this kind has not been told of."""
        if kind not in self._told:
            self._told.add(kind)
            warnings.warn(text, UserWarning, stacklevel=_outside())

    def losses(self, losses: Sequence[float], eps: float) -> None:
        """Look whether the losses of a step differ."""
        self._equal.append(len(losses) > 1 and len(set(losses)) == 1)
        if sum(self._equal) >= EQUAL and "narrow" not in self._told:  # which says why
            self.tell(
                "equal",
                f"the losses of {sum(self._equal)} of the last {len(self._equal)} steps are equal "
                "bit for bit: they do not see the noise, and nothing is learned. Likely causes: "
                f"eps = {eps:g} is below the spacing of the weights; the loss is rounded (16 bits, "
                "an accuracy); the closure uses a copy of the weights (merged adapters, a cache, "
                "another model); the loss does not depend on them",
            )

    def frozen(self) -> None:
        """Tell that a step has no tensor to move."""
        self.tell(
            "frozen",
            "no parameter of this optimiser is trainable now (requires_grad is off, as for an "
            "adapter that is not the active one): this step changes nothing; unfreeze them, or "
            "make the optimiser of those that are trained",
        )

    def loss(self, value: Any) -> None:
        """Look at the type of a loss."""
        if isinstance(value, Tensor) and value.is_floating_point() and value.element_size() < 4:
            kind = str(value.dtype).removeprefix("torch.")
            spacing = float(value.detach().abs()) * torch.finfo(value.dtype).eps
            self.tell(
                "narrow",
                f"the loss is computed in {kind}, whose spacing there is {spacing:.1g}: smaller "
                "differences are lost; compute it in float32 (cross_entropy(logits.float(), ...))",
            )

    def audit(
        self, slots: Sequence[Slot], model: nn.Module | None, applier: Applier
    ) -> Audit | None:
        """Return what looks at the closure in this step, None if it has seen this situation."""
        return None if self.situation in self._restless else Audit(slots, model, applier)

    def report(self, audit: Audit) -> None:
        """Tell what an audit has found."""
        written = self._restless[self.situation] = audit.written_buffers()
        if audit.random:
            self.tell(
                "random",
                "the closure draws random numbers, so that the losses of a step are those of "
                f"different functions: {_dropout(audit.model)}; a step needs one batch and no "
                "noise but its own (optimizer.check_closure tests it)",
            )
        if written:
            self.tell(
                "buffers",
                f"the closure writes buffers ({', '.join(written[:3])}): batch statistics "
                "make the losses of a step depend on their order; model.eval()",
            )
        unused = audit.unused()
        if unused:
            more = f" and {len(unused) - 3} others" if len(unused) > 3 else ""
            self.tell(
                "unused",
                f"no loss of this step used {', '.join(unused[:3])}{more}: parameters that no loss "
                "depends on walk at random; freeze them (requires_grad_(False))",
            )

    def keep_buffers(self, model: nn.Module | None) -> Buffers:
        """Return the buffers that the closure may write, as they are now."""
        return Buffers(model, self._restless.get(self.situation))

    def rounding(
        self,
        slots: Sequence[Slot],
        noise_of: Callable[[Slot], Noise | None],
        eps: float,
        applier: Applier,
    ) -> None:
        """Measure, once for every tensor, what writing makes of its noise.

        A tensor of 32 bits or more that loses some of it is marked `coarse` in its state: unless
        the weights are to be restored by regenerating, it is then copied during steps, and updated
        along what is left of the noise.
        """
        lost = []
        for slot in slots:
            if id(slot.param) in self.measured or slot.device.type == "meta":
                continue
            noise = noise_of(slot)
            if noise is None:  # this step leaves the tensor alone
                continue
            self.measured.add(id(slot.param))
            if not applier.writes(slot, noise.low_rank):
                continue
            if _spacing(float(slot.matrix.abs().amax()), slot.dtype) < FINE * eps:
                continue
            kept, needed = _survival(slot, noise, eps)
            if kept < LOST:
                lost.append((kept, slot.name, needed))
            if kept < COARSE and slot.param.element_size() >= 4:
                slot.state["coarse"] = True
        if lost:
            kept, name, _ = min(lost)
            more = f" and of {len(lost) - 1} other tensors" if len(lost) > 1 else ""
            self.tell(
                "rounding",
                f"eps = {eps:g} is below the spacing of the weights of {name}{more}: writing the "
                f"noise keeps {kept:.2g} of it (squared cosine), the rest is rounding; an eps of "
                f"{max(needed for *_, needed in lost):.1g} would do, or weights of more bits",
            )


def _survival(slot: Slot, noise: Noise, eps: float) -> tuple[float, float]:
    """Return cos^2 between eps Z and what writing it moves, and an eps that would do.

    Of a large tensor, from some blocks of rows spread over it.
    """
    times = -(-_ENTRIES // slot.param.numel()) if slot.param.element_size() < 4 else 1
    points = (Point(((eps, noise),), slot.stream("measure", turn)) for turn in range(times))
    written = [Written(slot, [(1.0, point)]) for point in points]
    weights, height = slot.matrix, slot.rows_per_block
    drawn_2 = seen_2 = product = size_2 = 0.0
    for block in range(0, slot.blocks, -(-slot.blocks // _BLOCKS)):
        low, high = block * height, min(slot.m, (block + 1) * height)
        base = weights[low:high]
        drawn = torch.zeros_like(base, dtype=slot.compute_dtype)
        noise.add_rows(drawn, low, high, 1.0, base)
        drawn_2 += float(drawn.double().square().sum())
        for moved in written:
            seen = torch.zeros_like(drawn)
            moved.add_rows(seen, low, high, 1.0, base)
            seen_2 += float(seen.double().square().sum()) / times
            product += float((drawn.double() * seen).sum()) / times
        size_2 += float(base.double().square().sum())
    kept = product**2 / (drawn_2 * seen_2) if drawn_2 and seen_2 else float(not drawn_2)
    return kept, _spacing((size_2 / max(drawn_2, 1e-300)) ** 0.5, slot.dtype)


def _spacing(value: float, dtype: torch.dtype) -> float:
    return value * torch.finfo(dtype).eps


def _dropout(model: nn.Module | None) -> str:
    for name, module in model.named_modules() if model is not None else ():
        if module.training and "Dropout" in type(module).__name__ and getattr(module, "p", 0):
            return f"dropout is on ({name}; model.eval())"
    return "dropout is on (model.eval()), or another batch is drawn at every call"


def _outside() -> int:
    """Return the stack level of the first caller outside this package and PyTorch."""
    frame: FrameType | None = sys._getframe(2)
    level = 2
    while frame is not None:
        module = frame.f_globals.get("__name__", "")
        if not module.startswith(("estimators.", "torch.", "contextlib", "zotheory.")):
            return level
        frame, level = frame.f_back, level + 1
    return 2


def check_closure(
    closure: Callable[[], Any], *, model: nn.Module | None = None, calls: int = 3
) -> float:
    """Return the loss if `closure` gives the same one `calls` times at equal weights, else raise.

    The difference of two losses of a step is of the order of eps; a loss that changes by itself
    (dropout, another batch at each call, a seed) drowns it. With `model`, buffers that the closure
    writes are put back.

    Raises ValueError with the losses if they differ bit for bit, or if calls < 2.

    Example:
        >>> check_closure(lambda: torch.ones(()) / 3)
        0.3333333432674408
        >>> check_closure(lambda: torch.rand(()))
        Traceback (most recent call last):
        ...
        ValueError: the loss changes at equal weights: ...
    """
    if calls < 2:
        raise ValueError(f"calls must be at least 2, got {calls}")
    buffers = Buffers(model)
    with torch.no_grad():
        try:
            losses = [float(closure()) for _ in range(calls)]
        finally:
            buffers.put_back()
    if len(set(losses)) > 1:
        raise ValueError(
            f"the loss changes at equal weights: {', '.join(f'{loss:.9g}' for loss in losses)} "
            "(dropout, another batch at each call?)"
        )
    return losses[0]
