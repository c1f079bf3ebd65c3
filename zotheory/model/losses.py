"""The two usual losses of a classification prompt, from the logits behind each prompt."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch.nn.functional import cross_entropy

from zotheory.model.language_model import LanguageModel, ModelError
from zotheory.model.prompts import Batch, make_batch
from zotheory.model.reviews import Example

Loss = Literal["vocabulary", "label_words"]


def last_logits(language_model: LanguageModel, batch: Batch) -> torch.Tensor:
    """Logits (B, vocabulary) behind the last token of each prompt, and of no other token."""
    return language_model.model(
        input_ids=batch.tokens,
        position_ids=batch.positions,
        attention_mask=batch.mask,
        logits_to_keep=batch.last,
        use_cache=False,
    ).logits[0]


def prompt_loss(
    logits: torch.Tensor, labels: torch.Tensor, words: tuple[int, int], loss: Loss
) -> torch.Tensor:
    """Mean cross-entropy of the right label word.

    Args:
        logits: shape (B, vocabulary).
        labels: shape (B,), 0 or 1.
        words: the two label words' token ids.
        loss: the softmax runs over the whole "vocabulary" or over the "label_words" alone.

    Raises:
        ValueError: ``loss`` is neither of the two.
    """
    logits = logits.float()  # 16 bits would round the loss to one part in 256
    ids = torch.tensor(words, device=logits.device)
    if loss == "vocabulary":
        return cross_entropy(logits, ids[labels])
    if loss == "label_words":
        return cross_entropy(logits[:, ids], labels)
    raise ValueError(f"loss is 'vocabulary' or 'label_words', got {loss!r}")


@torch.no_grad()
def check_packing(language_model: LanguageModel, examples: Sequence[Example]) -> None:
    """Check that prompts packed into one row give the logits they give alone.

    An architecture that ignores the positions or the mask it is handed would mix the prompts
    silently.

    Raises:
        ModelError: the model cannot be called that way, or the logits differ.
    """
    weights = next(language_model.model.parameters())

    def logits(some: Sequence[Example]) -> torch.Tensor:
        batch = make_batch(language_model.tokenizer, some).to(weights.device, weights.dtype)
        return last_logits(language_model, batch)

    try:
        together = logits(examples)
        alone = torch.cat([logits([one]) for one in examples])
    except (TypeError, ValueError, RuntimeError) as error:
        raise ModelError(f"{language_model.name} cannot read packed prompts: {error}") from error
    # float32 leaves about 1e-6 of the largest logit per layer; mixed prompts differ by order one.
    if not torch.allclose(together, alone, rtol=0, atol=1e-3 * float(alone.abs().max())):
        raise ModelError(f"{language_model.name} mixes prompts that are packed into one row")
