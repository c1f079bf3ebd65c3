"""What is checked: how an implementation is made, stepped and watched, from the outside alone."""

from __future__ import annotations

import copy
import inspect
import random
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from zotheory.checking.result import CheckError, Failed, NotApplicable
from zotheory.checking.toy import Loss, Scene, Watch

_MODELS = ("model", "module", "net", "network")  # what a first parameter is called that takes one


@dataclass
class Step:
    """One step: the weights before and after, the points evaluated and their losses."""

    before: Tensor
    after: Tensor
    points: list[Tensor]
    losses: list[float]
    returned: Any

    @property
    def update(self) -> Tensor:
        return self.after - self.before

    @property
    def moves(self) -> list[Tensor]:
        """The points evaluated, relative to the weights before the step."""
        return [point - self.before for point in self.points]

    @property
    def perturbed(self) -> list[Tensor]:
        """Those that are not the weights themselves."""
        moves = self.moves
        least = 1e-6 * max((float(move.norm()) for move in moves), default=0.0)
        return [move for move in moves if float(move.norm()) > least]


class Estimated:
    """An object with `estimate(closure)` alone, as an optimiser: w <- w - lr estimate."""

    def __init__(self, made: Any, parameters: Sequence[Tensor], lr: float) -> None:
        self.made, self.parameters, self.lr = made, list(parameters), lr

    def step(self, closure: Callable[..., Any]) -> None:
        found = self.made.estimate(closure)
        found = list(found.values()) if isinstance(found, dict) else list(found)
        with torch.no_grad():
            for parameter, part in zip(self.parameters, found, strict=True):
                parameter.sub_(torch.as_tensor(part, dtype=parameter.dtype), alpha=self.lr)


@dataclass
class Subject:
    """An implementation: `factory(params, lr=...)`, or `factory(model, lr=...)`, and how it is fed.

    The factory is given the model if its first parameter is called model, module or net, else a
    list of parameters; `seed=` if it takes one. PyTorch's, NumPy's and Python's global generators
    are seeded before it is called.

    takes_both: it takes groups of parameters with `model=` beside them, too, as our recipes do.
    recipe: its name, if it is one of ours.
    card: a recipe whose estimate it claims to make, or the scale of its mean; None for 1.
    lr: a learning rate at which it makes sensible steps.
    """

    name: str
    factory: Callable[..., Any]
    lr: float = 1e-2
    seed: int = 0
    card: Any = None
    takes_both: bool = False
    recipe: str | None = None
    made_scene: Callable[..., Scene] = Scene
    known: dict[str, Any] = field(default_factory=dict)  # what several checks want to know

    def scene(self, *arguments: Any, **options: Any) -> Scene:
        """A fresh model with its weights, the same every time."""
        return self.made_scene(*arguments, **options)

    @property
    def is_toy(self) -> bool:
        """Whether it is checked on the small model."""
        return self.made_scene is Scene

    @property
    def takes_seed(self) -> bool:
        return "seed" in self._parameters or self._takes_any

    @property
    def demands_seed(self) -> bool:
        """Whether it cannot be made without a seed."""
        seed = self._parameters.get("seed")
        return seed is not None and seed.default is seed.empty

    @property
    def takes_model(self) -> bool:
        names = [n for n in self._parameters if n != "self"]
        return self.takes_both or (bool(names) and names[0] in _MODELS)

    def build(
        self,
        scene: Scene,
        lr: float | None = None,
        *,
        seed: int | None = None,
        globally: int | None = None,
        seedless: bool = False,
        groups: list[dict[str, Any]] | None = None,
        given: Any = None,
        **options: Any,
    ) -> Any:
        """A fresh optimiser of a scene's weights.

        seed: given if the factory takes one, unless `seedless`. globally: of the global generators,
        `seed` by default; they are left as they are if seedless without it.
        groups: of parameters, instead of all of them. given: what the factory is called with, in
        place of all this. Raises Failed if the factory raises.
        """
        seed = self.seed if seed is None else seed
        lr = self.lr if lr is None else lr
        if not seedless or globally is not None:
            seed_globally(seed if globally is None else globally)
        if groups is not None and self.takes_model and not self.takes_both:
            raise NotApplicable("it takes a model, and no groups of parameters")
        if given is not None:
            pass
        elif groups is not None:
            given = groups
            if self.takes_both:
                options["model"] = scene.model
        elif self.takes_model:
            given = scene.model
        else:
            given = [p for p in scene.model.parameters() if p.requires_grad]
        try:
            made = self._made(given, lr, None if seedless else seed, options)
        except NotApplicable:
            raise
        except Exception as error:
            raise Failed(f"the factory raised {raised(error)}") from error
        if callable(getattr(made, "step", None)):
            return made
        if callable(getattr(made, "estimate", None)):
            return Estimated(made, [p for p in scene.model.parameters() if p.requires_grad], lr)
        raise CheckError(
            f"{self.name}(params, lr=...) returned {type(made).__name__}, which has neither"
            " step(closure) nor estimate(closure)"
        )

    def _made(self, given: Any, lr: float, seed: int | None, options: dict[str, Any]) -> Any:
        told = {**options}
        if "lr" in self._parameters or self._takes_any:
            told["lr"] = lr
        if self.takes_seed and seed is not None:
            told["seed"] = seed
        try:
            return self.factory(given, **told)
        except TypeError as error:
            if "seed" not in str(error) or "seed" in self._parameters:
                raise
        told.pop("seed")  # its **options do not take one after all
        return self.factory(given, **told)

    @property
    def _parameters(self) -> dict[str, inspect.Parameter]:
        try:
            return dict(inspect.signature(self.factory).parameters)
        except (TypeError, ValueError):
            return {}

    @property
    def _takes_any(self) -> bool:
        return any(p.kind is p.VAR_KEYWORD for p in self._parameters.values())

    def trace(
        self,
        scene: Scene,
        loss: Loss | Sequence[Loss],
        steps: int = 1,
        *,
        made: Any = None,
        **options: Any,
    ) -> list[Step]:
        """Make some steps, with one loss or with one a step; see `build` for the options."""
        made = self.build(scene, **options) if made is None else made
        found = []
        for index in range(steps):
            watch = Watch(scene, loss[index] if isinstance(loss, Sequence) else loss)
            before = scene.weights()
            returned = made.step(watch)
            found.append(Step(before, scene.weights(), watch.points, watch.losses, returned))
        return found

    def needs_repeating(self) -> None:
        """Raise NotApplicable unless two runs from one seed are the same."""
        if "repeats" not in self.known:
            runs = []
            for _ in range(2):
                scene = self.scene()
                runs.append([s.after for s in self.trace(scene, scene.curved(), 2)])
            self.known["repeats"] = all(map(torch.equal, *runs))
        if not self.known["repeats"]:
            raise NotApplicable("two runs from one seed differ, so that runs cannot be compared")

    def plain(self) -> str:
        """Why a step is not a multiple of one estimate alone; "" if it is.

        It is if it grows threefold with the losses' differences, a constant loss moves nothing,
        neither at first nor later, and it is no noise with its entries weighed one by one.
        """
        if "plain" not in self.known:
            self.known["plain"] = self._shape()
        return self.known["plain"]

    def _shape(self) -> str:
        self.needs_repeating()
        updates = []
        for scale in (1.0, 3.0):
            scene = self.scene()
            (step,) = self.trace(scene, scene.linear(scale=scale))
            updates.append(step.update)
        if float((updates[1] - 3.0 * updates[0]).norm()) > 1e-2 * float(updates[1].norm()):
            return "its step does not grow with the losses' differences (Adam, signs, clipping)"
        if _weighed(scene, step):
            return "its step weighs the entries of its noise one by one (a second moment)"
        scene = self.scene()
        made, sloped = self.build(scene), scene.linear()
        steps = self.trace(scene, sloped, 2, made=made)
        steps += self.trace(scene, lambda seen: torch.tensor(1.0, dtype=torch.float64), made=made)
        if float(steps[-1].update.norm()) > 1e-6 * float(steps[0].update.norm()):
            return "a constant loss moves the weights too (momentum, weight decay)"
        return ""


def seed_globally(seed: int) -> None:
    """Seed PyTorch's (on the CPU), NumPy's and Python's global generators."""
    torch.default_generator.manual_seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002 - what others draw from
    random.seed(seed)


@contextmanager
def alone() -> Iterator[None]:
    """One thread, silent warnings; afterwards all global generators and defaults as before."""
    threads, dtype = torch.get_num_threads(), torch.get_default_dtype()
    states = torch.default_generator.get_state(), np.random.get_state(), random.getstate()  # noqa: NPY002
    torch.set_num_threads(1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        torch.set_num_threads(threads)
        torch.set_default_dtype(dtype)
        torch.default_generator.set_state(states[0])
        np.random.set_state(states[1])  # noqa: NPY002
        random.setstate(states[2])


def raised(error: BaseException) -> str:
    """ "TypeError: message", in one line of at most 200 characters."""
    told = re.sub("\x1b\\[[0-9;]*m", "", f"{type(error).__name__}: {error}")  # colours
    told = " ".join(told.split())
    return told if len(told) <= 200 else f"{told[:197]}..."


def both(made: Any, scene: Scene) -> tuple[Any, Scene]:
    """A deep copy of an optimiser together with its scene."""
    return copy.deepcopy((made, scene))


def module_of(parameters: Sequence[Tensor]) -> nn.Module:
    """Parameters as a module, for factories that want one."""
    return nn.ParameterList(parameters)


def _weighed(scene: Scene, step: Step) -> bool:
    """Whether an update has the signs of its noise everywhere, or the opposite ones, but not its
    sizes, in any tensor. Noise made anew has other signs, a tensor's own coefficient its sizes.
    """
    if not step.perturbed:
        return False
    noise = step.perturbed[0] - step.perturbed[1] if len(step.perturbed) > 1 else step.perturbed[0]
    moved = (noise != 0) & (step.update != 0)
    ratios = step.update[moved] / noise[moved]
    if not len(ratios) or abs(int(ratios.sign().sum())) < len(ratios):
        return False
    for place in scene.slices().values():
        there = moved[place]
        part = step.update[place][there] / noise[place][there]
        if len(part) > 1 and float(part.std()) < 0.01 * float(part.abs().mean()):
            return False
    return True
