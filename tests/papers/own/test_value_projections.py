"""Noise on some matrices alone, on made-up gradients and on a tiny model's."""

import numpy as np
import pytest
import torch

from tests.model.tiny_model import sentences, tiny_model
from zotheory.budget import BUDGETS
from zotheory.context import Context
from zotheory.evidence import modelled
from zotheory.papers.own import value_projections
from zotheory.papers.own.value_projections import CLAIMS, LOSSES, gain

(CLAIM,) = CLAIMS
(CHECK,) = CLAIM.checks


@pytest.fixture
def context(tmp_path) -> Context:
    return Context(CLAIM.id, 0, BUDGETS["quick"], None, "tiny", tmp_path)


def norms(share: float) -> dict:
    """A 32nd of all entries has so much of the squared gradient."""
    return {"v_proj": (100, share), "q_proj": (3100, 1 - share)}


def judged(statement, shares, context, monkeypatch):
    places = [(seed, loss) for seed in range(3) for loss in LOSSES]
    found = dict(zip(places, map(norms, shares), strict=True))
    monkeypatch.setattr(value_projections, "once", lambda *_: found)
    return CHECK.judge(statement, context)


def test_all_six_must_agree(context, monkeypatch):
    high, low, mixed = [0.2] * 6, [0.05] * 6, [0.2] * 5 + [0.05]
    for statement, verdicts in (
        (CLAIM.statement, ("confirmed", "refuted", "inconclusive")),
        (CLAIM.correction, ("refuted", "confirmed", "inconclusive")),
        (CLAIM.mutant, ("refuted", "refuted", "refuted")),
    ):
        for shares, verdict in zip((high, low, mixed), verdicts, strict=True):
            assert judged(statement, shares, context, monkeypatch).verdict == verdict


def test_a_refutation_prints_both_numbers(context, monkeypatch, capsys):
    found = judged(CLAIM.statement, [0.05] * 6, context, monkeypatch)
    exec(found.certificate["snippet"], {})
    assert capsys.readouterr().out.split() == ["claimed", "3.0", "actual", "1.6"]


def test_the_gain_is_that_of_gaussian_noise_on_the_entries():
    """d E cos^2 of simulated noise on 2 of 8 entries, against noise on all of them."""
    g = np.arange(1.0, 9.0)
    found = np.prod(gain({"v_proj": (2, float(g[:2] @ g[:2])), "rest": (6, float(g[2:] @ g[2:]))}))
    z = np.random.default_rng(0).standard_normal((200_000, 2))
    cos2 = (z @ g[:2]) ** 2 / (g @ g) / (z**2).sum(axis=1)
    assert found == pytest.approx(8 * cos2.mean(), rel=0.02)


def test_no_such_module_is_told():
    with pytest.raises(ValueError, match="no v_proj"):
        gain({"q_proj": (4, 1.0)})


def test_norms_are_those_of_the_models_gradients(context, monkeypatch):
    """By autograd, for one batch and both losses of a tiny model."""
    from zotheory.model.gradients import layer_weights
    from zotheory.model.prompts import label_word_ids, last_logits, make_batch, prompt_loss

    model, text = tiny_model(), sentences()
    monkeypatch.setattr(modelled, "_load", lambda _: model)
    monkeypatch.setattr(value_projections, "sentences", lambda *_: text)
    found = value_projections._norms(context)
    assert len(found) == 6
    chosen = np.random.default_rng(1).choice(len(text), 16, replace=False)
    batch, words = make_batch(model.tokenizer, [text[i] for i in chosen]), None
    words = label_word_ids(model.tokenizer)
    parameters = dict(model.model.named_parameters())
    named = {w.name: parameters[w.name] for w in layer_weights(model.model)}
    for loss in LOSSES:
        value = prompt_loss(last_logits(model, batch), batch.labels, words, loss)
        gradients = dict(zip(named, torch.autograd.grad(value, list(named.values())), strict=True))
        values = [g for name, g in gradients.items() if "v_proj" in name]
        entries, square = found[1, loss]["v_proj"]
        assert entries == sum(g.numel() for g in values)
        assert square == pytest.approx(sum(float(g.square().sum()) for g in values), rel=1e-4)
        total = sum(float(g.square().sum()) for g in gradients.values())
        assert sum(s for _, s in found[1, loss].values()) == pytest.approx(total, rel=1e-4)
