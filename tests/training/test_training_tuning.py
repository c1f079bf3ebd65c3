import sys

import peft
import pytest
import torch
from transformers import GPTNeoXConfig, GPTNeoXForCausalLM  # an architecture peft knows

from tests.model.tiny_model import sentences, tiny_model
from zotheory.model.language_model import LanguageModel, load_model
from zotheory.model.prompts import last_logits, make_batch
from zotheory.training import TrainingError
from zotheory.training.model import adapt, load_trainable, save_model, trainable

pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing.:FutureWarning")


def test_what_is_trained():
    tiny = tiny_model()
    assert adapt(tiny, "full", 0) is tiny
    assert len(trainable(tiny.model)) == 4 * 9 + 2
    lora = trainable(adapt(tiny_model(), "lora", 0).model)
    assert len(lora) == 4 * 2 * 2
    assert all("lora_" in name for name in lora)
    prefix = trainable(adapt(tiny_model(), "prefix", 0).model)
    assert [tuple(t.shape) for t in prefix.values()] == [(5, 4 * 2 * 8)]


@pytest.mark.parametrize("tuning", ["lora", "prefix"])
def test_adapters_are_drawn_from_the_seed_and_held_in_32_bits(tuning):
    def drawn(seed):
        half = tiny_model()
        half.model.to(torch.bfloat16)
        return trainable(adapt(half, tuning, seed).model)

    state = torch.get_rng_state()
    one, same, other = drawn(0), drawn(0), drawn(1)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not all(torch.equal(one[name], other[name]) for name in one)
    assert {tensor.dtype for tensor in one.values()} == {torch.float32}


@pytest.mark.parametrize("tuning", ["full", "lora", "prefix"])
def test_weights_come_back(tuning):
    model = adapt(tiny_model(), tuning, 0).model
    kept = {name: tensor.clone() for name, tensor in trainable(model).items()}
    for tensor in trainable(model).values():
        tensor.add_(1.0)
    load_trainable(model, kept)
    assert all(torch.equal(kept[name], tensor) for name, tensor in trainable(model).items())


@pytest.mark.parametrize("tuning", ["full", "lora"])
def test_a_saved_model_is_a_model(tuning, tmp_path):
    tuned = adapt(tiny_model(), tuning, 0)
    for tensor in trainable(tuned.model).values():
        tensor.add_(0.05)
    batch = make_batch(tuned.tokenizer, sentences()[:4])
    expected = last_logits(tuned, batch)
    save_model(tuned, tuning, tmp_path)
    torch.testing.assert_close(last_logits(load_model(tmp_path), batch), expected)


def test_a_saved_prefix_is_an_adapter(tmp_path):
    save_model(adapt(tiny_model(), "prefix", 0), "prefix", tmp_path)
    assert (tmp_path / "adapter_config.json").exists()


def test_what_cannot_be_adapted_is_told_in_a_line(monkeypatch):
    def unknown(*_):
        raise ValueError("Please specify `target_modules`\nin `peft_config`")

    monkeypatch.setattr(peft, "get_peft_model", unknown)
    with pytest.raises(TrainingError, match=r"--tuning lora: Please specify `target_modules`$"):
        adapt(tiny_model(), "lora", 0)
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(TrainingError, match="needs the package peft"):
        adapt(tiny_model(), "lora", 0)


def test_lora_of_another_architecture():
    config = GPTNeoXConfig(
        vocab_size=28,
        hidden_size=16,
        intermediate_size=24,
        num_hidden_layers=2,
        num_attention_heads=2,
    )
    tuned = adapt(LanguageModel("neox", GPTNeoXForCausalLM(config), None), "lora", 0)
    assert len(trainable(tuned.model)) == 2 * 2
