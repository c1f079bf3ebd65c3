"""Data parallel training: ranks exchange loss values, every rank makes the same update itself."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from estimators.inplace import checksum
from estimators.streams import NOISE, fingerprint, stream_key
from estimators.zeroth_order import ZerothOrder


def data_parallel(
    optimizer: ZerothOrder, mode: str = "data", group: dist.ProcessGroup | None = None
) -> ZerothOrder:
    """Let the ranks of a process group share the evaluations of every step; return `optimizer`.

    Every rank builds the same optimiser over the same weights and calls `step` (or `estimate`)
    equally often. The noise is keyed by the seed, so that 8 bytes a loss are all that crosses the
    network, and as all ranks do the same arithmetic their weights stay equal bit for bit (on equal
    hardware with equal numbers of threads; `check_ranks` tells).

    mode:
        "data": every rank evaluates all points on its own minibatch; losses are averaged. This is
        the step of one process on the concatenated minibatches, if these are equally large.
        "directions": rank k of K evaluates points k, k + K, ... of those that a method can choose
        at once (2 of `mezo`, 2q of `q_spsa`, q + 1 of `one_sided`, M of the guiding vector), on a
        batch that is the same on all ranks. In place, the ranks then visit different points, so
        that the weights are copied during a step, as with restore="copy".
    group: the ranks, by default all of them. A checkpoint is loaded before this call.

    If the closure raises on some ranks, or returns no finite scalar, `step` raises RuntimeError on
    every rank (from the cause, where it happened) and restores the weights everywhere.

    Raises ValueError for another mode, or "directions" with restore="regenerate"; RuntimeError if
    torch.distributed is not initialised or the ranks disagree (see `check_ranks`).
    """
    if mode not in ("data", "directions"):
        raise ValueError(f'mode must be "data" or "directions", got {mode!r}')
    if not (dist.is_available() and dist.is_initialized()):
        raise RuntimeError("call torch.distributed.init_process_group first")
    if mode == "directions" and optimizer.applier.moves_weights:
        if optimizer.restore == "regenerate":
            raise ValueError('mode "directions" in place needs restore="copy"')
        optimizer.restore = "copy"
    check_ranks(optimizer, group)
    optimizer.exchange = _Exchange(mode, group, _device(optimizer, group))
    return optimizer


def check_ranks(optimizer: ZerothOrder, group: dist.ProcessGroup | None = None) -> None:
    """Raise RuntimeError unless all ranks hold the same seed, step, rates, weights and state, and
    draw the same noise.

    These are compared by checksums of their bits: 56 bytes a rank are exchanged.
    """
    slots = optimizer.slots()
    rates = [(float(g["lr"]), float(g["weight_decay"])) for g in optimizer.param_groups]
    rule = optimizer.step_size
    parts: dict[str, list[Any]] = {
        "noise": [NOISE, *(fingerprint(device) for device in {slot.device for slot in slots})],
        "seed": [optimizer.seed],
        "step": [optimizer.steps],
        "rates": [optimizer.eps, *rates, *(rule.state_dict().items() if rule else ())],
        "parameters": [(slot.name, tuple(slot.param.shape), slot.dtype) for slot in slots],
        "weights": [checksum(slot.param) for slot in slots],
        "state": [
            (name, checksum(value) if isinstance(value, Tensor) else value)
            for slot in slots
            for name, value in sorted(slot.state.items())
        ],
    }
    keys = [stream_key(*map(str, values)) >> 1 for values in parts.values()]
    own = torch.tensor(keys, dtype=torch.int64, device=_device(optimizer, group))
    everyone = torch.stack(_gather(own, group)).tolist()
    for name, column in zip(parts, zip(*everyone, strict=True), strict=True):
        if len(set(column)) > 1:
            hint = _HINTS.get(name, "")
            raise RuntimeError(
                f"the ranks differ in their {name}; all must start from the same{hint}"
            )


_HINTS = {
    "noise": " (one version of this package, and of numba or Triton, makes it)",
    "seed": "; give all the same seed=",
}


class _Exchange:
    """Computes this rank's share of the losses of some points, and collects the others'."""

    def __init__(self, mode: str, group: dist.ProcessGroup | None, device: torch.device) -> None:
        self.averages = mode == "data"
        self.group = group
        self.device = device
        self.rank, self.ranks = dist.get_rank(group), dist.get_world_size(group)

    def __call__(self, compute: Callable[[int], float], count: int) -> list[float]:
        """Return the losses at points 0, ..., count - 1, the same on every rank."""
        share = range(count) if self.averages else range(self.rank, count, self.ranks)
        losses, error = _attempt(compute, share)
        width = count if self.averages else -(-count // self.ranks)
        losses += [0.0] * (width - len(losses))
        own = torch.tensor(losses, dtype=torch.float64, device=self.device)
        rows = torch.stack(_gather(own, self.group)).tolist()
        failed = [rank for rank, row in enumerate(rows) if not all(map(math.isfinite, row))]
        if error is not None and not isinstance(error, Exception):
            raise error  # an interrupt stays one
        if failed:
            raise RuntimeError(
                f"no finite loss on rank {', '.join(map(str, failed))} (its own traceback says "
                "why); weights restored on all ranks"
            ) from error
        if self.averages:
            return [sum(column) / self.ranks for column in zip(*rows, strict=True)]
        return [rows[index % self.ranks][index // self.ranks] for index in range(count)]


def _attempt(
    compute: Callable[[int], float], share: range
) -> tuple[list[float], BaseException | None]:
    """Return the losses, NaN where there is none, and the first error.

    After an error the other points are visited all the same: in place, ranks whose weights went
    different ways would come back with different rounding errors.
    """
    losses, first = [math.nan] * len(share), None
    for place, index in enumerate(share):
        try:
            losses[place] = compute(index)
        except Exception as error:
            first = error if first is None else first
        except BaseException as interrupt:
            return [math.nan] * len(share), interrupt
    return losses, first


def _gather(own: Tensor, group: dist.ProcessGroup | None) -> list[Tensor]:
    rows = [torch.empty_like(own) for _ in range(dist.get_world_size(group))]
    dist.all_gather(rows, own, group=group)
    return rows


def _device(optimizer: ZerothOrder, group: dist.ProcessGroup | None) -> torch.device:
    """Return where collectives want their tensors: on the GPU for NCCL, else on the CPU."""
    if dist.get_backend(group) == "nccl":
        return optimizer.slots()[0].device
    return torch.device("cpu")
