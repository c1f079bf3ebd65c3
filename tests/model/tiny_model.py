"""A tiny LLaMA with random weights, and a tokenizer that knows the prompt."""

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from zotheory.model.language_model import LanguageModel
from zotheory.model.reviews import Example

PROMPT_WORDS = ["[UNK]", "A", "film", "It", "was", "terrible", "great", "."]
WORDS = [*PROMPT_WORDS, *"abcdefghijklmnopqrst"]


def tiny_tokenizer(words: list[str]) -> PreTrainedTokenizerFast:
    backend = Tokenizer(models.WordLevel({w: i for i, w in enumerate(words)}, unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="[UNK]")


def tiny_model() -> LanguageModel:
    config = LlamaConfig(
        vocab_size=len(WORDS),
        hidden_size=16,
        intermediate_size=24,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=2,
        tie_word_embeddings=True,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = LlamaForCausalLM(config)
        # Larger than the default initialisation, so that prompts differ and gradients are not tiny.
        for parameter in model.parameters():
            if parameter.ndim == 2:
                torch.nn.init.normal_(parameter, std=0.3)
    return LanguageModel("tiny", model.eval(), tiny_tokenizer(WORDS))


def sentences() -> list[Example]:
    """48 different sentences of two to four words."""
    letters = WORDS[8:]
    rows = [" ".join(letters[(i * 7 + 3 * j) % 20] for j in range(2 + i // 20)) for i in range(48)]
    assert len(set(rows)) == 48
    return [Example(row, i % 2) for i, row in enumerate(rows)]
