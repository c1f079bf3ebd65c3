import dataclasses
import os

import numpy as np
import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from zotheory.model.language_model import LanguageModel, ModelError
from zotheory.model.prompts import label_word_ids, last_logits, make_batch, prompt_loss
from zotheory.model.scratch import WEIGHTS_EVERY
from zotheory.model.study import FEED_FORWARD_EVERY, measure_gradients, spread

SETTINGS = {"seed": 5, "batches": 7, "batch_size": 4, "learning_rate": 0.05}


class KilledError(Exception):
    """Stands for whatever ends a run."""


def killer(after):
    def progress(finished, _):
        if finished == after:
            raise KilledError

    return progress


def assert_same(one, other):
    np.testing.assert_array_equal(one.losses, other.losses)
    for field in ("spectra", "cosines"):
        left, right = getattr(one, field), getattr(other, field)
        assert left.keys() == right.keys()
        for name in left:
            np.testing.assert_array_equal(left[name], right[name])


def by_hand(tiny, text, loss):
    """The same run with autograd.grad and a dense update, gradients kept."""
    order = np.random.default_rng(5).permutation(len(text))[:28]
    parameters = dict(tiny.model.named_parameters())
    words = label_word_ids(tiny.tokenizer)
    losses, history = [], []
    for t in range(7):
        batch = make_batch(tiny.tokenizer, [text[i] for i in order[4 * t : 4 * t + 4]])
        value = prompt_loss(last_logits(tiny, batch), batch.labels, words, loss)
        gradients = torch.autograd.grad(value, list(parameters.values()))
        losses.append(value.item())
        history.append(dict(zip(parameters, gradients, strict=True)))
        with torch.no_grad():
            for parameter, gradient in zip(parameters.values(), gradients, strict=True):
                parameter -= 0.05 * gradient
    return losses, history


@pytest.mark.parametrize("loss", ["vocabulary", "label_words"])
def test_study_is_plain_fine_tuning_measured(tiny, text, loss):
    before = {name: p.detach().clone() for name, p in tiny.model.named_parameters()}
    study = measure_gradients(tiny, text, loss=loss, **SETTINGS)
    for name, parameter in tiny.model.named_parameters():
        assert torch.equal(parameter, before[name])  # a copy was trained
    losses, history = by_hand(tiny, text, loss)
    np.testing.assert_allclose(study.losses, losses, rtol=1e-4)
    assert len(study.weights) == len(study.spectra) == len(study.cosines) == 28
    for weight in study.weights:
        attention = weight.module in ("q_proj", "k_proj", "v_proj", "o_proj")
        for t, gradients in enumerate(history):
            row = study.spectra[weight.name][t]
            if attention or t % FEED_FORWARD_EVERY == 0:
                expected = torch.linalg.svdvals(gradients[weight.name].double()).numpy()
                np.testing.assert_allclose(row, expected, rtol=1e-2, atol=1e-4 * expected[0])
            else:
                assert np.isnan(row).all()
        stack = torch.stack([g[weight.name].double().flatten() for g in history])
        stack /= stack.norm(dim=1, keepdim=True)
        np.testing.assert_allclose(study.cosines[weight.name], stack @ stack.T, atol=1e-3)


@pytest.mark.parametrize("after", [1, 3, 6])
def test_a_run_that_was_stopped_goes_on_to_the_same_numbers(tiny, text, tmp_path, after):
    whole = measure_gradients(tiny, text, **SETTINGS)
    with pytest.raises(KilledError):
        measure_gradients(tiny, text, scratch=tmp_path, progress=killer(after), **SETTINGS)
    finished = []
    resumed = measure_gradients(
        tiny, text, scratch=tmp_path, progress=lambda t, _: finished.append(t), **SETTINGS
    )
    kept = after - after % WEIGHTS_EVERY
    assert finished == list(range(kept + 1, 8))
    assert_same(resumed, whole)


@pytest.mark.parametrize("renames", range(1, 10))
def test_a_run_killed_at_any_rename_goes_on_to_the_same_numbers(
    tiny, text, tmp_path, monkeypatch, renames
):
    # The folder changes by renames alone, so these are all the states a SIGKILL can leave behind:
    # 1 for the gradients' file, 7 for the batches, 1 for the weights.
    whole = measure_gradients(tiny, text, **SETTINGS)
    really, left = os.replace, iter(range(renames - 1))

    def replace(source, target):
        if next(left, None) is None:
            raise KilledError
        really(source, target)

    monkeypatch.setattr(os, "replace", replace)
    with pytest.raises(KilledError):
        measure_gradients(tiny, text, scratch=tmp_path, **SETTINGS)
    monkeypatch.setattr(os, "replace", really)
    assert_same(measure_gradients(tiny, text, scratch=tmp_path, **SETTINGS), whole)


def test_a_finished_study_is_read_back_and_leaves_only_its_numbers(tiny, text, tmp_path):
    first = measure_gradients(tiny, text, scratch=tmp_path, **SETTINGS)
    (folder,) = tmp_path.iterdir()
    assert {path.suffix or path.name for path in folder.iterdir()} == {".npz", "lock"}

    def never(*_):
        raise AssertionError("a finished batch was repeated")

    assert_same(measure_gradients(tiny, text, scratch=tmp_path, progress=never, **SETTINGS), first)


@pytest.mark.parametrize(
    "change", [{"seed": 6}, {"loss": "label_words"}, {"learning_rate": 0.06}, {"layers": [1]}]
)
def test_other_settings_do_not_share_a_folder(tiny, text, tmp_path, change):
    measure_gradients(tiny, text, scratch=tmp_path, **SETTINGS)
    other = measure_gradients(tiny, text, scratch=tmp_path, **{**SETTINGS, **change})
    assert len(list(tmp_path.iterdir())) == 2
    assert_same(other, measure_gradients(tiny, text, **{**SETTINGS, **change}))


def test_another_model_or_text_does_not_share_a_folder(tiny, text, tmp_path):
    measure_gradients(tiny, text, scratch=tmp_path, **SETTINGS)
    flipped = [example._replace(label=1 - example.label) for example in text]
    measure_gradients(tiny, flipped, scratch=tmp_path, **SETTINGS)
    with torch.no_grad():
        tiny.model.model.layers[0].mlp.up_proj.weight[0, 0] += 1e-3
    measure_gradients(tiny, text, scratch=tmp_path, **SETTINGS)
    assert len(list(tmp_path.iterdir())) == 3


def test_layers_are_chosen(tiny, text):
    study = measure_gradients(tiny, text, layers=[2], similarity_layers=[1, 3], **SETTINGS)
    assert {w.layer for w in study.weights} == {2}
    assert len(study.cosines) == 14
    assert all(".1." in name or ".3." in name for name in study.cosines)


def test_spread(tiny):
    assert spread(tiny.model, 1) == (2,)
    assert spread(tiny.model, 2) == (1, 3)
    assert spread(tiny.model, 4) == (0, 1, 2, 3)
    for bad in (0, 5):
        with pytest.raises(ValueError, match="4 layers"):
            spread(tiny.model, bad)


def test_threads_are_put_back(tiny, text):
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        measure_gradients(tiny, text, **SETTINGS)
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"batches": 1}, "batches"),
        ({"batch_size": 0}, "batch_size"),
        ({"batches": 13}, "52 sentences, got 48"),
        ({"learning_rate": -1.0}, "learning rate"),
        ({"learning_rate": float("nan")}, "learning rate"),
        ({"loss": "margin"}, "margin"),
        ({"layers": []}, "layers"),
        ({"layers": [4]}, r"\[4\]"),
        ({"similarity_layers": [-1]}, r"\[-1\]"),
    ],
)
def test_bad_settings(tiny, text, change, message):
    with pytest.raises(ValueError, match=message):
        measure_gradients(tiny, text, **{**SETTINGS, **change})


def test_a_model_without_known_attention_matrices_is_refused(tiny, text):
    config = GPT2Config(
        vocab_size=len(tiny.tokenizer),
        n_embd=8,
        n_layer=1,
        n_head=2,
        bos_token_id=0,
        eos_token_id=0,
    )
    gpt2 = LanguageModel("gpt2", GPT2LMHeadModel(config).eval(), tiny.tokenizer)
    with pytest.raises(ModelError, match="q_proj"):
        measure_gradients(gpt2, text, **SETTINGS)


def test_divergence_is_said(tiny, text):
    with pytest.raises(ModelError, match=r"learning rate|norm"):
        measure_gradients(tiny, text, **{**SETTINGS, "learning_rate": 1e30})


@pytest.mark.slow
def test_smollm2_resumed_run_equals_the_uninterrupted_one(smollm2, reviews, tmp_path):
    settings = {"seed": 0, "batches": 3, "layers": [6, 18], "similarity_layers": [6, 18]}
    whole = measure_gradients(smollm2, reviews.train, **settings)
    with pytest.raises(KilledError):
        measure_gradients(smollm2, reviews.train, scratch=tmp_path, progress=killer(2), **settings)
    resumed = measure_gradients(smollm2, reviews.train, scratch=tmp_path, **settings)
    assert_same(resumed, whole)
    assert dataclasses.astuple(whole)[:4] == (0, 16, "vocabulary", 1e-3)
