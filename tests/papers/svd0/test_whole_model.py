"""Table 15 on whole models, on made-up gradients and on a tiny model."""

import numpy as np
import pytest
import torch

import estimators
from tests.model.tiny_model import sentences, tiny_model
from zotheory.budget import BUDGETS
from zotheory.context import Context
from zotheory.evidence import modelled
from zotheory.evidence.draws import estimates
from zotheory.papers.shared.estimates import cos2, linear, zeros
from zotheory.papers.svd0 import whole_model
from zotheory.papers.svd0.whole_model import LOSSES, SEEDS, Norms, aligned

(CLAIM,) = whole_model.CLAIMS
(CHECK,) = CLAIM.checks
SIZES = np.array([4.0, 12.0])


@pytest.fixture
def context(tmp_path) -> Context:
    return Context("a.b", 0, BUDGETS["quick"], None, "tiny", tmp_path)


def judged(monkeypatch, context, statement, *squares):
    """Of the squared norms of the six gradients; the last ones are repeated."""
    keys = [(loss, seed) for seed in SEEDS for loss in LOSSES]
    rows = [*squares, *[squares[-1]] * (len(keys) - len(squares))]
    found = Norms(
        ("a.q.weight", "a.k.weight"), SIZES, dict(zip(keys, map(np.array, rows), strict=True))
    )
    monkeypatch.setattr(whole_model, "once", lambda *_: found)
    return CHECK.judge(statement, context)


def test_verdicts(monkeypatch, context):
    small, large = (1.0, 0.1), (0.1, 3.0)  # where most of the gradient is: a small, a large matrix
    assert judged(monkeypatch, context, CLAIM.statement, small).verdict == "confirmed"
    assert judged(monkeypatch, context, CLAIM.mutant, small).verdict == "refuted"
    refuted = judged(monkeypatch, context, CLAIM.statement, large)
    assert refuted.verdict == "refuted"
    assert "snippet" in refuted.certificate
    assert judged(monkeypatch, context, CLAIM.correction, large).verdict == "confirmed"
    assert judged(monkeypatch, context, CLAIM.statement, small, large).verdict == "inconclusive"


def test_the_terms_are_what_the_recipe_does():
    """E cos^2 of subzo over two matrices on <G, W>, against the sum of the terms over D."""
    named = zeros({"a": (2, 2), "b": (3, 4)})
    rng = np.random.default_rng(0)
    gradients = [
        torch.tensor(x * rng.standard_normal(w.shape))
        for x, (_, w) in zip((6, 1), named, strict=True)
    ]
    whole = torch.cat([g.flatten() for g in gradients])
    optimizer, closure = estimators.subzo(named, rank=1, seed=0), linear(named, gradients)
    found = [
        cos2(whole, torch.cat([part.flatten() for part in estimate.values()]))
        for estimate in estimates(optimizer, closure, range(1500))
    ]
    squares = np.array([float(g.square().sum()) for g in gradients])
    expected = aligned(squares, SIZES).sum() / SIZES.sum()
    error = np.std(found) / np.sqrt(len(found))
    assert abs(np.mean(found) - expected) < 5 * error
    assert abs(1 / SIZES.sum() - expected) > 7 * error


def test_the_norms_are_taken_on_a_model(context, monkeypatch):
    tiny = tiny_model()
    before = [p.detach().clone() for p in tiny.model.parameters()]
    monkeypatch.setattr(modelled, "_load", lambda name: tiny)
    monkeypatch.setattr(whole_model, "sentences", lambda context, words: sentences())
    found = whole_model.norms(context)
    assert len(found.squares) == len(LOSSES) * len(SEEDS)
    assert all(
        row.shape == found.sizes.shape and (row >= 0).all() for row in found.squares.values()
    )
    assert all(torch.equal(*pair) for pair in zip(tiny.model.parameters(), before, strict=True))
