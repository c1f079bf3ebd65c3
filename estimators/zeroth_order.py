"""The optimiser: one perturbation, one direction, one update."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from estimators.directions.base import Direction, Estimate
from estimators.evaluation import Evaluation, Exchange, in_order
from estimators.forward import Forward
from estimators.inplace import Applier, InPlace
from estimators.log import Log
from estimators.perturbations.base import Perturbation
from estimators.slots import Slot
from estimators.updates.base import Job, Update

Closure = Callable[[], Any]
_OWN = "zeroth_order"


class ZerothOrder(Optimizer):
    """A zeroth-order optimiser assembled from three parts.

    perturbation: which Z for a tensor. direction: which points theta + sum_j w_j Z_j are
    evaluated, and how their losses make an estimate sum_j g_j Z_j. update: what is done with it.

    Args:
        params: a module (its trainable parameters), or parameters, named parameters or parameter
            groups as for every optimiser of PyTorch. Names key the noise: unnamed parameters are
            named by their position, so that their order matters. Frozen ones are left alone.
        lr, weight_decay: defaults of the groups; decay is decoupled, w <- (1 - lr decay) w.
        eps: the perturbation scale (rho in TeZO, mu in LeZO).
        seed: of all noise; with the step, the query and the parameter's name it fixes every draw.
        apply: "inplace" writes noise into the weights and works for any closure; "forward" adds
            it inside the forward passes of the module, whose weights are never written.
        restore: for "inplace", "regenerate" takes the noise back off (no memory; float32
            weights come back up to rounding) or "copy" (a copy of the weights while a step runs;
            bit for bit). Default: "copy" for 16-bit tensors, "regenerate" for others.
        model: the module for apply="forward", if `params` is not it.

    16-bit weights are updated in 32 bits and rounded stochastically: small steps count on average.

    Raises ValueError for bad numbers, tensors that are not floating point or too small for a
    rank, no trainable parameter, duplicate names, or apply="forward" without a module.
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
        seed: int = 0,
        apply: str = "inplace",
        restore: str | None = None,
        model: nn.Module | None = None,
    ) -> None:
        for name, value in (("lr", lr), ("weight_decay", weight_decay)):
            if not (math.isfinite(value) and value >= 0.0):
                raise ValueError(f"{name} must be finite and non-negative, got {value}")
        if not (math.isfinite(eps) and eps > 0.0):
            raise ValueError(f"eps must be finite and positive, got {eps}")
        if apply not in ("inplace", "forward"):
            raise ValueError(f'apply must be "inplace" or "forward", got {apply!r}')
        if restore not in (None, "regenerate", "copy"):
            raise ValueError(f'restore must be "regenerate" or "copy", got {restore!r}')
        if isinstance(params, nn.Module):
            model = params
            params = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
            if not params:
                raise ValueError("the module has no trainable parameter")
        if apply == "forward" and model is None:
            raise ValueError('apply="forward" needs a module: pass it as params or as model')
        self.perturbation = perturbation
        self.direction = direction
        self.update = update
        self.eps = eps
        self.seed = seed
        self.steps = 0
        self.log = Log(seed)
        self.restore = restore
        self.exchange: Exchange = in_order
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay})
        self._names = {id(p): n for n, p in model.named_parameters()} if model is not None else {}
        self.applier: Applier = Forward(model) if apply == "forward" else InPlace(self._keeps_copy)
        self._check(self.slots())

    def slots(self) -> list[Slot]:
        """Return the trainable, non-empty tensors of all groups."""
        slots, position = [], 0
        for group in self.param_groups:
            names = group.get("param_names", [None] * len(group["params"]))
            for param, name in zip(group["params"], names, strict=True):
                name = name or self._names.get(id(param), f"parameter.{position}")
                position += 1
                if param.requires_grad and param.numel():
                    slots.append(Slot(name, param, group, self.state[param]))
        return slots

    def step(self, closure: Closure | None = None) -> float:
        """Make one step; return an estimate of the loss before it.

        `closure()` returns the loss of the current minibatch at the current weights, as a number
        or a tensor of one element. It is called several times, without gradients; it must be
        deterministic within a step (no dropout).

        If it raises, or returns something that is not a finite scalar (ValueError), the weights
        and all state are as before the step.
        """
        if closure is None:
            raise ValueError("step needs a closure that returns the loss")
        return self.advance(closure)

    @torch.no_grad()
    def advance(
        self, closure: Closure | None = None, recorded: Sequence[float] | None = None
    ) -> float:
        """Make one step with a closure, or with the losses that a log recorded for it."""
        exchange = self.exchange if recorded is None else in_order
        evaluation = Evaluation(
            closure, self.slots(), self.applier, exchange, self.seed, self.steps, recorded
        )
        estimate = self._estimate(evaluation)
        restore = self.applier.finish()
        self.update.write(self._jobs(evaluation, estimate, restore))
        self.log.record(evaluation.losses, self.param_groups)
        self.steps += 1
        return estimate.loss

    @torch.no_grad()
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
        evaluation = Evaluation(closure, self.slots(), applier, self.exchange, seed, step)
        before = {param: dict(self.state[param]) for param in self.state}
        try:
            estimate = self._estimate(evaluation)
            applier.restore()
            return {s.name: _dense(evaluation, s, estimate) for s in evaluation.slots}
        finally:
            self._reset_state(before)

    def state_dict(self) -> dict[str, Any]:
        """Return everything that a run needs to go on: state, groups, seed, step and log."""
        own = {"seed": self.seed, "steps": self.steps, "log": self.log.state_dict()}
        return {**super().state_dict(), _OWN: own}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore what `state_dict` returned; state keeps its type, whatever the weights' is."""
        if _OWN not in state_dict:
            raise ValueError("not the state of a zeroth-order optimiser")
        own = state_dict[_OWN]
        super().load_state_dict({k: v for k, v in state_dict.items() if k != _OWN})
        saved = chain.from_iterable(group["params"] for group in state_dict["param_groups"])
        current = chain.from_iterable(group["params"] for group in self.param_groups)
        for key, param in zip(saved, current, strict=True):
            for name, value in state_dict["state"].get(key, {}).items():
                if isinstance(value, Tensor):
                    value = value.detach().to(param.device, copy=True)
                self.state[param][name] = value
        self.seed, self.steps = own["seed"], own["steps"]
        self.log = Log.from_state_dict(own["log"])

    def _estimate(self, evaluation: Evaluation) -> Estimate:
        before = {param: dict(self.state[param]) for param in self.state}
        probe = evaluation.probe(self.perturbation, self.eps)
        try:
            self.perturbation.prepare(evaluation.slots, probe, self.update.rebase)
            return self.direction.run(probe)
        except BaseException:
            evaluation.applier.restore()
            self._reset_state(before)
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
                )
            )
        return jobs

    def _keeps_copy(self, slot: Slot) -> bool:
        if self.restore is None:
            return slot.param.element_size() < 4
        return self.restore == "copy"

    def _reset_state(self, before: dict[Tensor, dict[str, Any]]) -> None:
        self.state.clear()
        self.state.update(before)

    def _check(self, slots: Sequence[Slot]) -> None:
        if not slots:
            raise ValueError("no parameter is trainable")
        names = [slot.name for slot in slots]
        if len(set(names)) < len(names):
            raise ValueError("parameters must have distinct names")
        for slot in slots:
            if not slot.param.is_floating_point():
                raise ValueError(f"{slot.name} has type {slot.dtype}, which is not floating point")
            if not slot.param.is_contiguous() and slot.param.ndim != 2:
                raise ValueError(f"{slot.name} is not contiguous")
            self.perturbation.validate(slot)


def _dense(evaluation: Evaluation, slot: Slot, estimate: Estimate) -> Tensor:
    total = torch.zeros(slot.m, slot.n, dtype=slot.compute_dtype, device=slot.device)
    for noise, weight in evaluation.terms(slot, estimate.terms).items():
        total.add_(noise.dense(), alpha=weight)
    return total.view(slot.param.shape)
