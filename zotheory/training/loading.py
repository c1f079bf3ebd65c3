"""The model of a run: loaded, checked, on its device, with its adapter."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence

import torch

from zotheory.budget import OWN_MODEL
from zotheory.model.language_model import LanguageModel, load_model
from zotheory.model.losses import check_packing
from zotheory.model.reviews import Example
from zotheory.training.setup import Setup, TrainingError
from zotheory.training.tuning import adapt


def load(setup: Setup) -> LanguageModel:
    """The model as it is, in 32 bits on the CPU.

    Raises:
        AssetError, ModelError: it cannot be had.
    """
    return load_model(None if setup.model == OWN_MODEL else setup.model)


def prepare(language_model: LanguageModel, setup: Setup, some: Sequence[Example]) -> LanguageModel:
    """The model on the setup's device, in its type, with its adapter; `some` text checks it.

    Raises:
        ModelError: the model mixes packed prompts.
        TrainingError: the device is missing or too small, or no adapter fits the model.
    """
    try:
        language_model.model.to(device(setup))
        check_packing(language_model, some)  # before rounding, which would hide a small mixture
        language_model.model.to(dtype(setup))
    except RuntimeError as error:
        raise TrainingError(f"device {setup.device}: {str(error).splitlines()[0]}") from error
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*is_gradient_checkpointing.*", FutureWarning)
        return adapt(language_model, setup.tuning, setup.seed)


def device(setup: Setup) -> torch.device:
    """The setup's device.

    Raises:
        TrainingError: there is no such device here.
    """
    try:
        found = torch.device(setup.device)
    except RuntimeError as error:
        raise TrainingError(f"device is cpu or cuda, got {setup.device!r}") from error
    if found.type not in ("cpu", "cuda"):
        raise TrainingError(f"device is cpu or cuda, got {setup.device!r}")
    if found.type == "cuda":
        if not torch.cuda.is_available():
            raise TrainingError("there is no CUDA device here: use --device cpu")
        # A resumed run can only equal the uninterrupted one if sums are taken in a fixed order.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True, warn_only=True)
    return found


def best_device() -> str:
    """The GPU where there is one."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def dtype(setup: Setup) -> torch.dtype:
    """The type the model is held in."""
    return getattr(torch, setup.dtype)
