"""What a run needs to go on, or to be taken back: state, groups, seed, step and log."""

from __future__ import annotations

import itertools
import json
from abc import abstractmethod
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from estimators.guard import Guard
from estimators.log import Log, check_noise, describe, difference
from estimators.step_size import StepSize
from estimators.streams import NOISE
from estimators.tensors import Tensors

_OWN = "zeroth_order"  # our entry in the first group of a state_dict


class Checkpointed(Tensors):
    """An optimiser whose run is (seed, steps, eps, log) and the state of its tensors.

    method: perturbation, direction and update with their numbers. `kept` names the attributes that
    copies and pickles take along, besides groups and state.
    """

    seed: int
    steps: int
    eps: float
    method: str
    log: Log
    step_size: StepSize | None
    kept: tuple[str, ...]

    @abstractmethod
    def twin(self, groups: list[dict[str, Any]], layers: list[str] | None) -> Checkpointed:
        """Return an optimiser of the same method over other tensors, on the meta device."""

    def state_dict(self) -> dict[str, Any]:
        """Return everything that a run needs to go on: state, groups, seed, step and log.

        What is ours is a string in the first group, where torch.distributed.checkpoint keeps it.
        That reads into what a new optimiser's `state_dict` has, which therefore has a place for
        all that the first step makes.
        """
        found = super().state_dict()
        if not self.steps and not any(self.state.values()):
            found["state"] = self._first_state()
        entries = {
            name: sorted(self.state[param])
            for name, param in self.named_parameters().items()
            if self.state.get(param)
        }
        own = {
            "seed": self.seed,
            "steps": self.steps,
            "eps": self.eps,
            "method": self.method,
            "noise": NOISE,
            "state": entries,
            "log": self.log.state_dict(),
            "step_size": None if self.step_size is None else self.step_size.state_dict(),
        }
        found["param_groups"][0][_OWN] = json.dumps(own)
        return found

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore what `state_dict` returned; state keeps its type, whatever the weights' is.

        Raises ValueError, and changes nothing, for the state of another optimiser, method, noise,
        eps (but for one that was changed during the run) or of other parameters, by their names or
        the shapes that their state is of.
        """
        with torch.inference_mode(False), torch.no_grad():  # what is made there cannot be written
            self._load(state_dict)

    def __getstate__(self) -> dict[str, Any]:
        return super().__getstate__() | {name: self.__dict__[name] for name in self.kept}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if "_guard" not in self.__dict__:  # a copy has other tensors
            self._forget()
            self._built = True
            self._guard.measured = self._logged()

    def _forget(self) -> None:
        super()._forget()
        self._guard = Guard()

    def _snapshot(self) -> Callable[[], None]:
        """Return what puts state and buffers back as they are now."""
        before = {param: dict(self.state[param]) for param in self.state}
        measured = set(self._guard.measured)
        buffers = self._guard.keep_buffers(self.model)

        def put_back() -> None:
            self.state.clear()
            self.state.update(before)
            self._guard.measured = measured
            buffers.put_back()

        return put_back

    def _load(self, state_dict: dict[str, Any]) -> None:
        groups = state_dict.get("param_groups") or [{}]
        if _OWN not in groups[0]:
            raise ValueError("not the state of a zeroth-order optimiser")
        own = json.loads(groups[0][_OWN])
        check_noise("the state", own["noise"])
        keys = [key for group in groups for key in group["params"]]
        log = Log.from_state_dict(own["log"])
        self._check_same(own, log, groups)
        groups = [{k: v for k, v in group.items() if k != _OWN} for group in groups]
        state = {key: state_dict["state"].get(key, {}) if own["state"] else {} for key in keys}
        self._check_complete(own["state"], state, keys)
        self._check_shapes(log, state, keys)
        super().load_state_dict({**state_dict, "state": state, "param_groups": groups})
        for key, param in zip(keys, self._all(), strict=True):
            for name, value in state[key].items():
                if isinstance(value, Tensor):
                    value = value.detach().to(param.device, copy=True)
                self.state[param][name] = value
        self.seed, self.steps, self.eps, self.log = own["seed"], own["steps"], own["eps"], log
        if self.step_size is not None:
            self.step_size.load_state_dict(own["step_size"])
        self._guard.measured |= self._logged()

    def _first_state(self) -> dict[int, dict[str, Any]]:
        """Return empty state of the kinds and shapes that a first step makes, {} where unknown.

        A step of the same method on the meta device makes it.
        """
        slots = self.slots()
        metas = {slot.name: torch.empty_like(slot.param, device="meta") for slot in slots}
        groups = [{"params": [(name, meta.requires_grad_())]} for name, meta in metas.items()]
        twin = self.twin(groups, sorted({slot.layer for slot in slots if slot.layer}) or None)
        for slot, entries in zip(slots, self.perturbation.kept(slots), strict=True):
            twin.state[metas[slot.name]].update(entries)
        losses = itertools.count()
        try:
            twin.step(lambda: float(next(losses)))
        except Exception:  # parts of one's own may need numbers
            return {}
        positions = {id(param): index for index, param in enumerate(self._all())}
        return {
            positions[id(slot.param)]: {
                key: torch.zeros_like(value, device=slot.device)
                if isinstance(value, Tensor)
                else value
                for key, value in twin.state[metas[slot.name]].items()
            }
            for slot in slots
        }

    def _logged(self) -> set[int]:
        """Return the ids of the parameters that the log has."""
        ours = self.named_parameters()
        return {id(ours[name]) for name in self.log.tensors if name in ours}

    def _check_same(self, own: dict[str, Any], log: Log, groups: list[dict[str, Any]]) -> None:
        if own["method"] != self.method:
            raise ValueError(difference("the method", own["method"], self.method))
        if self.eps not in {own["eps"], *(eps for _, eps in log.eps[:1])}:
            raise ValueError(difference("eps", own["eps"], self.eps))
        for group, own_group in zip(groups, self.param_groups, strict=False):
            names = group.get("param_names", ())
            for old, new in zip(names, own_group["param_names"], strict=False):
                if old != new:
                    raise ValueError(difference("a parameter's name", old, new))

    def _check_shapes(self, log: Log, state: dict[Any, dict], keys: list[Any]) -> None:
        """Raise ValueError for state of a tensor of another shape."""
        for (name, param), key in zip(self.named_parameters().items(), keys, strict=False):
            if any(isinstance(value, Tensor) for value in state[key].values()):
                theirs, ours = log.tensors.get(name), describe(param)
                if theirs is not None and theirs.split()[1] != ours.split()[1]:
                    raise ValueError(difference(name, theirs, ours))

    def _check_complete(
        self, entries: dict[str, list[str]], state: dict[Any, dict], keys: list[Any]
    ) -> None:
        """Raise ValueError if a checkpoint has lost state on its way."""
        found = dict(zip(self.named_parameters(), keys, strict=False))
        for name, kinds in entries.items():
            for key in kinds:
                if key not in state.get(found.get(name), {}):
                    raise ValueError(
                        f"the checkpoint has lost {key} of {name}: the optimiser that it was read "
                        "into had no place for it; read it with torch.load, or step once before"
                    )
