"""Update: what is done with an estimate."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import Any, cast

import torch
from torch import Tensor

from estimators import philox
from estimators.assignment import Assignment, Terms, assign, low_rank
from estimators.bases import Basis
from estimators.directions.base import Estimate
from estimators.evaluation import Evaluation
from estimators.interrupts import write_all
from estimators.noise import LowRankNoise, Noise
from estimators.rounding import Written, store
from estimators.slots import Slot
from estimators.streams import Stream

PIECE = 1 << 16  # entries that a thread updates at a time in one pass


@dataclass(frozen=True, eq=False)
class Job:
    """The update of one tensor: w <- (1 - lr * decay) (w + restore) - lr * step(estimate).

    restore: noise that takes the weights back to where they were before the step. terms: the
    gradient estimate of this tensor, as weighted noise. written: the same as the losses have seen
    it, where writing the noise rounded it perceptibly. estimate: that of all tensors. rounding: the
    stream by which 16-bit weights are rounded.
    """

    slot: Slot
    restore: Terms
    terms: Terms
    estimate: Estimate
    lr: float
    decay: float
    rounding: Stream | None = None
    written: Written | None = None

    @property
    def evaluated(self) -> Terms:
        """The gradient estimate of this tensor along what was evaluated."""
        return self.terms if self.written is None else [(1.0, self.written)]

    @property
    def single(self) -> tuple[Noise, float, float] | None:
        """The noise with its weights in the estimate and on the way back, if it is one for both."""
        if len(self.evaluated) != 1 or len(self.restore) > 1:
            return None
        ((weight, noise),) = self.evaluated
        if not self.restore:
            return noise, weight, 0.0
        ((back, other),) = self.restore
        return (noise, weight, back) if other is noise else None

    @property
    def scale(self) -> float:
        return 1.0 - self.lr * self.decay


def jobs_of(evaluation: Evaluation, estimate: Estimate, restore: dict[Slot, Terms]) -> list[Job]:
    """Return the updates of the tensors that an estimate moves; `restore` as in `Job`."""
    jobs = []
    for slot in evaluation.slots:
        terms = evaluation.terms(slot, estimate.terms)
        if not terms:
            continue
        group = slot.group
        jobs.append(
            Job(
                slot,
                restore.get(slot, ()),
                [(weight, noise) for noise, weight in terms.items()],
                estimate,
                float(group["lr"]),
                float(group["weight_decay"]),
                slot.stream(evaluation.seed, "round", evaluation.step)
                if slot.param.element_size() == 2
                else None,
                evaluation.written(slot, estimate.points) if estimate.points else None,
            )
        )
    return jobs


class Update(ABC):
    """An optimiser on top of a gradient estimate; weight decay is decoupled.

    linear: whether its steps are the estimates themselves, or averages of them. homogeneous:
    whether they are as long as these, and not of a length of their own.
    """

    linear = False
    homogeneous = True

    @abstractmethod
    def write(self, jobs: Sequence[Job]) -> None:
        """Restore and update the weights."""

    def allocate(self, jobs: Sequence[Job]) -> None:  # noqa: B027  no moments by default
        """Make room for moments, which may fail for want of memory, before anything is written."""

    def displacement(self, slot: Slot, terms: Terms) -> Noise:
        """Return what an estimate alone has a step of rate -1 add; the state stays as it is.

        Of moments, the first is left out. Only asked for where updates are not `linear`.
        """
        raise NotImplementedError

    def rebase(  # noqa: B027  no moments by default
        self, slot: Slot, old: Basis, new: Basis
    ) -> None:
        """Move the moments of a tensor to a new basis of its noise."""


class Displacement(Noise):
    """Rows of a step, from those of an estimate and of the state, made where they are needed.

    step(gradient, base, rows) returns them; `base` is those rows of the weights.
    """

    def __init__(
        self, slot: Slot, terms: Terms, step: Callable[[Tensor, Tensor, Any], Tensor]
    ) -> None:
        self.slot = slot
        self.terms = terms
        self.step = step
        self.reads_weights = any(noise.reads_weights for _, noise in terms)

    def add_rows(self, out: Tensor, start: int, stop: int, weight: float, base: Tensor) -> None:
        height = self.slot.rows_per_block
        for low in range(start, stop, height):
            high = min(stop, low + height)
            inside = slice(low - start, high - start)
            gradient = torch.zeros_like(out[inside])
            for share, noise in self.terms:
                noise.add_rows(gradient, low, high, share, base[inside])
            step = self.step(gradient, base[inside], slice(low, high))
            out[inside].add_(step, alpha=weight)

    def lookup(self, rows: Tensor, base: Tensor) -> Tensor:
        parts = [noise.lookup(rows, base) * share for share, noise in self.terms]
        return self.step(cast(Tensor, sum(parts)), base[rows], rows)


class Elementwise(Update):
    """An update that treats the entries of the estimate one by one.

    For low-rank noise the entries are its coordinates in the current basis (unless
    `dense_entries`), so that moments are as small as these; for dense noise, those of the tensor.
    """

    moments: tuple[str, ...] = ()
    dense_entries = False

    @abstractmethod
    def direction(self, state: dict[str, Tensor], gradient: Tensor, job: Job) -> Tensor:
        """Update the moments `state` in place and return the step, all of one shape."""

    def alone(self, slot: Slot, gradient: Tensor, rows: Any) -> Tensor:
        """Return the step of an estimate without first moments, or some rows of it.

        Nothing is changed. rows: an index of the rows of entries, `...` for all, or coordinates.
        """
        raise NotImplementedError

    def displacement(self, slot: Slot, terms: Terms) -> Noise:
        if all(isinstance(noise, LowRankNoise) for _, noise in terms) and not self.dense_entries:
            ((weight, noise),) = low_rank(terms)
            gradient = noise.coordinates.to(slot.compute_dtype) * weight
            return LowRankNoise(slot, noise.basis, self.alone(slot, gradient, ...))
        return Displacement(slot, terms, lambda g, _, rows: self.alone(slot, g, rows))

    def begin(self, job: Job) -> None:
        """Do what is done once a step for each tensor."""

    def in_one_pass(self, job: Job) -> tuple[str, Sequence[float]] | None:
        """Return what makes the step of dense entries in one pass: the name of a kernel of
        `updates.compiled` and its numbers after lr. None if nothing does.
        """
        return None

    def write(self, jobs: Sequence[Job]) -> None:
        for job in jobs:
            self.begin(job)
            if self.in_coordinates(job):
                self.write_coordinates(job)
            else:
                self.write_entries(job)

    def allocate(self, jobs: Sequence[Job]) -> None:
        for job in jobs:
            if not self.in_coordinates(job):
                self.state(job, (job.slot.m, job.slot.n))

    def in_coordinates(self, job: Job) -> bool:
        """Whether the moments of this tensor live in the coordinates of its noise."""
        low_rank = all(isinstance(noise, LowRankNoise) for _, noise in job.terms)
        return low_rank and not self.dense_entries

    def state(self, job: Job, shape: tuple[int, ...]) -> dict[str, Tensor]:
        """Return the moments of a tensor, zero at first."""
        slot = job.slot
        for name in self.moments:
            if name not in slot.state:
                slot.state[name] = torch.zeros(shape, dtype=slot.compute_dtype, device=slot.device)
        return {name: slot.state[name] for name in self.moments}

    def write_coordinates(self, job: Job) -> None:
        """Take the step in coordinates and expand it."""
        gradient, basis = coordinates(job)
        step = self.direction(self.state(job, tuple(gradient.shape)), gradient, job)
        moved = LowRankNoise(job.slot, basis, step)
        weights = job.slot.matrix
        terms = [*((job.scale * w, z) for w, z in job.restore), (-job.lr, moved)]
        assign([Assignment(job.slot, weights, weights, job.scale, terms, job.rounding)])

    def write_entries(self, job: Job) -> None:
        """Take the step entry by entry."""
        state = self.state(job, (job.slot.m, job.slot.n))
        if not self._write_in_one_pass(job, state):
            self._write_blocks(job, state)

    def _write_in_one_pass(self, job: Job, state: dict[str, Tensor]) -> bool:
        slot, single = job.slot, job.single
        compiled, found = kernels(slot, list(state.values())), self.in_one_pass(job)
        if compiled is None or single is None or found is None:
            return False
        noise, weight, back = single
        kernel, numbers = getattr(compiled, found[0]), (weight, back, job.scale, job.lr, *found[1])
        weights = slot.matrix

        def write(rows: slice) -> None:
            entries = drawn(noise, weights[rows], rows)
            moments = (moment[rows] for moment in state.values())
            compiled.run(kernel, (weights[rows], entries, *moments), numbers)

        write_rows(slot, slot.rows_within(PIECE), write)
        return True

    def _write_blocks(self, job: Job, state: dict[str, Tensor]) -> None:
        slot, weights = job.slot, job.slot.matrix

        def write(rows: slice) -> None:
            gradient = restored_block(job, weights[rows], rows)
            wide = weights[rows].to(slot.compute_dtype)
            step = self.direction({k: v[rows] for k, v in state.items()}, gradient, job) * job.lr
            store(slot, wide.mul_(job.scale).sub_(step), job.rounding, rows)

        write_rows(slot, slot.rows_per_block, write)


def write_rows(slot: Slot, height: int, write: Callable[[slice], None]) -> None:
    """Call `write` with all rows of a tensor, `height` at a time, in parallel; see `write_all`."""

    def task(index: int) -> None:
        write(slice(index * height, min(slot.m, (index + 1) * height)))

    write_all(task, -(-slot.m // height), slot.device, slot.m * slot.n)


def kernels(slot: Slot, state: Sequence[Tensor]) -> ModuleType | None:
    """Return the compiled updates if they serve this tensor and its state, else None."""
    for tensor in (slot.matrix, *state):
        there = tensor.device.type == "cpu" and tensor.dtype == torch.float32
        if not (there and tensor.is_contiguous()):
            return None
    if philox.implementation("cpu") is philox.reference:  # nothing compiles here
        return None
    return import_module("estimators.updates.compiled")


def drawn(noise: Noise, weights: Tensor, rows: slice) -> Tensor:
    """Return some rows of noise; `weights` are those rows of the tensor."""
    entries = torch.zeros(weights.shape, dtype=noise.slot.compute_dtype, device=weights.device)
    noise.add_rows(entries, rows.start, rows.stop, 1.0, weights)
    return entries


def restored_block(job: Job, weights: Tensor, rows: slice) -> Tensor:
    """Restore some rows of the weights and return those rows of the estimate.

    Nothing is written before all noise is drawn.
    """
    gradient = torch.zeros(weights.shape, dtype=job.slot.compute_dtype, device=weights.device)
    back = {id(noise): weight for weight, noise in job.restore}
    moves = []
    for weight, noise in job.evaluated:
        entries = drawn(noise, weights, rows)
        gradient.add_(entries * weight)  # add_ with an alpha rounds once or twice, as it likes
        if id(noise) in back:
            moves.append((entries, back.pop(id(noise))))
    left = [(weight, noise) for weight, noise in job.restore if id(noise) in back]
    moves += [(drawn(noise, weights, rows), weight) for weight, noise in left]
    for entries, weight in moves:
        weights.add_(entries * weight)
    return gradient


def coordinates(job: Job) -> tuple[Tensor, Basis]:
    """Return the estimate of a tensor in the coordinates of its low-rank noise, and their basis."""
    ((weight, noise),) = low_rank(job.terms)
    return noise.coordinates.to(job.slot.compute_dtype) * weight, noise.basis


def root(x: Tensor) -> Tensor:
    """Return the square roots of `x`, rounded to nearest in 32 bits.

    Through float64: PyTorch's of float32 are off by one unit on some CPUs.
    """
    return x.sqrt() if x.dtype == torch.float64 else x.to(torch.float64).sqrt_().to(x.dtype)


def check_beta(name: str, beta: float) -> float:
    """Return `beta`, or raise ValueError unless it lies in [0, 1)."""
    if not 0.0 <= beta < 1.0:
        raise ValueError(f"{name} must lie in [0, 1), got {beta}")
    return beta
