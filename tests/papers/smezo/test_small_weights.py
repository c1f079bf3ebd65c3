"""What small weights hold: the study on a tiny model, the claims on made-up studies."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from zotheory.budget import BUDGETS
from zotheory.context import Context
from zotheory.evidence import modelled
from zotheory.model.prompts import label_word_ids, last_logits, make_batch, prompt_loss
from zotheory.papers import claim
from zotheory.papers.smezo import finetuned
from zotheory.papers.smezo.finetuned import AT_FIRST, BATCHES, SHARES_OF
from zotheory.papers.smezo.trained import TrainedStudy, measure_trained, smallest
from zotheory.vocabulary import Kind

CONTEXT = Context("a claim", 0, BUDGETS["quick"], None, "a model", None)
FEW = {"share": 0.2, "steps": 2, "batch_size": 3, "learning_rate": 0.1, "seed": 4}
FIRST = {"shares_of": {0: ("vocabulary",)}, "batches": {0: 2}}


def flat_gradient(model, batch, loss="vocabulary"):
    words = label_word_ids(model.tokenizer)
    value = prompt_loss(last_logits(model, batch), batch.labels, words, loss)
    parts = torch.autograd.grad(value, list(model.model.parameters()))
    return dict(zip((n for n, _ in model.model.named_parameters()), parts, strict=True))


def test_the_study_on_a_tiny_model(tiny, text):
    before = [p.detach().clone() for p in tiny.model.parameters()]
    shares_of = {0: ("vocabulary", "label_words"), 2: ("vocabulary",)}
    found = measure_trained(tiny, text, shares_of=shares_of, batches={0: 2, 1: 4, 2: 3}, **FEW)
    assert all(map(torch.equal, before, tiny.model.parameters()))
    assert found.losses.shape == (2,)
    assert set(found.shares) == {("vocabulary", 0), ("label_words", 0), ("vocabulary", 2)}
    assert {phase: len(of) for phase, of in found.cosines.items()} == {0: 2, 1: 4, 2: 3}
    # the batch that is trained on next, and one of those that are never trained on
    order = np.random.default_rng(FEW["seed"]).permutation(len(text))
    drawn = np.random.default_rng([FEW["seed"], 0]).choice(order[6:], 3, replace=False)
    rows = order[:3], drawn
    batches = [make_batch(tiny.tokenizer, [text[i] for i in row]) for row in rows]
    first, second = (
        torch.cat([g.flatten() for g in flat_gradient(tiny, b).values()]) for b in batches
    )
    cosine = float(torch.nn.functional.cosine_similarity(first, second, dim=0))
    assert found.cosines[0][0, 1] == pytest.approx(cosine, rel=1e-4)
    assert found.cosines[2][0, 1] != pytest.approx(cosine, rel=1e-4)


def test_the_share_is_what_the_smallest_hold(tiny, text):
    found = measure_trained(tiny, text, **FIRST, **FEW)
    rows = np.random.default_rng(FEW["seed"]).permutation(len(text))[:3]
    gradient = flat_gradient(tiny, make_batch(tiny.tokenizer, [text[i] for i in rows]))
    inside = whole = count = 0.0
    for name, w in tiny.model.named_parameters():
        if ".layers." in name and w.ndim == 2:
            order = w.detach().abs().flatten().argsort()[: round(0.2 * w.numel())]
            squares = gradient[name].double().flatten().square()
            inside, whole = inside + float(squares[order].sum()), whole + float(squares.sum())
            count += w.numel()
    assert found.shares["vocabulary", 0][0] == pytest.approx(inside / whole, rel=1e-3)
    assert found.weights == count
    assert found.masked / found.weights == pytest.approx(0.2, abs=0.01)
    everything = measure_trained(tiny, text, **FIRST, **FEW | {"share": 1.0})
    assert everything.shares["vocabulary", 0] == pytest.approx(np.ones(2))


def test_masks_are_of_named_matrices_only():
    model = torch.nn.Linear(4, 5)
    weight, bias = smallest(model, {"weight"}, 0.25)
    assert int(weight.sum()) == 5
    assert bias is None


def test_too_little_text_and_phases_beyond_the_run_are_refused(tiny, text):
    with pytest.raises(ValueError, match="sentences"):
        measure_trained(tiny, text[:8], **FIRST, **FEW)
    with pytest.raises(ValueError, match="phases"):
        measure_trained(tiny, text, shares_of={}, batches={3: 2}, **FEW)


def made_up(share, later=None, cosine=0.2):
    rng = np.random.default_rng(0)
    shares = {
        (loss, phase): (share if phase == AT_FIRST else (later or share))
        + 0.002 * rng.standard_normal(BATCHES[phase])
        for phase, losses in SHARES_OF.items()
        for loss in losses
    }
    matrices = {}
    for phase, count in BATCHES.items():
        above = np.triu(cosine + 0.02 * rng.standard_normal((count, count)), 1)
        matrices[phase] = np.eye(count) + above + above.T
    return TrainedStudy(1000, 200, shares, matrices, np.ones(44))


@pytest.fixture
def judged(monkeypatch):
    monkeypatch.setattr(modelled, "_load", lambda name: SimpleNamespace(name=name))

    def judge(id, kind, study):
        monkeypatch.setattr(finetuned, "study", lambda context: study)
        found = claim(id)
        (check,) = (check for check in found.checks if check.kind is Kind.MODEL)
        return check.judge(getattr(found, kind), CONTEXT)

    return judge


def test_shares_and_gains_say_both(judged):
    large, small, mixed = made_up(0.5), made_up(0.15), made_up(0.5, later=0.15)
    for id in ("smezo.small_share", "smezo.cosine.gain"):
        assert judged(id, "statement", large).verdict == "confirmed"
        assert judged(id, "mutant", large).verdict == "refuted"
        refuted = judged(id, "statement", small)
        assert refuted.verdict == "refuted"
        assert "snippet" in refuted.certificate
        assert judged(id, "correction", small).verdict == "confirmed"
        assert judged(id, "statement", mixed).verdict == "refuted"
    assert judged("smezo.cosine.gain", "statement", made_up(0.3)).verdict == "refuted"
    assert judged("smezo.small_share", "statement", made_up(0.3)).verdict == "confirmed"


def test_whom_a_step_hurts(judged):
    id = "smezo.intro.more_likely"
    assert judged(id, "statement", made_up(0.3, cosine=0.2)).verdict == "refuted"
    assert judged(id, "correction", made_up(0.3, cosine=0.2)).verdict == "confirmed"
    assert judged(id, "statement", made_up(0.3, cosine=-0.2)).verdict == "confirmed"
    assert judged(id, "correction", made_up(0.3, cosine=-0.2)).verdict == "refuted"


def test_independent_batches_are_helped_at_least_as_often_as_hurt():
    """By another route than the claim's: steps along drawn directions, for a skewed law."""
    found = claim("smezo.intro.more_likely")
    (check,) = (check for check in found.checks if check.kind is Kind.EXACT)
    assert check.judge(found.statement, CONTEXT).verdict == "refuted"
    assert check.judge(found.correction, CONTEXT).verdict == "proved"
    rng = np.random.default_rng(0)
    law = np.array([[1.0, 0.0], [-0.5, 0.9], [-0.5, -0.9], [-0.4, 0.1]])
    i, j = rng.integers(4, size=(2, 40_000))
    z = rng.standard_normal((40_000, 2))
    raised = np.einsum("td,td->t", law[i], z) * np.einsum("td,td->t", law[j], z) < 0
    assert raised.mean() < 0.5


def test_the_claims_study_is_what_they_read(judged, tiny, text, monkeypatch):
    monkeypatch.setattr(modelled, "_load", lambda name: tiny)
    monkeypatch.setattr(finetuned, "BATCH_SIZE", 1)
    monkeypatch.setattr(finetuned, "sentences", lambda *_: (text * 60)[:60])
    study = finetuned.measure(CONTEXT)
    assert {phase: len(of) for phase, of in study.cosines.items()} == BATCHES
    for id in ("smezo.small_share", "smezo.cosine.gain", "smezo.intro.more_likely"):
        assert judged(id, "statement", study).numbers
    found = judged("smezo.fig2b.held_out", "statement", study)
    assert f"after {max(finetuned.STEPS)} steps" in found.numbers
