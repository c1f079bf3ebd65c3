import pytest
import torch

from tests.model.tiny_model import WORDS, tiny_tokenizer
from zotheory.model.language_model import ModelError
from zotheory.model.prompts import label_word_ids, make_batch, prompt
from zotheory.model.reviews import Example


def test_prompt():
    assert prompt("A film.") == "A film. It was"


def test_label_words_are_single_tokens(tiny):
    assert label_word_ids(tiny.tokenizer) == (WORDS.index("terrible"), WORDS.index("great"))


def test_unknown_label_word_is_refused():
    without = tiny_tokenizer([word for word in WORDS if word != "great"])
    with pytest.raises(ModelError, match="great"):
        label_word_ids(without)


def test_batch_places_prompts_behind_each_other(tiny):
    batch = make_batch(tiny.tokenizer, [Example("a b", 1), Example("c", 0)])
    expected = [WORDS.index(word) for word in ["a", "b", "It", "was", "c", "It", "was"]]
    assert batch.tokens.tolist() == [expected]
    assert batch.positions.tolist() == [[0, 1, 2, 3, 0, 1, 2]]
    assert batch.last.tolist() == [3, 6]
    assert batch.labels.tolist() == [1, 0]
    allowed = batch.mask[0, 0] == 0
    assert torch.equal(allowed[:4, :4], torch.ones(4, 4).tril().bool())
    assert torch.equal(allowed[4:, 4:], torch.ones(3, 3).tril().bool())
    assert not allowed[4:, :4].any()
    assert not allowed[:4, 4:].any()


def test_batch_refuses_bad_examples(tiny):
    with pytest.raises(ValueError, match="at least one"):
        make_batch(tiny.tokenizer, [])
    with pytest.raises(ValueError, match="labels"):
        make_batch(tiny.tokenizer, [Example("a", 2)])
