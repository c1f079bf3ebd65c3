"""A Trainer of the transformers library that never runs a backward pass.

This module and its `trainer_arguments` are the only ones of this package to import transformers.
"""

from __future__ import annotations

import copy
import inspect
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from numbers import Real
from typing import Any, cast

import torch
from accelerate.optimizer import AcceleratedOptimizer
from torch import Tensor, nn
from transformers import Trainer, TrainingArguments

import estimators
from estimators.distributed import data_parallel
from estimators.step_size import StepSize
from estimators.trainer_arguments import WHOLE, refuse, refuse_casts
from estimators.zeroth_order import ZerothOrder

Recipe = Callable[..., ZerothOrder]


class ZerothOrderTrainer(Trainer):
    """transformers.Trainer with a zeroth-order optimiser.

    Scheduling, logging, evaluation, checkpoints, callbacks and resuming are the Trainer's. A
    resumed run equals the uninterrupted one bit for bit. The `ZerothOrder` with its log is
    `trainer.optimizer.optimizer`.

    - The loss of a step is that of all its `gradient_accumulation_steps` batches together, with
      the Trainer's own normalisation; every point of the step is evaluated on all of them. Their
      activations are never held at once, so this is a larger batch at no memory. What an epoch of
      unknown length leaves over of a step joins the next one.
    - Losses are computed without gradients and with dropout off (`model.eval()`), as MeZO's
      reference does: within a step the loss has to be one function of the weights. For dropout
      masks that are held fixed during a step, override `evaluate_loss`.
    - `compute_loss` and `compute_loss_func` need no gradient and may return plain numbers. As in
      Trainer, set `loss_is_scaled_for_ga = False` if yours averages over its own batch.
    - Several processes: each evaluates the same directions on its own batches, and only losses
      are exchanged (`data_parallel`); the model is not wrapped in DistributedDataParallel.

    Args:
        model, args, kwargs: as for Trainer.
        recipe: a method of `estimators` or its name, called as recipe(params, lr=,
            weight_decay=, seed=, model=) with the values of `args` (`learning_rate`,
            `weight_decay`, `seed`); give its other options with
            functools.partial(estimators.tezo, rank=8). Biases and norms are not decayed, as in
            Trainer.
            With TrainingArguments(learning_rate="auto") the rate is measured in the run's own
            forward passes (`StepSize`), and the scheduler multiplies it; what is logged as
            learning_rate is their product.
        step_size: the `StepSize` of learning_rate="auto", to give it other numbers than its own.
        optimizers: in place of a recipe, a pair of a `ZerothOrder` and a scheduler or None.

    Raises ValueError unless there is exactly one of recipe and optimizer, for an unknown name,
    for a scheduler without its optimizer, and for arguments that would be ignored without
    gradients, would make losses random within a step or need weights that are not whole on each
    device: the message says what to do instead. Raises TypeError for a recipe or an optimiser of
    another kind, and, in training, for a `compute_loss` that returns no loss.
    """

    _batches: list[Any]
    _model: nn.Module | None
    _items: Tensor | int | None
    _unlogged: float

    def __init__(
        self,
        model: nn.Module | None = None,
        args: TrainingArguments | None = None,
        *,
        recipe: Recipe | str | None = None,
        step_size: StepSize | None = None,
        optimizers: tuple[Any, Any] = (None, None),
        **kwargs: Any,
    ) -> None:
        if (recipe is None) == (optimizers[0] is None):
            raise ValueError("give either a recipe or optimizers=(optimizer, scheduler)")
        if optimizers[0] is not None and not isinstance(optimizers[0], ZerothOrder):
            raise TypeError(f"need a ZerothOrder optimiser, got {type(optimizers[0]).__name__}")
        if recipe is not None and optimizers[1] is not None:
            raise ValueError(
                "a scheduler acts on its own optimiser: give both as optimizers=, or set "
                "lr_scheduler_type beside a recipe"
            )
        asked: Any = None if args is None else args.learning_rate
        auto = asked == "auto"
        if auto and recipe is None:
            raise ValueError(
                'learning_rate="auto" is for a recipe; give your optimiser lr="auto" instead'
            )
        if step_size is not None and not auto:
            raise ValueError('step_size needs TrainingArguments(learning_rate="auto")')
        if kwargs.get("optimizer_cls_and_kwargs") is not None:
            raise ValueError("optimizer_cls_and_kwargs has no meaning here; give a recipe")
        self.recipe = None if recipe is None else _find(recipe)
        self.step_size = step_size
        self._counts_items = False
        self._forget_step()
        super().__init__(model, args, optimizers=optimizers, **kwargs)
        refuse_casts(self.args, cast(nn.Module, self.model))

    def create_accelerator_and_postprocess(self) -> None:
        # Before the accelerator is made, whose errors would speak of gradients.
        refuse(self.args)
        super().create_accelerator_and_postprocess()
        # A launcher's environment can ask for these as well.
        if self.is_deepspeed_enabled or self.is_fsdp_enabled:
            raise ValueError(WHOLE)
        # DistributedDataParallel would allocate buckets for gradients and broadcast buffers.
        self.accelerator.prepare_model = partial(
            self.accelerator.prepare_model, evaluation_mode=True
        )

    def create_optimizer(self, model: nn.Module | None = None) -> torch.optim.Optimizer:
        """Build the optimiser from the recipe, unless there is one."""
        self._forget_step()  # of a run that was stopped in the middle of a step
        if self.optimizer is None:
            self.optimizer = self._build(cast(nn.Module, self.model if model is None else model))
        if isinstance(self.optimizer, ZerothOrder):
            if self.args.torch_compile and not self.optimizer.applier.moves_weights:
                raise ValueError(
                    'torch_compile would compile the noise of apply="forward" anew in every '
                    'evaluation; use apply="inplace", or leave torch_compile out'
                )
            if self.args.world_size > 1:
                data_parallel(self.optimizer)
            self.optimizer = _Stepped(self.optimizer, self._make_step)
        return self.optimizer

    def get_batch_samples(self, *args: Any, **kwargs: Any) -> tuple[list, Tensor | int | None]:
        """Return the batches of the next step, and the items of all that it will be made on."""
        batches, items = super().get_batch_samples(*args, **kwargs)
        if batches and self._batches:
            items = self._get_num_items_in_batch([*self._batches, *batches], self.args.device)
        return batches, items

    def training_step(
        self,
        model: nn.Module,
        inputs: dict[str, Any],
        num_items_in_batch: Tensor | int | None = None,
    ) -> Tensor:
        """Collect a batch and return zero.

        The step on all batches collected is made by `optimizer.step`, between the callbacks
        `on_pre_optimizer_step` and `on_optimizer_step`; its loss is logged afterwards.
        """
        self._batches.append(inputs)
        self._model, self._items = model, num_items_in_batch
        return torch.zeros((), device=self.args.device)

    def evaluate_loss(
        self,
        model: nn.Module,
        batches: list[dict[str, Any]],
        num_items_in_batch: Tensor | int | None,
    ) -> float:
        """Return the loss of all batches of a step at the current weights.

        It is called several times a step, and must then be the same function of the weights.
        """
        total = 0.0
        for batch in batches:
            with self.compute_loss_context_manager():
                # compute_loss takes labels out of the batch that it is given.
                loss = self.compute_loss(
                    model, copy.copy(batch), num_items_in_batch=num_items_in_batch
                )
            total += _number(loss)
        if not self._losses_add_up(num_items_in_batch):
            return total / len(batches)
        if len(batches) > 1 and self.loss_is_scaled_for_ga is None and not self._counts_items:
            warnings.warn(
                "compute_loss is one's own: as in Trainer, its losses are added up over the "
                "batches of a step; set loss_is_scaled_for_ga to False to average them, or to "
                "True if each is divided by num_items_in_batch",
                stacklevel=2,
            )
        return total

    def compute_loss(self, *args: Any, **kwargs: Any) -> Any:
        """Return the loss of a batch, as Trainer does."""
        self._counts_items = True  # nothing that does not come here is known to
        return super().compute_loss(*args, **kwargs)

    def prediction_step(
        self,
        model: nn.Module,
        inputs: dict[str, Any],
        prediction_loss_only: bool,
        ignore_keys: list[str] | None = None,
    ) -> tuple[Any, Any, Any]:
        """As Trainer's, with a `compute_loss` that may return what training takes."""
        compute_loss, own = self.compute_loss, self.__dict__.get("compute_loss")

        def with_outputs(*args: Any, **kwargs: Any) -> tuple[Tensor, Any]:
            found = compute_loss(*args, **kwargs)
            if isinstance(found, tuple) and len(found) == 2:
                loss, outputs = found
            elif isinstance(found, Mapping):
                loss, outputs = found, found
            elif prediction_loss_only:
                loss, outputs = found, ()
            else:
                raise TypeError(
                    "compute_loss must return (loss, outputs) if return_outputs=True, where "
                    f"predictions are asked for; got {type(found).__name__}"
                )
            if not isinstance(loss, Tensor):
                loss = torch.tensor(_number(loss), device=self.args.device)
            return loss, outputs

        # The Trainer wants a tensor, and calls whatever method a subclass or a user put here.
        self.__dict__["compute_loss"] = with_outputs
        try:
            return super().prediction_step(model, inputs, prediction_loss_only, ignore_keys)
        finally:
            if own is None:
                del self.__dict__["compute_loss"]
            else:
                self.__dict__["compute_loss"] = own

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Log, without the norm of gradients that do not exist; a measured rate with its factor."""
        logs = {k: v for k, v in logs.items() if k != "grad_norm"}
        optimizer = getattr(self.optimizer, "optimizer", self.optimizer)
        rule = optimizer.step_size if isinstance(optimizer, ZerothOrder) else None
        if rule is not None and "learning_rate" in logs:
            logs["learning_rate"] *= rule.rate
        super().log(logs, start_time)

    def _maybe_log_save_evaluate(self, tr_loss: Tensor, *args: Any, **kwargs: Any) -> None:
        # Called once after every step, with the running sum that the Trainer logs and resets.
        tr_loss += self._unlogged
        self._unlogged = 0.0
        super()._maybe_log_save_evaluate(tr_loss, *args, **kwargs)

    def _make_step(self, optimizer: ZerothOrder) -> float:
        """Make the step on the batches collected, which are forgotten whatever happens."""
        collected, model, items = self._batches, self._model, self._items
        self._forget_step()
        if not collected or model is None:
            raise RuntimeError(
                "no batch was collected for this step: a training_step of one's own has to call "
                "that of ZerothOrderTrainer"
            )
        batches = [self._prepare_inputs(batch) for batch in collected]
        model.eval()
        self._unlogged = optimizer.step(lambda: self.evaluate_loss(model, batches, items))
        return self._unlogged

    def _forget_step(self) -> None:
        self._batches, self._model, self._items = [], None, None
        self._unlogged = 0.0

    def _losses_add_up(self, num_items_in_batch: Tensor | int | None) -> bool:
        """Whether each batch's loss is already divided by the items of all (Trainer's rule)."""
        if self.loss_is_scaled_for_ga is not None:
            return self.loss_is_scaled_for_ga
        counted = self.model_accepts_loss_kwargs and num_items_in_batch is not None
        return counted or self.compute_loss_func is not None

    def _build(self, model: nn.Module) -> ZerothOrder:
        recipe = cast(Recipe, self.recipe)  # there is an optimiser otherwise
        made = recipe(
            self._groups(model),
            lr=self.args.learning_rate if self.step_size is None else copy.copy(self.step_size),
            weight_decay=self.args.weight_decay,
            seed=self.args.seed,
            model=model,
        )
        if not isinstance(made, ZerothOrder):
            name = getattr(self.recipe, "__name__", None) or repr(self.recipe)
            raise TypeError(f"the recipe {name} made no ZerothOrder but {type(made).__name__}")
        return made

    def _groups(self, model: nn.Module) -> list[dict[str, Any]]:
        decayed = set(self.get_decay_parameter_names(model))
        named = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
        groups: list[dict[str, Any]] = [
            {"params": [(n, p) for n, p in named if n in decayed]},
            {"params": [(n, p) for n, p in named if n not in decayed], "weight_decay": 0.0},
        ]
        return [group for group in groups if group["params"]]


class _Stepped(AcceleratedOptimizer):
    """The optimiser as the training loop sees it: `step` has the Trainer make the step."""

    _is_accelerate_prepared = True

    def __init__(self, optimizer: ZerothOrder, make_step: Callable[[ZerothOrder], float]) -> None:
        super().__init__(optimizer, device_placement=False)
        self.make_step = make_step

    def step(self, closure: Callable[[], Any] | None = None) -> float:
        """Make the step on the batches that the Trainer collected, or on a closure."""
        if closure is not None:
            return self.optimizer.step(closure)
        return self.make_step(self.optimizer)


def _find(recipe: Recipe | str) -> Recipe:
    """Return a recipe, looked up if it is a name."""
    if isinstance(recipe, ZerothOrder):
        raise TypeError("recipe builds an optimiser; give one that exists as optimizers=(it, None)")
    if not isinstance(recipe, str):
        if not callable(recipe):
            raise TypeError(f"recipe must be callable or a name, got {recipe!r}")
        return recipe
    named = {}
    for name in estimators.__all__:
        made = getattr(estimators, name)
        if inspect.isfunction(made):
            first, *others = inspect.signature(made).parameters.values()
            needed = [p for p in others if p.default is p.empty and p.kind is not p.VAR_KEYWORD]
            if first.name == "params" and not needed:
                named[name] = made
    if recipe not in named:
        raise ValueError(f"no recipe {recipe!r}; there are {', '.join(sorted(named))}")
    return named[recipe]


def _number(loss: Any) -> float:
    """Return the loss in what a `compute_loss` returned; NaN is left to the optimiser."""
    found = loss
    if isinstance(found, Mapping) and "loss" in found:
        found = found["loss"]
    elif isinstance(found, tuple) and found:
        found = found[0]
    size = found.numel() if isinstance(found, Tensor) else getattr(found, "size", None)
    if size == 1:  # of a tensor, or of an array or a scalar of numpy
        found = found.item()
    if not isinstance(found, Real):
        kind = type(loss).__name__
        if found is not loss:
            kind += f" with {type(found).__name__}"
        if hasattr(found, "shape"):
            kind += f" of shape {tuple(found.shape)}"
        raise TypeError(
            "compute_loss must return a number, a tensor of one element, (loss, outputs) or a "
            f'dict with "loss"; got {kind}'
        )
    return float(found)
