"""Gradients of a model with Gaussian weights: what is redrawn, what is counted, what is decided."""

from contextlib import contextmanager
from fractions import Fraction

import numpy as np
import pytest
import torch

from tests.model.tiny_model import sentences, tiny_model
from zotheory.budget import BUDGETS
from zotheory.context import Context
from zotheory.evidence import modelled
from zotheory.model.gradients import layer_weights
from zotheory.papers import claim
from zotheory.papers.tezo import origin

CONTEXT = Context("a claim", 0, BUDGETS["quick"], None, "a model", None)


@pytest.fixture(scope="module")
def model():
    return tiny_model()


def test_each_matrix_keeps_its_deviation_and_nothing_else(model):
    weights = layer_weights(model.model)
    before = {name: p.detach().clone() for name, p in model.model.named_parameters()}
    with borrowed(model):
        origin.redraw(model.model, weights, np.random.default_rng(0))
        after = dict(model.model.named_parameters())
        for weight in weights:
            old, new = before[weight.name], after[weight.name]
            assert float((new.std() / old.std()).detach()) == pytest.approx(
                1, abs=5 / old.numel() ** 0.5
            )
            assert not torch.equal(old, new)
        for name in set(before) - {w.name for w in weights}:
            assert torch.equal(before[name], after[name])


def test_parts_are_those_of_the_gradients_singular_values(model):
    weights = layer_weights(model.model)
    found = origin.parts_above(model, sentences()[:4], weights)
    gradients = origin_gradients(model, sentences()[:4], weights)
    for weight, part in zip(weights, found, strict=True):
        values = torch.linalg.svdvals(gradients[weight.name].double())
        count = int((values > 0.25 * values[0]).sum())
        assert part == Fraction(count, min(weight.shape))


def origin_gradients(model, batch, weights):
    from zotheory.model.points import point

    return point(model, batch, weights).gradients


@contextmanager
def borrowed(model):
    copies = [p.detach().clone() for p in model.model.parameters()]
    try:
        yield
    finally:
        for p, copy in zip(model.model.parameters(), copies, strict=True):
            p.data.copy_(copy)


def test_draws_see_the_same_batches_with_both_weights(model, monkeypatch):
    monkeypatch.setattr(origin, "sentences", lambda *_: sentences())
    monkeypatch.setattr(modelled, "_load", lambda _: model)
    before = [p.detach().clone() for p in model.model.parameters()]
    found = origin._measure(CONTEXT)
    assert all(map(torch.equal, before, model.model.parameters()))
    assert {name: len(rows) for name, rows in found.items()} == {"as trained": 3, "Gaussian": 3}
    assert found["as trained"] != found["Gaussian"]


@pytest.mark.parametrize(
    ("parts", "verdicts"),
    [
        ([[0.3] * 6] * 3, ("confirmed", "refuted", "refuted")),
        ([[0.05] * 6] * 3, ("refuted", "refuted", "confirmed")),
        ([[0.1, 0.1, 0.1, 0.2, 0.2, 0.2]] * 3, ("refuted", "refuted", "confirmed")),  # half: no
        ([[0.3] * 6, [0.05] * 6, [0.3] * 6], ("inconclusive", "refuted", "inconclusive")),
    ],
)
def test_more_than_half_of_the_matrices_decide_at_every_draw(monkeypatch, parts, verdicts):
    rows = [[Fraction(part).limit_denominator(100) for part in draw] for draw in parts]
    monkeypatch.setattr(origin, "once", lambda *_: {"Gaussian": rows, "as trained": rows})
    found = claim("tezo.sec42.origin")
    (check,) = found.checks
    for kind, verdict in zip(("statement", "mutant", "correction"), verdicts, strict=True):
        said = check.judge(getattr(found, kind), CONTEXT)
        assert said.verdict == verdict, kind
        if verdict == "refuted":
            assert "np.mean" in said.certificate["snippet"]
