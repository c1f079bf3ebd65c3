"""The optimiser: one perturbation, one direction, one update."""

from __future__ import annotations

import copy
import itertools
import json
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from estimators.admission import (
    check_eps,
    check_group,
    check_module,
    check_rate,
    check_slot,
    fixed_rows,
)
from estimators.aliases import Layout, address, aliases, layout
from estimators.directions.base import Direction, Estimate
from estimators.evaluation import Evaluation, Exchange, in_order
from estimators.forward import Forward
from estimators.frameworks import accumulation
from estimators.guard import Guard, check_closure
from estimators.inplace import Applier, InPlace
from estimators.interrupts import Shield
from estimators.log import Log, Rates, difference
from estimators.names import layers_of, module_of, plain_modules, plain_name
from estimators.parts import described
from estimators.perturbations.base import Perturbation
from estimators.slots import Slot
from estimators.streams import NOISE
from estimators.surroundings import Surroundings
from estimators.updates.base import Job, Update

Closure = Callable[[], Any]
_OWN = "zeroth_order"  # our entry in the first group of a state_dict


class ZerothOrder(Optimizer):
    """A zeroth-order optimiser assembled from three parts.

    perturbation: which Z for a tensor. direction: which points theta + sum_j w_j Z_j are
    evaluated, and how their losses make an estimate sum_j g_j Z_j. update: what is done with it.

    Args:
        params: a module (its trainable parameters), or parameters, named parameters or
            parameter groups as for every optimiser of PyTorch. Names key the noise, without the
            prefixes of wrappers (`module.`, `_orig_mod.`, `_fsdp_wrapped_module.`): unnamed
            parameters have those of `model`, or are named by their position, so that their order
            matters. Frozen ones are left alone for as long as they are frozen.
        lr, weight_decay: defaults of the groups; decay is decoupled, w <- (1 - lr decay) w.
        eps: the perturbation scale (rho in TeZO, mu in LeZO).
        seed: of all noise; with the step, the query and the parameter's name it fixes every draw.
            None draws one from PyTorch's generator, so that `torch.manual_seed(s)` governs it:
            the first optimiser made after it, before any other number is drawn, has seed s.
        apply: "inplace" writes noise into the weights and works for any closure; "forward" adds
            it inside the forward passes of the module, whose weights are never written.
        restore: for "inplace", "regenerate" takes the noise back off (no memory; float32
            weights come back up to rounding) or "copy" (a copy of the weights while a step runs;
            bit for bit). Default: "copy" for 16-bit tensors, weights that lose noise to rounding
            and weights with a `max_norm`; "regenerate" for others.
        model: the module that the parameters are of, if `params` is not it; where `params` is
            `model.parameters()` it is known, but parameters are not named after it.
        layers: the names of the model's repeated blocks, for methods that work layer by layer;
            by default they are found in the module, see `names.repeated_modules`.
        counting: allows tensors on the meta device, to count what steps would hold and draw.

    What the losses saw is what is written. 16-bit weights are rounded stochastically where noise
    is evaluated, and updated in 32 bits along the rounded noise, so that small noise and small
    steps count on average. (Moments in the coordinates of low-rank noise average what was drawn,
    which is what rounding evaluates on average.) Tensors that share memory, however they came to,
    have one noise, that of the first or larger one. Rows of `padding_idx` stay as they are.

    Interrupts (KeyboardInterrupt, handlers that raise) arrive between weights, not within: weights
    and state are those before the step, or those after it. So they are after any error, but for
    one that comes twice at the same place while an update is stored, which says so.

    Raises ValueError for bad numbers, unknown options of groups, tensors that noise cannot be
    written to (not floating point, 8 bits, on the meta device, sharded, too small for a rank), no
    trainable parameter, duplicate names, or apply="forward" without a module.
    """

    def __init__(
        self,
        params: nn.Module | Iterable,
        *,
        perturbation: Perturbation,
        direction: Direction,
        update: Update,
        lr: float,
        eps: float = 1e-3,
        weight_decay: float = 0.0,
        seed: int | None = None,
        apply: str = "inplace",
        restore: str | None = None,
        model: nn.Module | None = None,
        layers: Sequence[str] | None = None,
        counting: bool = False,
    ) -> None:
        for name, value in (("lr", lr), ("weight_decay", weight_decay)):
            check_rate(name, value)
        if apply not in ("inplace", "forward"):
            raise ValueError(f'apply must be "inplace" or "forward", got {apply!r}')
        if restore not in (None, "regenerate", "copy"):
            raise ValueError(f'restore must be "regenerate" or "copy", got {restore!r}')
        if isinstance(layers, str):
            raise ValueError(f"layers must be a list of names, got the string {layers!r}")
        tree = module_of(params) if model is None else model
        if isinstance(params, nn.Module):
            tree = model = params
            params = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
            if not params:
                raise ValueError("the module has no trainable parameter")
        if apply == "forward" and model is None:
            raise ValueError('apply="forward" needs a module: pass it as params or as model')
        if tree is not None:
            check_module(tree)
        self.perturbation = perturbation
        self.direction = direction
        self.update = update
        self.eps = check_eps(eps)
        self.seed = _drawn_seed() if seed is None else int(seed)
        self.steps = 0
        self.method = " | ".join(map(described, (perturbation, direction, update)))
        self.log = Log(self.seed, self.method)
        self.restore = restore
        self.exchange: Exchange = in_order
        self.model = tree
        self._names_from = model
        self.layers = None if layers is None else list(layers)
        self.counting = counting
        self.applier: Applier = Forward(model) if apply == "forward" else InPlace(self._keeps_copy)
        self._forget()
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay})
        slots = self.slots()
        if not slots:
            raise ValueError("no parameter is trainable")
        for layer in self.layers or ():
            if all(slot.layer != layer for slot in slots):
                raise ValueError(f"layers: no trainable parameter belongs to {layer!r}")
        perturbation.check(slots)
        self._built = True

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

    def step(self, closure: Closure | None = None) -> float:
        """Make one step; return an estimate of the loss before it.

        `closure()` returns the loss of the current minibatch at the current weights, as a number
        or a tensor of one element. It is called several times, without gradients; it must be
        deterministic within a step (no dropout).

        If it raises, or returns something that is not a finite scalar (ValueError), the weights,
        buffers of the module and all state are as before the step. ValueError, too, if accelerate
        or Lightning accumulates batches, of which a step would see the last alone.

        Warns, once each, if losses do not see the noise (equal bit for bit in many steps, computed
        in 16 bits, noise lost to rounding), if they are random or write buffers, and of parameters
        that they do not use.
        """
        if closure is None:
            raise ValueError("step needs a closure that returns the loss")
        if not callable(closure):
            raise TypeError(f"the closure must be callable, got {type(closure).__name__}")
        dropped = accumulation(closure)
        if dropped:
            raise ValueError(dropped)
        return self.advance(closure)

    def advance(
        self,
        closure: Closure | None = None,
        recorded: tuple[Sequence[float], Rates] | None = None,
    ) -> float:
        """Make one step with a closure, or with the losses and rates that a log recorded for it."""
        with self._step(closure, self.applier, self.seed, self.steps, recorded) as evaluation:
            put_back = self._snapshot()
            estimate = self._estimate(evaluation, put_back)
            jobs = self._jobs(evaluation, estimate, self.applier.finish())
            try:
                self.update.allocate(jobs)
            except BaseException:
                self.applier.restore()
                put_back()
                raise
            self.applier.forget()
            self._store(jobs)
            for slot in evaluation.slots:
                slot.settle()
            self.steps += 1
            if recorded is None:
                self.log.record(evaluation.losses, self.param_groups, evaluation.slots, self.eps)
                self._guard.losses(evaluation.losses, self.eps)
        return estimate.loss

    def estimate(
        self, closure: Closure, *, step: int | None = None, seed: int | None = None
    ) -> dict[str, Tensor]:
        """Return the gradient estimate {name: tensor} that a step would use; change nothing.

        step, seed: of the noise, by default those of the coming step. Tensors have the shapes of
        the parameters, in at least 32 bits; tensors that a draw leaves out are zero.
        """
        step = self.steps if step is None else step
        seed = self.seed if seed is None else seed
        # Copies bring the weights back bit for bit, whatever the steps do.
        applier = InPlace(lambda slot: True) if self.applier.moves_weights else self.applier
        with self._step(closure, applier, seed, step) as evaluation:
            put_back = self._snapshot()
            try:
                estimate = self._estimate(evaluation, put_back)
                applier.restore()
                return {slot.name: _dense(evaluation, slot, estimate) for slot in evaluation.slots}
            finally:
                put_back()

    def check_closure(self, closure: Closure, *, calls: int = 3) -> float:
        """Return the loss if `closure` gives the same one every time; see `check_closure`."""
        return check_closure(closure, model=self.model, calls=calls)

    def state_dict(self) -> dict[str, Any]:
        """Return everything that a run needs to go on: state, groups, seed, step and log.

        What is ours is a string in the first group, where torch.distributed.checkpoint keeps it.
        That reads into what a new optimiser's `state_dict` has, which therefore has a place for
        all that the first step makes.
        """
        found = super().state_dict()
        if not self.steps and not any(self.state.values()):
            found["state"] = self._places_for_state()
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
        }
        found["param_groups"][0][_OWN] = json.dumps(own)
        return found

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore what `state_dict` returned; state keeps its type, whatever the weights' is.

        Raises ValueError, and changes nothing, for the state of another optimiser, method, noise,
        eps (but for one that was changed during the run) or of other parameters.
        """
        with torch.inference_mode(False), torch.no_grad():  # what is made there cannot be written
            self._load(state_dict)

    def __getstate__(self) -> dict[str, Any]:
        return super().__getstate__() | {name: self.__dict__[name] for name in _KEPT}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if "_guard" not in self.__dict__:  # a copy has other tensors
            self._forget()
            self._built = True
            self._guard.measured = self._logged()

    def __repr__(self) -> str:
        slots = self.slots()
        rates = sorted({float(group["lr"]) for group in self.param_groups})
        return (
            f"{type(self).__name__}({self.method}; {sum(s.param.numel() for s in slots)} "
            f"parameters in {len(slots)} tensors, lr={', '.join(f'{rate:g}' for rate in rates)}, "
            f"eps={self.eps:g}, seed={self.seed}, step {self.steps})"
        )

    @contextmanager
    def _step(
        self,
        closure: Closure | None,
        applier: Applier,
        seed: int,
        step: int,
        recorded: tuple[Sequence[float], Rates] | None = None,
    ) -> Iterator[Evaluation]:
        """Leave the surroundings, hold interrupts back, and look at the closure if it is new."""
        self.eps = check_eps(self.eps)  # it may have been changed
        slots = self.slots() if recorded is None else self._slots_of(recorded[1])
        surroundings = Surroundings({slot.device.type for slot in slots})
        situation = hash(
            (*(id(s.param) for s in slots), getattr(closure, "__code__", type(closure)))
        )
        with Shield() as shield, surroundings.left():
            for slot in slots:
                slot.hold()
            audit = self._guard.audit(slots, self.model, applier) if recorded is None else None
            if isinstance(applier, InPlace):
                new = recorded is None and situation not in self._situations
                applier.audit = new and not self.counting
            yield Evaluation(
                closure,
                slots,
                applier,
                self.exchange if recorded is None else in_order,
                seed,
                step,
                source=self.perturbation,
                eps=self.eps,
                shield=shield,
                surroundings=surroundings,
                recorded=None if recorded is None else recorded[0],
                inspect=self._guard.loss,
                audit=audit,
            )
            self._situations.add(situation)
            if audit is not None:
                self._guard.report(audit)

    def _estimate(self, evaluation: Evaluation, put_back: Callable[[], None]) -> Estimate:
        try:
            self.perturbation.prepare(evaluation.slots, evaluation, self.update.rebase)
            if evaluation.closure is not None:
                self._guard.rounding(
                    evaluation.slots,
                    lambda slot: evaluation.noise(slot, evaluation.draw(0)),
                    self.eps,
                    evaluation.applier,
                )
            return self.direction.run(evaluation)
        except BaseException:
            evaluation.applier.restore()
            put_back()
            raise

    def _store(self, jobs: list[Job]) -> None:
        try:
            self.update.write(jobs)
        except BaseException as error:
            error.add_note("The update is stored for some tensors only: go on from a checkpoint.")
            raise

    def _jobs(self, evaluation: Evaluation, estimate: Estimate, restore: dict) -> list[Job]:
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
                    slot.stream(evaluation.seed, "round", evaluation.step),
                    evaluation.written(slot, estimate.points) if estimate.points else None,
                )
            )
        return jobs

    def _keeps_copy(self, slot: Slot) -> bool:
        if self.restore is None:
            return slot.rounds or slot.renormed
        return self.restore == "copy" or slot.renormed

    def _load(self, state_dict: dict[str, Any]) -> None:
        groups = state_dict.get("param_groups") or [{}]
        if _OWN not in groups[0]:
            raise ValueError("not the state of a zeroth-order optimiser")
        own = json.loads(groups[0][_OWN])
        keys = [key for group in groups for key in group["params"]]
        log = Log.from_state_dict(own["log"])
        self._check_same(own, log, groups)
        groups = [{k: v for k, v in group.items() if k != _OWN} for group in groups]
        state = {key: state_dict["state"].get(key, {}) if own["state"] else {} for key in keys}
        self._check_complete(own["state"], state, keys)
        super().load_state_dict({**state_dict, "state": state, "param_groups": groups})
        for key, param in zip(keys, self._all(), strict=True):
            for name, value in state[key].items():
                if isinstance(value, Tensor):
                    value = value.detach().to(param.device, copy=True)
                self.state[param][name] = value
        self.seed, self.steps, self.eps, self.log = own["seed"], own["steps"], own["eps"], log
        self._guard.measured |= self._logged()

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

    def _forget(self) -> None:
        """Begin with nothing known of the tensors."""
        self._guard = Guard()
        self._signature: tuple | None = None
        self._known: list[_Place] = []
        self._tree: list[tuple[nn.Module, str, nn.Module]] = []
        self._situations: set[int] = set()
        self._built = False

    def _all(self) -> Iterator[Tensor]:
        return chain.from_iterable(group["params"] for group in self.param_groups)

    def _logged(self) -> set[int]:
        """Return the ids of the parameters that the log has."""
        ours = self.named_parameters()
        return {id(ours[name]) for name in self.log.tensors if name in ours}

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

    def _trained(self, logged: Collection[str] | None = None) -> list[_Place]:
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
        signature = tuple((id(p), p.dtype, address(p), id(group)) for _, p, group in chosen)
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

    def _places(self, chosen: list[tuple[str, Tensor, dict[str, Any]]]) -> list[_Place]:
        self._follow()
        for name, param, group in chosen:
            check_slot(Slot(name, param, group, {}), counting=self.counting)
        chosen = [e for e in chosen if e[1].numel()]
        hidden = aliases([(name, param) for name, param, _ in chosen])
        chosen = [e for position, e in enumerate(chosen) if position not in hidden]
        homes: dict[Layout, list[tuple[nn.Module, str]]] = defaultdict(list)
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
            for module in plain_modules(self.model):
                for attribute, param in module._parameters.items():
                    if param is not None:
                        homes[layout(param)].append((module, attribute))
        names = [in_model.get(id(param), name) for name, param, _ in chosen]
        layers = layers_of(names, self.model, self.layers)
        places = []
        for called, (name, param, group) in zip(names, chosen, strict=True):
            owners = homes.get(layout(param), []) if in_model else []
            modules = [module for module, _ in owners]
            own = [(m, a) for m, a in owners if m._parameters[a] is param]
            renormed = any(getattr(m, "max_norm", None) is not None for m in modules)
            fixed = fixed_rows(modules)
            place = _Place(
                name, param, group, layers[called], fixed, renormed, own[:1], param.dtype
            )
            self.perturbation.validate(place.slot({}))
            places.append(place)
        return places

    def _places_for_state(self) -> dict[int, dict[str, Any]]:
        """Return empty state of the kinds and shapes that a first step makes, {} where unknown.

        A step of the same method on the meta device makes it.
        """
        slots = self.slots()
        metas = {slot.name: torch.empty_like(slot.param, device="meta") for slot in slots}
        twin = ZerothOrder(
            [{"params": [(name, meta.requires_grad_())]} for name, meta in metas.items()],
            perturbation=copy.deepcopy(self.perturbation),
            direction=self.direction,
            update=copy.deepcopy(self.update),
            lr=1.0,
            seed=0,
            restore="copy",
            counting=True,
            layers=sorted({slot.layer for slot in slots if slot.layer}) or None,
        )
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

    def _follow(self) -> None:
        """Move state to where its tensor has been moved; refuse another type of weights."""
        for place in self._known:
            state = self.state[place.param]
            tensors = {key: value for key, value in state.items() if isinstance(value, Tensor)}
            if tensors and place.param.dtype != place.dtype:
                raise RuntimeError(
                    f"{place.name} was {place.dtype} when its state was made and is "
                    f"{place.param.dtype} now; convert the model first, then make the optimiser"
                )
            for key, value in tensors.items():
                if value.device != place.param.device:
                    state[key] = value.to(place.param.device)

    def _slots_of(self, rates: Rates) -> list[Slot]:
        """Return the slots of a logged step, with its rates."""
        slots = []
        for place in self._trained(rates):
            rate, decay = rates[place.name]
            place = replace(place, group={"lr": rate, "weight_decay": decay})
            slots.append(place.slot(self.state[place.param]))
        return slots

    def _check_same(self, own: dict[str, Any], log: Log, groups: list[dict[str, Any]]) -> None:
        for what, theirs, ours in (
            ("the noise", own["noise"], NOISE),
            ("the method", own["method"], self.method),
        ):
            if theirs != ours:
                raise ValueError(difference(what, theirs, ours))
        if self.eps not in {own["eps"], *(eps for _, eps in log.eps[:1])}:
            raise ValueError(difference("eps", own["eps"], self.eps))
        for theirs, ours in zip(groups, self.param_groups, strict=False):
            for old, new in zip(theirs.get("param_names", ()), ours["param_names"], strict=False):
                if old != new:
                    raise ValueError(difference("a parameter's name", old, new))

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


_GONE = (
    "{} is no longer a parameter of the model; if that was moved, tied or rebuilt, make the "
    "optimiser after it"
)
# What copies and pickles take along, besides groups and state.
_KEPT = ("perturbation", "direction", "update", "eps", "seed", "steps", "method", "log", "restore")
_KEPT += ("exchange", "model", "layers", "counting", "applier", "_names_from")


@dataclass(frozen=True)
class _Place:
    """A trainable tensor and what does not change from step to step."""

    name: str
    param: Tensor
    group: dict[str, Any]
    layer: str | None
    fixed: tuple[int, ...]
    renormed: bool
    home: list[tuple[nn.Module, str]]
    dtype: torch.dtype

    def slot(self, state: dict[str, Any]) -> Slot:
        """Return the slot of one step."""
        parts = self.name, self.param, self.group, state, self.layer, self.fixed, self.renormed
        return Slot(*parts)


def _dense(evaluation: Evaluation, slot: Slot, estimate: Estimate) -> Tensor:
    total = torch.zeros(slot.m, slot.n, dtype=slot.compute_dtype, device=slot.device)
    written = evaluation.written(slot, estimate.points) if estimate.points else None
    if written is not None:
        written.add_rows(total, 0, slot.m, 1.0, slot.matrix)
    else:
        for noise, weight in evaluation.terms(slot, estimate.terms).items():
            total.add_(noise.dense(), alpha=weight)
    for row in slot.fixed:
        total[row] = 0.0
    return total.view(slot.param.shape)


def _drawn_seed() -> int:
    """Draw a seed; the first number after `torch.manual_seed(s)` is s itself."""
    given = torch.initial_seed()
    fresh = torch.equal(
        torch.get_rng_state(), torch.Generator("cpu").manual_seed(given).get_state()
    )
    drawn = int(torch.empty((), dtype=torch.int64, device="cpu").random_())
    return given if fresh else drawn
