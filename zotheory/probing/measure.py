"""Repeated estimates of one estimator on one objective, and sums of what they are compared by."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from estimators.streams import stream_key
from estimators.zeroth_order import ZerothOrder
from zotheory.evidence import draws
from zotheory.files import first_line
from zotheory.probing.objectives import Objective, ProbeError

Factory = Callable[..., Any]  # factory(parameters, seed=...) -> an object with estimate(closure)


@dataclass(frozen=True)
class Estimator:
    """What is probed: a factory, its name in the table, and as how many layers it sees the matrix.

    own: whether it is a user's, not one of the recipes.
    """

    name: str
    factory: Factory
    layers: int = 1
    own: bool = False

    def build(self, objective: Objective, seed: int) -> tuple[Any, list[Tensor]]:
        """A fresh estimator and the fresh parameters that it perturbs.

        Raises ProbeError if the factory raises or makes something without `estimate`.
        """
        parameters = objective.parameters(self.layers)
        try:
            made = self.factory(parameters, seed=seed)
        except Exception as error:
            raise ProbeError(f"{self.name}(parameters, seed=...) {_raised(error)}") from error
        if not callable(getattr(made, "estimate", None)):
            raise ProbeError(
                f"{self.name}(parameters, seed=...) returned {type(made).__name__}, which has no"
                " method estimate(closure)"
            )
        return made, parameters


@dataclass(frozen=True)
class Sums:
    """Sums over independent estimates g of a gradient G with ||G|| = 1.

    total: of g (d entries). squares: of ||g||^2. along, along2: of <g, G> and its square. cos2: of
    cos^2(G, g), 0 where g = 0. losses: the number of loss values spent.
    """

    count: int
    total: np.ndarray
    squares: float
    along: float
    along2: float
    cos2: float
    losses: int

    def __add__(self, other: Sums) -> Sums:
        return self._with(other, 1)

    def __sub__(self, other: Sums) -> Sums:
        return self._with(other, -1)

    def _with(self, other: Sums, sign: int) -> Sums:
        pairs = ((getattr(self, f.name), getattr(other, f.name)) for f in fields(self))
        return Sums(*(mine + sign * theirs for mine, theirs in pairs))


def measure(estimator: Estimator, objective: Objective, samples: Sequence[int], root: int) -> Sums:
    """The sums over some samples, by their numbers.

    Every sample is the first estimate of a fresh estimator with a seed of its own, at step 0:
    what an estimator draws once and keeps (factors, subspaces, masks) is drawn anew, and what it
    learns from earlier steps (momentum, a Hessian) is still in its initial state. PyTorch's
    global generator is seeded too, and a `ZerothOrder` is asked for its estimate with the seed,
    whatever seed its factory gave it. The losses spent are counted as the closure is called.

    Raises ProbeError if the estimator raises, or returns anything but finite tensors of the
    parameters' shapes.
    """
    gradient = objective.gradient.flatten()
    total = torch.zeros_like(gradient)
    squares, along, cos2, spent = [], [], [], 0
    with alone():
        for number in samples:
            seed = stream_key("probe", root, number) % 2**32
            torch.default_generator.manual_seed(seed)  # the global function seeds every device
            found, losses = _estimate(estimator, objective, seed)
            spent += losses
            total += found
            squares.append(float(found @ found))
            along.append(float(found @ gradient))
            cos2.append(along[-1] ** 2 / squares[-1] if squares[-1] else 0.0)
    sums = (sum(squares), sum(along), sum(x * x for x in along), sum(cos2))
    return Sums(len(squares), total.numpy(), *sums, spent)


def _estimate(estimator: Estimator, objective: Objective, seed: int) -> tuple[Tensor, int]:
    made, parameters = estimator.build(objective, seed)
    spent = 0

    def closure() -> float:
        nonlocal spent
        spent += 1
        return objective.loss(parameters)

    plain = getattr(type(made), "estimate", None) is ZerothOrder.estimate
    try:
        found = draws.estimate(made, closure, seed) if plain else made.estimate(closure)
    except Exception as error:
        raise ProbeError(f"{estimator.name}: estimate(closure) {_raised(error)}") from error
    return _flat(estimator.name, found, [p.shape for p in parameters]), spent


def _flat(name: str, found: Any, shapes: list[torch.Size]) -> Tensor:
    """The estimate as one vector: from a mapping or a sequence of tensors, or one tensor alone."""
    if isinstance(found, Mapping):
        found = list(found.values())
    elif isinstance(found, Tensor | np.ndarray):
        found = [found]
    try:
        parts = [torch.as_tensor(part, dtype=torch.float64).detach() for part in found]
    except (TypeError, ValueError, RuntimeError):
        parts = None
    if parts is None or [part.shape for part in parts] != shapes:
        told = f"shapes {[tuple(p.shape) for p in parts]}" if parts else type(found).__name__
        wanted = ", ".join(str(tuple(shape)) for shape in shapes)
        raise ProbeError(
            f"{name}: estimate(closure) must return one tensor per parameter ({wanted}), in the"
            f" parameters' order; it returned {told}"
        )
    flat = torch.cat([part.flatten() for part in parts])
    if not flat.isfinite().all():
        raise ProbeError(f"{name}: estimate(closure) returned numbers that are not finite")
    return flat


@contextmanager
def alone() -> Iterator[None]:
    """One thread, no gradients, and PyTorch's global generator as it was afterwards."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            yield
    finally:
        torch.set_num_threads(threads)


def _raised(error: Exception) -> str:
    """ "raised TypeError: message (file.py:12)", in one line."""
    frames = traceback.extract_tb(error.__traceback__)
    told = f"raised {type(error).__name__}: {first_line(error)}"
    own = [frame for frame in frames if frame.filename != __file__]
    return f"{told} ({Path(own[-1].filename).name}:{own[-1].lineno})" if own else told
