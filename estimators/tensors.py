"""The tensors of an optimiser: their names, and where they are from step to step."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy
from torch.optim import Optimizer

from estimators.admission import check_group, check_slot, fixed_rows
from estimators.aliases import address, aliases
from estimators.homes import Homes, plain_modules
from estimators.log import Rates
from estimators.names import layers_of, plain_name
from estimators.perturbations.base import Perturbation
from estimators.slots import Slot

Entry = tuple[str, Tensor, dict[str, Any]]  # a parameter's name, itself, its group

_GONE = (
    "{} is no longer a parameter of the model; if that was moved, tied or rebuilt, make the "
    "optimiser after it"
)


@dataclass(frozen=True)
class Place:
    """A trainable tensor and what does not change from step to step."""

    name: str
    param: Tensor
    group: dict[str, Any]
    layer: str | None
    fixed: tuple[int, ...]
    renormed: bool
    home: list[tuple[nn.Module, str]]
    dtype: torch.dtype
    shape: torch.Size

    def slot(self, state: dict[str, Any]) -> Slot:
        """Return the slot of one step."""
        parts = self.name, self.param, self.group, state, self.layer, self.fixed, self.renormed
        return Slot(*parts)


class Tensors(Optimizer):
    """An optimiser of PyTorch that knows its parameters by name, and their slots.

    What a subclass sets before this constructor runs: the perturbation, which has to accept the
    tensors; model, the module whose tree says where they are; layers, the names of its blocks;
    counting, whether tensors may be on the meta device. Names are taken from `_names_from`.
    """

    perturbation: Perturbation
    model: nn.Module | None
    layers: list[str] | None
    counting: bool
    _names_from: nn.Module | None

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add parameters, at any time; they are checked as at construction.

        Raises ValueError, and adds nothing, for whatever the constructor refuses.
        """
        if isinstance(param_group, dict):
            check_group(param_group)
            param_group = {**param_group, "params": self._named(param_group["params"])}
            param_group.pop("param_names", None)
        super().add_param_group(param_group)
        try:
            slots = self.slots()
            if self._built:
                self.perturbation.check(slots)
        except BaseException:
            self.param_groups.pop()
            kept = set(map(id, self._all()))
            for param in [param for param in self.state if id(param) not in kept]:
                del self.state[param]
            raise

    def named_parameters(self) -> dict[str, Tensor]:
        """Return all parameters of all groups, frozen ones too, by the names that key the noise."""
        pairs = ((zip(g["param_names"], g["params"], strict=True)) for g in self.param_groups)
        return dict(chain.from_iterable(pairs))

    def slots(self) -> list[Slot]:
        """Return the trainable, non-empty tensors of all groups, one for each memory.

        Raises ValueError for tensors that noise cannot be written to; RuntimeError for one that
        is no longer a parameter of the model.
        """
        return [place.slot(self.state[place.param]) for place in self._trained()]

    def logged_slots(self, rates: Rates) -> list[Slot]:
        """Return the slots of a logged step, with its rates."""
        slots = []
        for place in self._trained(rates):
            rate, decay = rates[place.name]
            place = replace(place, group={"lr": rate, "weight_decay": decay})
            slots.append(place.slot(self.state[place.param]))
        return slots

    def _forget(self) -> None:
        """Begin with nothing known of the tensors."""
        self._signature: tuple | None = None
        self._known: list[Place] = []
        self._tree: list[tuple[nn.Module, str, nn.Module]] = []
        self._built = False

    def _all(self) -> Iterator[Tensor]:
        return chain.from_iterable(group["params"] for group in self.param_groups)

    def _named(self, params: Any) -> Any:
        """Return (name, parameter) pairs: names given, those of the model, or the position."""
        if isinstance(params, Tensor):
            params = [params]
        if isinstance(params, set):
            return params  # PyTorch refuses it
        model = self._names_from.named_parameters() if self._names_from is not None else ()
        known = {id(param): name for name, param in model}
        taken = set(self.named_parameters()) if self.param_groups else set()
        first, named = len(taken), []
        for index, param in enumerate(params):
            given = isinstance(param, tuple)
            name, param = param if given else (known.get(id(param)), param)
            name = f"parameter.{first + index}" if name is None else str(name)
            plain = plain_name(name)
            # A model may have a part that is called like a wrapper.
            name = name if plain in taken and name != plain else plain
            if name in taken:
                raise ValueError(f"parameters must have distinct names, {name} is there twice")
            taken.add(name)
            named.append((name, param))
        return named

    def _trained(self, logged: Collection[str] | None = None) -> list[Place]:
        """Return where the trainable tensors are, or those of some names.

        They are looked for anew if any of them, or the model's modules, have changed.
        """
        everything = [
            (name, param, group)
            for group in self.param_groups
            for name, param in zip(group["param_names"], group["params"], strict=True)
        ]
        if logged is None:
            chosen = [entry for entry in everything if entry[1].requires_grad]
        else:
            chosen = [entry for entry in everything if entry[0] in logged]
        signature = tuple(
            (id(p), p.dtype, () if is_lazy(p) else p.shape, address(p), id(group))
            for _, p, group in chosen
        )
        if signature != self._signature or any(
            p._modules.get(n) is not c for p, n, c in self._tree
        ):
            before, self._known = self._known, self._places(chosen)
            self._signature = signature
            if self.model is not None:
                kept = {id(param) for param in self.model.parameters()}
                for place in before:
                    if place.home and id(place.param) not in kept:
                        self._known, self._signature = before, None
                        raise RuntimeError(_GONE.format(place.name))
        for place in self._known:
            if any(module._parameters.get(name) is not place.param for module, name in place.home):
                raise RuntimeError(_GONE.format(place.name))
        return self._known

    def _places(self, chosen: list[Entry]) -> list[Place]:
        self._follow()
        for name, param, group in chosen:
            check_slot(Slot(name, param, group, {}), counting=self.counting)
        chosen = [e for e in chosen if e[1].numel()]
        hidden = aliases([(name, param) for name, param, _ in chosen])
        chosen = [e for position, e in enumerate(chosen) if position not in hidden]
        in_model: dict[int, str] = {}
        self._tree = []
        if self.model is not None:
            self._tree = [
                (module, name, child)
                for module in plain_modules(self.model)
                for name, child in module._modules.items()
                if child is not None
            ]
            in_model = {id(p): plain_name(n) for n, p in self.model.named_parameters()}
        homes = Homes(self.model)
        names = [in_model.get(id(param), name) for name, param, _ in chosen]
        layers = layers_of(names, self.model, self.layers)
        places = []
        for called, (name, param, group) in zip(names, chosen, strict=True):
            found = homes.of(param)
            modules = [home.module for home in found]
            own = [(home.module, home.name) for home in found if home.param is param]
            renormed = any(getattr(m, "max_norm", None) is not None for m in modules)
            fixed = fixed_rows(modules)
            where = layers[called], fixed, renormed, own[:1]
            place = Place(name, param, group, *where, param.dtype, param.shape)
            self.perturbation.validate(place.slot({}))
            places.append(place)
        return places

    def _follow(self) -> None:
        """Move state to where its tensor has been moved; refuse another type or shape of it."""
        for place in self._known:
            state = self.state[place.param]
            tensors = {key: value for key, value in state.items() if isinstance(value, Tensor)}
            if tensors and place.param.dtype != place.dtype:
                raise RuntimeError(
                    f"{place.name} was {place.dtype} when its state was made and is "
                    f"{place.param.dtype} now; convert the model first, then make the optimiser"
                )
            if tensors and place.param.shape != place.shape:
                raise RuntimeError(
                    f"{place.name} was {tuple(place.shape)} when its state was made and is "
                    f"{tuple(place.param.shape)} now (resize_token_embeddings?); resize the model "
                    "first, then make the optimiser"
                )
            for key, value in tensors.items():
                if value.device != place.param.device:
                    state[key] = value.to(place.param.device)
