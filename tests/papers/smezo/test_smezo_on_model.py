"""What is said of masks on a model's weights, judged on the tiny model."""

import pytest
import torch

from zotheory.budget import BUDGETS
from zotheory.context import Context
from zotheory.evidence import borrowed, modelled
from zotheory.model.prompts import label_word_ids, last_logits, make_batch, prompt_loss
from zotheory.papers import select
from zotheory.vocabulary import Kind, Verdict

WRONG = "of them not among as many smallest"
CONTEXT = Context("a claim", 0, BUDGETS["quick"], None, "tiny", None)


@pytest.fixture
def judged(tiny, text, monkeypatch):
    batch, words = make_batch(tiny.tokenizer, text[:8]), label_word_ids(tiny.tokenizer)

    @torch.no_grad()
    def loss():
        return prompt_loss(last_logits(tiny, batch), batch.labels, words, "vocabulary")

    monkeypatch.setattr(modelled, "_load", lambda name: tiny)
    monkeypatch.setattr(borrowed, "prompts_loss", lambda model, context, words: loss)

    def judge(id, kind):
        (claim,) = select([id])
        (check,) = (check for check in claim.checks if check.kind is Kind.MODEL)
        before = [p.detach().clone() for p in tiny.model.parameters()]
        found = check.judge(getattr(claim, kind), CONTEXT)
        assert all(map(torch.equal, before, tiny.model.parameters()))
        return found

    return judge


def test_the_signed_rule_selects_large_weights_and_the_other_does_not(judged):
    signed = judged("smezo.alg3.magnitude", "statement")
    assert signed.verdict is Verdict.REFUTED
    # At the 80th percentile of N(0, 1), 0.84, a sixth of those selected lie beyond the 80th
    # percentile of the magnitudes, 1.28, of which half... P(z < -1.28) = 0.1 of all.
    share = signed.numbers[WRONG] / signed.numbers["selected"]
    assert share == pytest.approx(0.1 / 0.8, abs=0.03)
    assert signed.certificate["actual"] > signed.certificate["claimed"] >= 0
    absolute = judged("smezo.alg3.magnitude", "correction")
    assert absolute.verdict is Verdict.CONFIRMED
    assert absolute.numbers[WRONG] == 0


def test_the_percentile_is_what_is_updated(judged):
    printed = judged("smezo.appendix8.sparsity", "statement")
    assert printed.verdict is Verdict.REFUTED
    assert printed.certificate["claimed"] == pytest.approx(0.2)
    assert printed.certificate["actual"] == pytest.approx(0.8, abs=0.01)
    assert judged("smezo.appendix8.sparsity", "correction").verdict is Verdict.CONFIRMED


def test_a_mask_computed_again_changes_and_a_stored_one_does_not(judged):
    again = judged("smezo.mask_changes", "statement")
    assert again.verdict is Verdict.CONFIRMED
    assert judged("smezo.mask_changes", "mutant").verdict is Verdict.REFUTED


def test_the_forward_pass_gives_the_loss_in_place(judged):
    assert judged("smezo.ei.same_loss", "statement").verdict is Verdict.CONFIRMED
    assert judged("smezo.ei.same_loss", "mutant").verdict is Verdict.REFUTED
