"""The sentiment prompt of the zeroth-order papers, and batches of it without padding.

MeZO's template for SST-2, which the later papers share: the model reads "<sentence> It was" and the
next word, " terrible" or " great", is the label.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch.nn.functional import cross_entropy
from transformers import PreTrainedTokenizerBase

from zotheory.model.language_model import LanguageModel, ModelError
from zotheory.model.reviews import Example

LABEL_WORDS = (" terrible", " great")


def prompt(sentence: str) -> str:
    """What the model reads before it names the label word."""
    return f"{sentence} It was"


@dataclass(frozen=True)
class Batch:
    """B prompts, one behind the other in one row of N tokens, which do not see each other.

    ``tokens`` and ``positions`` have shape (1, N), ``mask`` (1, 1, N, N) holds 0 where a token may
    attend and the least number of its type elsewhere, ``last`` (B,) the place of each prompt's last
    token and ``labels`` (B,) the label, 0 or 1. Padding would take 1.7 times the tokens.
    """

    tokens: torch.Tensor
    positions: torch.Tensor
    mask: torch.Tensor
    last: torch.Tensor
    labels: torch.Tensor

    def to(self, device: torch.device, dtype: torch.dtype) -> "Batch":
        """The batch on a model's device, with a mask of the model's type."""
        least = max(torch.finfo(kind).min for kind in (dtype, self.mask.dtype))
        mask = self.mask.clamp(min=least).to(device, dtype)
        rest = (self.tokens, self.positions, self.last, self.labels)
        tokens, positions, last, labels = (tensor.to(device) for tensor in rest)
        return Batch(tokens, positions, mask, last, labels)


def label_word_ids(tokenizer: PreTrainedTokenizerBase) -> tuple[int, int]:
    """Token ids of " terrible" and " great", each of which has to be one token after the prompt.

    Raises:
        ModelError: a label word is not a single token behind the prompt, or they are the same one.
    """
    context = prompt("A film.")
    before = tokenizer(context).input_ids
    ids = []
    for word in LABEL_WORDS:
        tokens = tokenizer(context + word).input_ids
        if tokens[:-1] != before or tokens[-1] == tokenizer.unk_token_id:
            raise ModelError(f"the label word {word!r} is not one token of this model's tokenizer")
        ids.append(tokens[-1])
    if ids[0] == ids[1]:
        raise ModelError("this model's tokenizer gives both label words the same token")
    return ids[0], ids[1]


def make_batch(
    tokenizer: PreTrainedTokenizerBase, examples: Sequence[Example], *, begin: bool = True
) -> Batch:
    """Tokenise and pack the prompts of ``examples``.

    Args:
        tokenizer: the model's.
        examples: at least one.
        begin: whether the prompts begin a text, with the tokens that mark its beginning, or go on
            behind one.

    Raises:
        ValueError: no examples, or a label other than 0 and 1.
    """
    if not examples:
        raise ValueError("a batch needs at least one example")
    if any(example.label not in (0, 1) for example in examples):
        raise ValueError("labels are 0 (negative) and 1 (positive)")
    rows = [tokenizer(prompt(e.sentence), add_special_tokens=begin).input_ids for e in examples]
    lengths = torch.tensor([len(row) for row in rows])
    owner = torch.repeat_interleave(torch.arange(len(rows)), lengths)
    visible = (owner[:, None] == owner).tril()
    return Batch(
        tokens=torch.tensor([token for row in rows for token in row])[None],
        positions=torch.cat([torch.arange(length) for length in lengths.tolist()])[None],
        mask=torch.where(visible, 0.0, torch.finfo(torch.float32).min)[None, None],
        last=lengths.cumsum(0) - 1,
        labels=torch.tensor([example.label for example in examples]),
    )


# The two usual losses of a classification prompt, from the logits behind each prompt.


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
