"""The log of a run: its seed, losses and rates, from which the weights can be rebuilt."""

from __future__ import annotations

import base64
import json
import struct
from bisect import bisect_right
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from estimators.slots import Slot
from estimators.streams import NOISE, fingerprint

Rates = dict[str, tuple[float, float]]


class Log:
    """What a run is made of: its method, the names it trains, and a few numbers a step.

    seed: of all noise. losses[t]: the values the closure returned in step t, in order; every
    projected gradient is a function of them, (losses[t][0] - losses[t][1]) / (2 eps) for MeZO.
    rates: (step, learning rates, weight decays) of all groups, where they changed. eps: (step,
    perturbation scale), where it changed. members: (step, names in every group), where they did;
    tensors: type and shape of each name. waiting: steps whose update the next one wrote, see
    `StepSize`. method: perturbation, direction and update with their numbers, "" if it is not
    known. fingerprint: the checksum of the noise that made the run, "" before its first step.
    """

    def __init__(self, seed: int, method: str = "") -> None:
        self.seed = seed
        self.method = method
        self.losses: list[list[float]] = []
        self.rates: list[tuple[int, list[float], list[float]]] = []
        self.eps: list[tuple[int, float]] = []
        self.members: list[tuple[int, list[list[str]]]] = []
        self.tensors: dict[str, str] = {}
        self.fingerprint = ""
        self.waiting: list[int] = []

    def __len__(self) -> int:
        return len(self.losses)

    def record(
        self,
        losses: list[float],
        groups: Sequence[dict[str, Any]],
        slots: Sequence[Slot] | None = None,
        eps: float | None = None,
        waits: bool = False,
    ) -> None:
        """Append a step, which moved these slots; with none of them all were frozen."""
        step = len(self.losses)
        self.waiting += [step] * waits
        rates = [float(group["lr"]) for group in groups]
        decays = [float(group["weight_decay"]) for group in groups]
        if not self.rates or self.rates[-1][1:] != (rates, decays):
            self.rates.append((step, rates, decays))
        if eps is not None and (not self.eps or self.eps[-1][1] != eps):
            self.eps.append((step, eps))
        members: dict[int, list[str]] = {id(group): [] for group in groups}
        for slot in slots or ():
            members[id(slot.group)].append(slot.name)
        changed = not self.members or self.members[-1][1] != list(members.values())
        if slots is not None and changed:
            self.members.append((step, list(members.values())))
            self.tensors |= {slot.name: describe(slot.param) for slot in slots}
            for device in {slot.device for slot in slots}:
                self.fingerprint = fingerprint(device)
        self.losses.append(losses)

    def repeat(self, other: Log, step: int) -> None:
        """Append step `step` of another log."""
        for own, theirs in (
            (self.rates, other.rates),
            (self.eps, other.eps),
            (self.members, other.members),
        ):
            _, *values = _latest(theirs, step)
            if not own or list(own[-1][1:]) != values:
                own.append((step, *values))
        self.tensors |= other.tensors
        self.fingerprint = other.fingerprint
        self.waiting += [step] * (step in other.waiting)
        self.losses.append(other.losses[step])

    def rates_at(self, step: int) -> Rates:
        """Return the learning rate and the weight decay of every name that step `step` moves."""
        _, names = _latest(self.members, step)
        _, rates, decays = _latest(self.rates, step)
        return {
            name: (rate, decay)
            for group, rate, decay in zip(names, rates, decays, strict=True)
            for name in group
        }

    def eps_at(self, step: int) -> float:
        """Return the perturbation scale of step `step`."""
        return _latest(self.eps, step)[1]

    def state_dict(self) -> dict[str, Any]:
        """Return the log as numbers, lists and strings: JSON can hold it.

        Losses and rates are packed, in 32 bits if they are 32-bit numbers.
        """
        return {
            "noise": NOISE,
            "fingerprint": self.fingerprint,
            "seed": self.seed,
            "method": self.method,
            "counts": _pack_runs([len(losses) for losses in self.losses]),
            "losses": _pack([loss for losses in self.losses for loss in losses]),
            "changes": [[step, len(lrs)] for step, lrs, _ in self.rates],
            "lr": _pack([lr for _, lrs, _ in self.rates for lr in lrs]),
            "weight_decay": _pack([decay for *_, decays in self.rates for decay in decays]),
            "eps": self.eps,
            "members": self.members,
            "tensors": self.tensors,
            "waiting": self.waiting,
        }

    @classmethod
    def from_state_dict(cls, state: dict[str, Any]) -> Log:
        """Return the log that `state_dict` described; ValueError for one of another noise."""
        check_noise("the log", state.get("noise"))
        log = cls(state["seed"], state["method"])
        log.fingerprint = state["fingerprint"]
        losses = iter(_unpack(state["losses"]))
        log.losses = [[next(losses) for _ in range(n)] for n in _unpack_runs(state["counts"])]
        lrs, decays = iter(_unpack(state["lr"])), iter(_unpack(state["weight_decay"]))
        for step, count in state["changes"]:
            columns = [[next(values) for _ in range(count)] for values in (lrs, decays)]
            log.rates.append((step, *columns))
        log.eps = [(step, eps) for step, eps in state["eps"]]
        log.members = [(step, names) for step, names in state["members"]]
        log.tensors = dict(state["tensors"])
        log.waiting = list(state.get("waiting", ()))
        return log

    def save(self, path: str | Path) -> None:
        """Write the log to a file, as JSON."""
        Path(path).write_text(json.dumps(self.state_dict()))

    @classmethod
    def load(cls, path: str | Path) -> Log:
        """Read a log from a file; ValueError if it is none."""
        try:
            state = json.loads(Path(path).read_text(encoding="utf-8"))
        except (UnicodeDecodeError, json.JSONDecodeError):
            raise ValueError(f"{path} is not the log of a run") from None
        return cls.from_state_dict(state)


def describe(tensor: Tensor) -> str:
    """Return what a run depends on of a tensor, besides its name and values: "float32 3x4"."""
    kind, shape = str(tensor.dtype).removeprefix("torch."), "x".join(map(str, tensor.shape))
    return f"{kind} {shape or 'scalar'}"


def check_noise(what: str, noise: object) -> None:
    """Raise ValueError unless a log or state is of the noise that this version draws."""
    if noise != NOISE:
        raise ValueError(
            f"{what} is of noise {noise!r}, this version draws noise {NOISE}: replay it, or go on "
            "from it, with the version that made it"
        )


def difference(what: str, theirs: Any, ours: Any) -> str:
    """Return the line that refuses a log or state which is not of the same run."""
    return f"{what} differs: {theirs} there, {ours} in this optimiser"


def _latest(entries: Sequence[tuple], step: int) -> tuple:
    """Return the last entry that is not after `step`."""
    return entries[bisect_right(entries, step, key=lambda entry: entry[0]) - 1]


def _pack(values: Sequence[float]) -> str:
    narrow = struct.unpack(f"<{len(values)}f", _narrow(values)) if _fits(values) else ()
    exact = len(narrow) == len(values) and all(a == b for a, b in zip(narrow, values, strict=True))
    data = _narrow(values) if exact else struct.pack(f"<{len(values)}d", *values)
    return ("f" if exact else "d") + base64.b64encode(data).decode()


def _fits(values: Sequence[float]) -> bool:
    return all(abs(value) < 3e38 for value in values)


def _narrow(values: Sequence[float]) -> bytes:
    return struct.pack(f"<{len(values)}f", *values)


def _unpack(text: str) -> list[float]:
    data = base64.b64decode(text[1:])
    return list(struct.unpack(f"<{len(data) // (4 if text[0] == 'f' else 8)}{text[0]}", data))


def _pack_runs(values: Sequence[int]) -> list[list[int]]:
    """Return [[value, how often in a row], ...]."""
    runs: list[list[int]] = []
    for value in values:
        if runs and runs[-1][0] == value:
            runs[-1][1] += 1
        else:
            runs.append([value, 1])
    return runs


def _unpack_runs(runs: Sequence[Sequence[int]]) -> list[int]:
    return [value for value, count in runs for _ in range(count)]
