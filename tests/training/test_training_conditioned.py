"""Prompts read behind a past see it and not each other."""

import pytest
import torch

from tests.model.tiny_model import sentences, tiny_model
from zotheory.model.language_model import LanguageModel
from zotheory.model.prompts import check_packing, last_logits, make_batch, prompt
from zotheory.training.model import PREFIX_TOKENS, Demonstrated, adapt


def test_demonstrations_are_read_as_if_they_stood_in_front():
    tiny, text = tiny_model(), sentences()
    shown = tiny.tokenizer("a b It was great c d It was terrible", return_tensors="pt").input_ids
    behind = LanguageModel("shown", Demonstrated(tiny.model, shown), tiny.tokenizer)
    batch = make_batch(tiny.tokenizer, text[:5], begin=False)
    for _ in range(2):  # the kept past is not used up
        packed = last_logits(behind, batch)
    for row, example in zip(packed, text[:5], strict=True):
        tail = tiny.tokenizer(prompt(example.sentence), return_tensors="pt").input_ids
        alone = tiny.model(torch.cat([shown, tail], 1)).logits[0, -1]
        torch.testing.assert_close(row, alone, rtol=1e-4, atol=1e-4)


@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing.:FutureWarning")
def test_a_prefix_starts_as_tokens_that_were_read():
    text = sentences()
    tuned = adapt(tiny_model(), "prefix", seed=7)
    check_packing(tuned, text[:3])
    tiny = tiny_model()
    with torch.random.fork_rng():
        torch.manual_seed(7)
        first = torch.randint(len(tiny.tokenizer), (1, PREFIX_TOKENS))
    read = LanguageModel("read", Demonstrated(tiny.model, first), tiny.tokenizer)
    batch = make_batch(tiny.tokenizer, text[:4])
    torch.testing.assert_close(last_logits(tuned, batch), last_logits(read, batch))
