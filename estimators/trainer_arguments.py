"""Arguments of transformers' Trainer that a zeroth-order one refuses, and what to do instead."""

from __future__ import annotations

import torch
from torch import nn
from transformers import TrainingArguments

WHOLE = (
    "every process needs the whole model on one device: leave out DeepSpeed, FSDP, model "
    "parallelism and DataParallel, and start one process a device"
)


def refuse(args: TrainingArguments) -> None:
    """Raise ValueError for an argument that would be ignored, or that would spoil the losses."""
    adam = {"adam_beta1": 0.9, "adam_beta2": 0.999, "adam_epsilon": 1e-8}
    tuned = [name for name, default in adam.items() if getattr(args, name) != default]
    tuned += [name for name in ("optim_args", "optim_target_modules") if getattr(args, name)]
    refused = [
        (args.deepspeed or args.fsdp or args.parallelism_config or args.n_gpu > 1, WHOLE),
        (
            args.fp16 or args.mixed_precision == "fp16",
            "fp16 scales losses for gradients; load the model in float16 instead",
        ),
        (
            args.optim not in ("adamw_torch", "adamw_torch_fused"),
            f"optim={str(getattr(args.optim, 'value', args.optim))!r} needs gradients; leave it "
            "out, the recipe is the optimiser",
        ),
        (
            tuned,
            f"{', '.join(tuned)} would not reach the recipe; give it as "
            "functools.partial(recipe, option=value)",
        ),
        (
            args.max_grad_norm not in (0.0, 1.0),
            "max_grad_norm clips gradients, and there are none; leave it out, or set it to 0",
        ),
        (
            args.neftune_noise_alpha,
            "neftune_noise_alpha makes losses random within a step, which compares them; leave it "
            "out",
        ),
    ]
    for condition, message in refused:
        if condition:
            raise ValueError(message)


def refuse_casts(args: TrainingArguments, model: nn.Module) -> None:
    """Raise ValueError if evaluation would round the weights for good."""
    for name, dtype in (("fp16_full_eval", torch.float16), ("bf16_full_eval", torch.bfloat16)):
        kinds = {p.dtype for p in model.parameters()}
        if getattr(args, name) and kinds != {dtype}:
            raise ValueError(
                f"{name} rounds the weights themselves, for good, in every evaluate() outside of "
                f"train(); load the model in {str(dtype).removeprefix('torch.')} instead"
            )
