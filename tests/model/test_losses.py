import math

import pytest
import torch
from transformers import BloomConfig, BloomForCausalLM

from zotheory.model.language_model import LanguageModel, ModelError
from zotheory.model.prompts import (
    check_packing,
    label_word_ids,
    last_logits,
    make_batch,
    prompt_loss,
)


def test_packed_prompts_give_the_logits_they_give_alone(tiny, text):
    packed = last_logits(tiny, make_batch(tiny.tokenizer, text[:6]))
    for row, example in zip(packed, text[:6], strict=True):
        tokens = tiny.tokenizer(example.sentence + " It was", return_tensors="pt").input_ids
        alone = tiny.model(tokens).logits[0, -1]
        torch.testing.assert_close(row, alone, rtol=1e-4, atol=1e-4)
    check_packing(tiny, text[:3])


def test_an_architecture_that_cannot_be_packed_is_refused(tiny, text):
    # Bloom derives positions (ALiBi) from a two-dimensional mask and takes no position ids.
    config = BloomConfig(vocab_size=len(tiny.tokenizer), hidden_size=16, n_layer=2, n_head=2)
    bloom = LanguageModel("bloom", BloomForCausalLM(config).eval(), tiny.tokenizer)
    with pytest.raises(ModelError, match="pack"):
        check_packing(bloom, text[:3])


def test_losses_by_hand():
    logits = torch.tensor([[0.0, 1.0, 2.0], [3.0, 0.0, 0.0]])
    labels = torch.tensor([1, 0])
    whole = [math.log(math.exp(-2) + math.exp(-1) + 1), math.log(math.exp(3) + 2)]
    two = [math.log(math.exp(-1) + 1), math.log(2)]
    words = (1, 2)
    assert prompt_loss(logits, labels, words, "vocabulary").item() == pytest.approx(sum(whole) / 2)
    assert prompt_loss(logits, labels, words, "label_words").item() == pytest.approx(sum(two) / 2)
    with pytest.raises(ValueError, match="vocabulary"):
        prompt_loss(logits, labels, words, "margin")


@pytest.mark.slow
def test_smollm2_has_something_to_learn(smollm2, reviews):
    # Its own accuracy is about 51%; 400 sentences give it to within 5% (two standard errors).
    words = torch.tensor(label_word_ids(smollm2.tokenizer))
    right = 0
    for start in range(0, 400, 16):
        batch = make_batch(smollm2.tokenizer, reviews.test[start : start + 16])
        with torch.no_grad():
            predicted = last_logits(smollm2, batch)[:, words].argmax(1)
        right += int((predicted == batch.labels).sum())
    assert 0.44 < right / 400 < 0.60
