"""The optimiser: one perturbation, one direction, one update."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

from torch import Tensor, nn

from estimators.admission import check_eps, check_module, check_rate
from estimators.checkpoints import Checkpointed
from estimators.directions.base import Direction, Estimate
from estimators.evaluation import Evaluation, Exchange, in_order
from estimators.forward import Forward
from estimators.frameworks import accumulation
from estimators.guard import check_closure
from estimators.inplace import Applier, InPlace
from estimators.interrupts import Shield
from estimators.log import Log, Rates
from estimators.looks import Look, Looking
from estimators.names import module_of
from estimators.parts import described
from estimators.perturbations.base import Perturbation
from estimators.slots import Slot
from estimators.step_size import StepSize
from estimators.streams import drawn_seed
from estimators.surroundings import Surroundings
from estimators.updates.base import Job, Update, jobs_of

Closure = Callable[[], Any]


class ZerothOrder(Checkpointed):
    """A zeroth-order optimiser assembled from three parts.

    perturbation: which Z for a tensor. direction: which points theta + sum_j w_j Z_j are
    evaluated, and how their losses make an estimate sum_j g_j Z_j. update: what is done with it.

    Args:
        params: a module (its trainable parameters), or parameters, named parameters or
            parameter groups as for every optimiser of PyTorch. Names key the noise, without the
            prefixes of wrappers (`module.`, `_orig_mod.`, `_fsdp_wrapped_module.`): unnamed
            parameters have those of `model`, or are named by their position, so that their order
            matters. Frozen ones are left alone for as long as they are frozen.
        lr, weight_decay: defaults of the groups; decay is decoupled, w <- (1 - lr decay) w. With
            lr="auto", or a `StepSize`, the rate is measured, and the `lr` of groups are factors
            on it, 1 by default; `step_size` tells.
        eps: the perturbation scale (rho in TeZO, mu in LeZO).
        seed: of all noise; with the step, the query and the parameter's name it fixes every draw.
            None draws one from PyTorch's generator, so that `torch.manual_seed(s)` governs it:
            the first optimiser made after it, before any other number is drawn, has seed s.
        apply: "inplace" writes noise into the weights and works for any closure; "forward" adds
            it inside the forward passes of the module, whose weights are never written.
        restore: for "inplace", "regenerate" takes the noise back off (no memory; float32
            weights come back up to rounding) or "copy" (a copy of the weights while a step runs;
            bit for bit). Default: "copy" for 16-bit tensors and weights that lose noise to
            rounding, "regenerate" for others; always "copy" for weights with a `max_norm` and for
            noise that depends on the weights (magnitude masks that are not stored).
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

    kept: tuple[str, ...] = (
        *("perturbation", "direction", "update", "eps", "seed", "steps", "method", "log"),
        *("restore", "exchange", "model", "layers", "counting", "applier", "_names_from"),
        "step_size",
    )

    def __init__(
        self,
        params: nn.Module | Iterable,
        *,
        perturbation: Perturbation,
        direction: Direction,
        update: Update,
        lr: float | str | StepSize,
        eps: float = 1e-3,
        weight_decay: float = 0.0,
        seed: int | None = None,
        apply: str = "inplace",
        restore: str | None = None,
        model: nn.Module | None = None,
        layers: Sequence[str] | None = None,
        counting: bool = False,
    ) -> None:
        if lr == "auto":
            lr = StepSize()
        self.step_size = lr if isinstance(lr, StepSize) else None
        if self.step_size is not None:
            lr = self.step_size.begin(update)
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
        if tree is not None:
            check_module(tree)
        self.perturbation = perturbation
        self.direction = direction
        self.update = update
        self.eps = check_eps(eps)
        self.seed = drawn_seed() if seed is None else int(seed)
        self.steps = 0
        parts = (perturbation, direction, update, *([self.step_size] if self.step_size else ()))
        self.method = " | ".join(map(described, parts))
        self.log = Log(self.seed, self.method)
        self.restore = restore
        self.exchange: Exchange = in_order
        self.model = tree
        self._names_from = model
        self.layers = None if layers is None else list(layers)
        self.counting = counting
        self.applier: Applier = InPlace(self._keeps_copy)
        if apply == "forward":
            if model is None:
                raise ValueError('apply="forward" needs a module: pass it as params or as model')
            self.applier = Forward(model)
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

    # PyTorch's returns None without a closure; this one raises.
    def step(self, closure: Closure | None = None) -> float:  # type: ignore[override]
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
        rule = self.step_size
        step = self.steps if rule is None else rule.key(self.steps)
        with self._step(closure, self.applier, self.seed, step, recorded) as evaluation:
            put_back = self._snapshot()
            estimate = self._estimate(evaluation, put_back, rule)
            jobs = jobs_of(evaluation, estimate, self.applier.finish())
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
            waits = rule is not None and rule.settle(self.steps, estimate.loss)
            self.steps += 1
            if recorded is None:
                self.log.record(evaluation.losses, self._groups, evaluation.slots, self.eps, waits)
                self._guard.losses(evaluation.losses, self.eps)
            if rule is not None and rule.climbed:
                self._guard.tell(f"climb {rule.climbs}", rule.climbed)
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
                return {
                    slot.name: evaluation.dense(slot, estimate.terms, estimate.points)
                    for slot in evaluation.slots
                }
            finally:
                put_back()

    def look(
        self,
        closure: Closure,
        *,
        step: int | None = None,
        seed: int | None = None,
        centre: float | None = None,
        rounding: float | None = None,
        stretch: float = 1.0,
    ) -> tuple[Look, float]:
        """Return the slope <g, D> and the curvature D^T H D along the update D that a step of rate
        1 would subtract, by losses at the weights and `stretch` times eps to both sides.

        step, seed: of the noise, by default those of the coming step. centre: the loss at the
        weights, rounding: the standard rounding error of a loss; they are measured where they are
        None, and the error is returned, too. Nothing is changed, but for the rounding of weights
        that noise was taken off, which a step leaves as well (restore="copy": none).
        """
        looking = Looking(centre, rounding, stretch)
        step = self.steps if step is None else step
        seed = self.seed if seed is None else seed
        with self._step(closure, self.applier, seed, step) as evaluation:
            put_back = self._snapshot()
            try:
                self._estimate(evaluation, put_back, looking)
                self.applier.restore()
            finally:
                put_back()
        return cast(Look, looking.found), cast(float, looking.rounding)

    def check_closure(self, closure: Closure, *, calls: int = 3) -> float:
        """Return the loss if `closure` gives the same one every time; see `check_closure`."""
        return check_closure(closure, model=self.model, calls=calls)

    def twin(self, groups: list[dict[str, Any]], layers: list[str] | None) -> ZerothOrder:
        return ZerothOrder(
            groups,
            perturbation=copy.deepcopy(self.perturbation),
            direction=self.direction,
            update=copy.deepcopy(self.update),
            lr=1.0,
            seed=0,
            restore="copy",
            counting=True,
            layers=layers,
        )

    def __repr__(self) -> str:
        slots = self.slots()
        rates = sorted({float(group["lr"]) for group in self.param_groups})
        if self.step_size is not None:
            rates = [self.step_size.rate * factor for factor in rates]
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
        if recorded is None:
            self._groups, slots = self.param_groups, self.slots()
            if not slots:
                self._guard.frozen()
            if self.step_size is not None:
                self._groups, slots = self.step_size.rated(self.param_groups, slots)
        else:
            slots = self.logged_slots(recorded[1])
        surroundings = Surroundings({slot.device.type for slot in slots})
        # What is looked at anew: other tensors, another function, model.train() after model.eval().
        self._guard.situation = hash(
            (
                *(id(slot.param) for slot in slots),
                getattr(closure, "__code__", type(closure)),
                getattr(self.model, "training", None),
                applier is self.applier,
            )
        )
        with Shield() as shield, surroundings.left():
            for slot in slots:
                slot.hold()
            audit = self._guard.audit(slots, self.model, applier) if recorded is None else None
            applier.audit = audit is not None and not self.counting
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
            if audit is not None:
                self._guard.report(audit)

    def _estimate(
        self,
        evaluation: Evaluation,
        put_back: Callable[[], None],
        rule: StepSize | Looking | None = None,
    ) -> Estimate:
        try:
            self.perturbation.prepare(evaluation.slots, evaluation, self.update.rebase)
            if evaluation.closure is not None:
                self._guard.rounding(
                    evaluation.slots,
                    lambda slot: evaluation.noise(slot, evaluation.draw(0)),
                    self.eps,
                    evaluation.applier,
                )
            if rule is not None:
                return rule.run(evaluation, self.direction, self.update)
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

    def _keeps_copy(self, slot: Slot) -> bool:
        if slot.renormed or self.perturbation.reads_weights:
            return True
        return slot.rounds if self.restore is None else self.restore == "copy"
