"""Published language models, built from their configurations alone."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import torch

from zotheory.evidence.instruments import Passes

if TYPE_CHECKING:
    from transformers import PreTrainedModel  # slow to import: only where a model is built


def opt_13b(dtype: torch.dtype = torch.float16, layers: int = 40) -> PreTrainedModel:
    """OPT-13B on the meta device (Zhang et al. 2022, "OPT", Table 1; vocabulary of GPT-2 BPE).

    40 layers, width 5120, 40 heads, feed-forward width 20480 (four times the width), 2048
    positions, 50272 tokens, the head tied to the embedding: 12.85 billion weights.
    """
    return _opt(5120, 40, dtype, layers)


def opt_1b3(dtype: torch.dtype = torch.float16, layers: int = 24) -> PreTrainedModel:
    """OPT-1.3B on the meta device (Zhang et al. 2022, "OPT", Table 1): 24 layers, width 2048.

    32 heads; the rest as OPT-13B has it: 1.32 billion weights.
    """
    return _opt(2048, 32, dtype, layers)


def _opt(width: int, heads: int, dtype: torch.dtype, layers: int) -> PreTrainedModel:
    from transformers import OPTConfig, OPTForCausalLM

    config = OPTConfig(
        vocab_size=50272,
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        ffn_dim=4 * width,
        max_position_embeddings=2048,
        word_embed_proj_dim=width,
        tie_word_embeddings=True,
        do_layer_norm_before=True,
    )
    return _empty(partial(OPTForCausalLM, config), dtype)


def llama_7b(dtype: torch.dtype = torch.float16, layers: int = 32) -> PreTrainedModel:
    """LLaMA-7B on the meta device (Touvron et al. 2023, "LLaMA", Table 2).

    32 layers, width 4096, 32 heads, feed-forward width 11008 (2/3 of four times the width, to the
    next multiple of 256), 2048 positions, 32000 tokens, head not tied: 6.74 billion weights.
    """
    return _llama(4096, 11008, 32, dtype, layers)


def llama_30b(dtype: torch.dtype = torch.float16, layers: int = 60) -> PreTrainedModel:
    """LLaMA-30B on the meta device (Touvron et al. 2023, "LLaMA", Table 2, there called 33B).

    60 layers, width 6656, 52 heads, feed-forward width 17920; the rest as LLaMA-7B has it: 32.5
    billion weights.
    """
    return _llama(6656, 17920, 52, dtype, layers)


def _llama(width: int, inner: int, heads: int, dtype: torch.dtype, layers: int) -> PreTrainedModel:
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=32000,
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=inner,
        max_position_embeddings=2048,
        tie_word_embeddings=False,
    )
    return _empty(partial(LlamaForCausalLM, config), dtype)


def smollm2_135m(dtype: torch.dtype = torch.float16) -> PreTrainedModel:
    """SmolLM2-135M on the meta device (Allal et al. 2025, "SmolLM2", its published configuration).

    30 layers, width 576, 9 heads (3 of keys and values), feed-forward width 1536, 49152 tokens,
    the head tied to the embedding: 135 million weights.
    """
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=49152,
        hidden_size=576,
        num_hidden_layers=30,
        num_attention_heads=9,
        num_key_value_heads=3,
        intermediate_size=1536,
        max_position_embeddings=8192,
        tie_word_embeddings=True,
    )
    return _empty(partial(LlamaForCausalLM, config), dtype)


def small_llama(dtype: torch.dtype) -> PreTrainedModel:
    """LLaMA-7B with every width divided by 16 and 4 layers, on the CPU, with random weights."""
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=2000,
        hidden_size=256,
        num_hidden_layers=4,
        num_attention_heads=4,
        intermediate_size=688,
        max_position_embeddings=128,
        tie_word_embeddings=False,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return LlamaForCausalLM(config).to(dtype).eval()


def _empty(build: Callable[[], PreTrainedModel], dtype: torch.dtype) -> PreTrainedModel:
    with torch.device("meta"):
        return build().to(dtype).eval()


def batch(model: PreTrainedModel, sentences: int, tokens: int) -> Passes:
    """A closure that runs the model on a batch of so many sentences and tokens.

    Every token sees all others: a mask is given, since making one needs the tokens' values, which
    do not exist on the meta device.
    """
    ids = torch.ones(sentences, tokens, dtype=torch.long, device=model.device)
    shape = sentences, 1, tokens, tokens
    mask = torch.zeros(shape, dtype=model.dtype, device=model.device)

    @torch.no_grad()
    def forward() -> None:
        model(ids, attention_mask=mask, use_cache=False)

    return Passes(forward)
