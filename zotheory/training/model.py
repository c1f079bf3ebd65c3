"""The model of a run: loaded, checked, on its device, with its adapter."""

from __future__ import annotations

import os
import warnings
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import Cache, DynamicCache, PreTrainedModel

from zotheory.budget import OWN_MODEL
from zotheory.model.language_model import LanguageModel, load_model
from zotheory.model.prompts import check_packing
from zotheory.model.reviews import Example
from zotheory.training.setup import Setup, TrainingError


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
    model: nn.Module = language_model.model
    try:
        model.to(device(setup))
        check_packing(language_model, some)  # before rounding, which would hide a small mixture
        model.to(dtype(setup))
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


# Which weights are trained: all, LoRA's, or a prefix; sizes as in the papers (LeZO, Table 5).


LORA_RANK, LORA_ALPHA = 8, 16
PREFIX_TOKENS = 5


def adapt(language_model: LanguageModel, tuning: str, seed: int) -> LanguageModel:
    """The model with the weights that `tuning` trains, and only these, trainable.

    LoRA's factor A is drawn from the seed, B is zero. The prefix starts as the keys and values of
    tokens drawn from the seed, as in MeZO's released code. Adapters are held in 32 bits.

    Raises:
        TrainingError: peft is missing or knows no place for the adapter in this model.
    """
    if tuning == "full":
        return language_model
    try:
        import peft
    except ImportError as error:
        raise TrainingError(f"--tuning {tuning} needs the package peft") from error
    model = language_model.model
    adapted: Any  # called as the model is
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        first = torch.randint(model.config.vocab_size, (1, PREFIX_TOKENS)).to(model.device)
        try:
            if tuning == "lora":
                lora = peft.LoraConfig(r=LORA_RANK, lora_alpha=LORA_ALPHA, task_type="CAUSAL_LM")
                adapted = peft.get_peft_model(model, lora)
            else:
                with torch.no_grad():
                    start = model(first, use_cache=True, logits_to_keep=1).past_key_values
                prefix = peft.PrefixTuningConfig(
                    num_virtual_tokens=PREFIX_TOKENS, task_type="CAUSAL_LM"
                )
                adapted = peft.get_peft_model(model, prefix)
                peft.initialize_kv_prefix_from_past_key_values(adapted, past_key_values=start)
                adapted = PrefixTuned(adapted)
        except ValueError as error:
            raise TrainingError(f"--tuning {tuning}: {str(error).splitlines()[0]}") from error
    return LanguageModel(language_model.name, adapted.eval(), language_model.tokenizer)


def trainable(model: nn.Module) -> dict[str, Tensor]:
    """The trainable tensors by name, tied ones once; they share the model's memory."""
    return {n: p.detach() for n, p in model.named_parameters() if p.requires_grad}


def load_trainable(model: nn.Module, saved: dict[str, Tensor]) -> None:
    """Put back what `trainable` returned.

    Raises:
        KeyError: a tensor is missing.
    """
    for name, tensor in trainable(model).items():
        tensor.copy_(saved[name])


def save_model(language_model: LanguageModel, tuning: str, folder: Path) -> None:
    """Save the model in the format of transformers (LoRA merged), or the prefix in PEFT's."""
    model: Any = language_model.model
    if tuning == "lora":
        model = model.merge_and_unload()
    if tuning == "prefix":
        model = model.adapted
    model.save_pretrained(folder)
    language_model.tokenizer.save_pretrained(folder)


# Models whose prompts are read behind something: trained prefixes, or demonstrations.


class Conditioned(nn.Module, ABC):
    """Calls a language model so that all packed prompts see the same past, and not each other."""

    @abstractmethod
    def base(self) -> PreTrainedModel:
        """The language model."""

    @abstractmethod
    def past(self) -> Cache:
        """Keys and values of what comes before every prompt, for one call."""

    def forward(
        self, input_ids: Tensor, position_ids: Tensor, attention_mask: Tensor, **kwargs: Any
    ) -> Any:
        """Call the model; the arguments are those of `Batch`, without the past."""
        past = self.past()
        length = past.get_seq_length()
        seen = attention_mask.new_zeros(*attention_mask.shape[:-1], length)
        return self.base()(
            input_ids=input_ids,
            position_ids=position_ids + length,
            attention_mask=torch.cat([seen, attention_mask], -1),
            past_key_values=past,
            **kwargs,
        )


class PrefixTuned(Conditioned):
    """A PEFT model with trainable keys and values in front of every prompt (Li & Liang 2021)."""

    def __init__(self, adapted: Any) -> None:
        super().__init__()
        self.adapted = adapted

    def base(self) -> PreTrainedModel:
        return self.adapted.get_base_model()

    def past(self) -> Cache:
        return self.adapted.get_prompt(batch_size=1)


class Demonstrated(Conditioned):
    """A model that has read some text, whose keys and values are kept."""

    def __init__(self, model: PreTrainedModel, tokens: Tensor) -> None:
        super().__init__()
        self.model = model
        with torch.no_grad():
            read = model(input_ids=tokens, use_cache=True, logits_to_keep=1).past_key_values
        self._kept = [(layer.keys, layer.values) for layer in read.layers]

    def base(self) -> PreTrainedModel:
        return self.model

    def past(self) -> Cache:
        past = DynamicCache()
        for index, (keys, values) in enumerate(self._kept):
            past.update(keys, values, index)
        return past
