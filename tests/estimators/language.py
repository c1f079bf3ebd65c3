"""A tiny random LLaMA and sentences for it: no downloads."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM, TrainingArguments


def tiny_llama(dtype: torch.dtype = torch.float32, **options: Any) -> LlamaForCausalLM:
    """Return a LLaMA of two layers and 64 tokens, the same at every call."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=64,
        hidden_size=24,
        intermediate_size=40,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        tie_word_embeddings=True,
        **options,
    )
    return LlamaForCausalLM(config).to(dtype).eval()


def llama_problem(
    dtype: torch.dtype = torch.float32,
) -> tuple[LlamaForCausalLM, Callable[[], Tensor]]:
    """Return a LLaMA and the closure of its loss on one batch."""
    model = tiny_llama(dtype)
    tokens = torch.randint(0, 64, (3, 7))
    return model, lambda: model(input_ids=tokens, labels=tokens).loss


def sentences(count: int = 26) -> list[dict[str, Tensor]]:
    """Return examples of one length with labels, some of them masked: uneven token counts."""
    generator = torch.Generator().manual_seed(1)
    found = []
    for index in range(count):
        tokens = (torch.arange(9) * 5 + torch.randint(0, 8, (9,), generator=generator)) % 64
        labels = tokens.clone()
        labels[: index % 7] = -100
        found.append({"input_ids": tokens, "labels": labels})
    return found


def arguments(folder: Any, **options: Any) -> TrainingArguments:
    """Return arguments for a quiet run on the CPU."""
    defaults = {
        "max_steps": 6,
        "learning_rate": 1e-3,
        "per_device_train_batch_size": 4,
        "logging_steps": 1,
        "save_strategy": "no",
        "report_to": [],
        "use_cpu": True,
        "disable_tqdm": True,
    }
    return TrainingArguments(str(folder), **(defaults | options))
