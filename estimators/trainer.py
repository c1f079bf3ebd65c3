"""A Trainer of the transformers library that never runs a backward pass.

The only module of this package that imports transformers.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from accelerate.optimizer import AcceleratedOptimizer
from torch import Tensor, nn
from transformers import Trainer, TrainingArguments

from estimators.distributed import data_parallel
from estimators.zeroth_order import ZerothOrder

Recipe = Callable[..., ZerothOrder]


class ZerothOrderTrainer(Trainer):
    """transformers.Trainer with a zeroth-order optimiser.

    Scheduling, logging, evaluation, checkpoints and resuming are the Trainer's. A resumed run
    equals the uninterrupted one bit for bit. The `ZerothOrder` with its log is
    `trainer.optimizer.optimizer`.

    - The loss of a step is that of all its `gradient_accumulation_steps` batches together, with
      the Trainer's own normalisation; every point of the step is evaluated on all of them. Their
      activations are never held at once, so this is a larger batch at no memory.
    - Losses are computed without gradients and with dropout off (`model.eval()`), as MeZO's
      reference does: within a step the loss has to be one function of the weights. For dropout
      masks that are held fixed during a step, override `evaluate_loss`.
    - `max_grad_norm` and `optim` of the arguments have no meaning here.
    - Several processes: each evaluates the same directions on its own batches, and only losses
      are exchanged (`data_parallel`); the model is not wrapped in DistributedDataParallel.

    Args:
        model, args, kwargs: as for Trainer.
        recipe: a method of `estimators`, called as recipe(params, lr=, weight_decay=, seed=,
            model=) with the values of `args` (`learning_rate`, `weight_decay`, `seed`); give its
            other options with functools.partial(estimators.tezo, rank=8). Biases and norms are
            not decayed, as in Trainer.
        optimizers: in place of a recipe, a pair of a `ZerothOrder` and a scheduler or None.

    Raises ValueError unless there is exactly one of recipe and optimizer, and for arguments that
    make no sense without gradients (fp16, whose point is loss scaling: load the weights in
    float16 instead) or with weights that are not whole on each device (DeepSpeed, FSDP,
    DataParallel); TypeError for an optimiser of another kind.
    """

    def __init__(
        self,
        model: nn.Module | None = None,
        args: TrainingArguments | None = None,
        *,
        recipe: Recipe | None = None,
        optimizers: tuple[Any, Any] = (None, None),
        **kwargs: Any,
    ) -> None:
        if (recipe is None) == (optimizers[0] is None):
            raise ValueError("give either a recipe or optimizers=(optimizer, scheduler)")
        if optimizers[0] is not None and not isinstance(optimizers[0], ZerothOrder):
            raise TypeError(f"need a ZerothOrder optimiser, got {type(optimizers[0]).__name__}")
        self.recipe = recipe
        self._batches: list[dict[str, Any]] = []
        super().__init__(model, args, optimizers=optimizers, **kwargs)
        if self.args.fp16:
            raise ValueError("fp16 scales losses for gradients; load the model in float16 instead")
        if self.is_deepspeed_enabled or self.is_fsdp_enabled or self.args.n_gpu > 1:
            raise ValueError("every process needs the whole model on one device")

    def create_accelerator_and_postprocess(self) -> None:
        super().create_accelerator_and_postprocess()
        # DistributedDataParallel would allocate buckets for gradients and broadcast buffers.
        self.accelerator.prepare_model = partial(
            self.accelerator.prepare_model, evaluation_mode=True
        )

    def create_optimizer(self, model: nn.Module | None = None) -> torch.optim.Optimizer:
        """Build the optimiser from the recipe, unless there is one."""
        self._batches = []  # of a run that was stopped in the middle of a step
        model = self.model if model is None else model
        if self.optimizer is None:
            self.optimizer = self.recipe(
                self._groups(model),
                lr=self.args.learning_rate,
                weight_decay=self.args.weight_decay,
                seed=self.args.seed,
                model=model,
            )
        if isinstance(self.optimizer, ZerothOrder):
            if self.args.world_size > 1:
                data_parallel(self.optimizer)
            self.optimizer = _Stepped(self.optimizer)
        return self.optimizer

    def training_step(
        self,
        model: nn.Module,
        inputs: dict[str, Any],
        num_items_in_batch: Tensor | int | None = None,
    ) -> Tensor:
        """Collect the batches of a step, and make the step with the last one.

        Returns the loss of the whole step with the last batch, zero before.
        """
        self._batches.append(self._prepare_inputs(inputs))
        if not self.accelerator.sync_gradients:
            return torch.zeros((), device=self.args.device)
        batches, self._batches = self._batches, []
        model.eval()
        loss = self.optimizer.make_step(
            lambda: self.evaluate_loss(model, batches, num_items_in_batch)
        )
        return torch.tensor(loss, device=self.args.device)

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
                loss = self.compute_loss(model, dict(batch), num_items_in_batch=num_items_in_batch)
            total += loss.item()
        return total if self._losses_add_up(num_items_in_batch) else total / len(batches)

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Log, without the norm of gradients that do not exist."""
        super().log({k: v for k, v in logs.items() if k != "grad_norm"}, start_time)

    def _losses_add_up(self, num_items_in_batch: Tensor | int | None) -> bool:
        """Whether each batch's loss is already divided by the items of all (Trainer's rule)."""
        if self.loss_is_scaled_for_ga is not None:
            return self.loss_is_scaled_for_ga
        counted = self.model_accepts_loss_kwargs and num_items_in_batch is not None
        return counted or self.compute_loss_func is not None

    def _groups(self, model: nn.Module) -> list[dict[str, Any]]:
        decayed = set(self.get_decay_parameter_names(model))
        named = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
        groups = [
            {"params": [(n, p) for n, p in named if n in decayed]},
            {"params": [(n, p) for n, p in named if n not in decayed], "weight_decay": 0.0},
        ]
        return [group for group in groups if group["params"]]


class _Stepped(AcceleratedOptimizer):
    """The optimiser as the training loop sees it.

    The loop calls `step` after `training_step` has made the step and returned its loss.
    """

    _is_accelerate_prepared = True

    def __init__(self, optimizer: ZerothOrder) -> None:
        super().__init__(optimizer, device_placement=False)

    def make_step(self, closure: Callable[[], float]) -> float:
        return self.optimizer.step(closure)

    def step(self, closure: None = None) -> None:
        """Do nothing: the step is made."""
