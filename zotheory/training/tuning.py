"""Which weights are trained: all, LoRA's, or a prefix; sizes as in the papers (LeZO, Table 5)."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from zotheory.model.language_model import LanguageModel
from zotheory.training.conditioned import PrefixTuned
from zotheory.training.setup import TrainingError

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
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        first = torch.randint(model.config.vocab_size, (1, PREFIX_TOKENS)).to(model.device)
        try:
            if tuning == "lora":
                config = peft.LoraConfig(r=LORA_RANK, lora_alpha=LORA_ALPHA, task_type="CAUSAL_LM")
                adapted = peft.get_peft_model(model, config)
            else:
                with torch.no_grad():
                    start = model(first, use_cache=True, logits_to_keep=1).past_key_values
                config = peft.PrefixTuningConfig(
                    num_virtual_tokens=PREFIX_TOKENS, task_type="CAUSAL_LM"
                )
                adapted = peft.get_peft_model(model, config)
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
    model = language_model.model
    if tuning == "lora":
        model = model.merge_and_unload()
    if tuning == "prefix":
        model = model.adapted
    model.save_pretrained(folder)
    language_model.tokenizer.save_pretrained(folder)
