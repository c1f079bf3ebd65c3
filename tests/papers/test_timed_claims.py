"""Claims about times, judged on made-up seconds, say both."""

import numpy as np
import pytest
import torch

from tests.model.tiny_model import sentences
from zotheory.budget import BUDGETS
from zotheory.context import Context
from zotheory.evidence import modelled
from zotheory.papers import claim
from zotheory.papers.lezo import timing as lezo
from zotheory.papers.smezo import timing as smezo
from zotheory.papers.svd0 import timing as svd0

CONTEXT = Context("a claim", 0, BUDGETS["quick"], None, "a model", None)


@pytest.fixture
def judged(monkeypatch):
    def judge(id, kind, seconds):
        for module in (lezo, smezo, svd0):
            monkeypatch.setattr(module, "once", lambda *_: seconds)
        found = claim(id)
        (check,) = found.checks
        return check.judge(getattr(found, kind), CONTEXT)

    return judge


def rounds(seconds, count=lezo.SHORT_ROUNDS):
    return seconds * (1 + 0.001 * np.random.default_rng(0).standard_normal(count))


def prompts(forward, mezo, sparse, dropped=0.7):
    """Seconds of a forward pass and of both methods' steps, the same for either loop."""
    times = {lezo.FORWARD: rounds(forward)}
    seconds = {
        by: times | {f"MeZO, {by}": rounds(mezo), f"LeZO, {by}": rounds(sparse)}
        for by in (lezo.PUBLISHED, lezo.OURS)
    }
    return seconds, dropped


def test_half_of_a_step(judged):
    most, little = prompts(1.0, 6.0, 4.0), prompts(1.0, 2.5, 2.2)
    assert judged("lezo.fig2.half", "statement", most).verdict == "confirmed"
    assert judged("lezo.fig2.half", "mutant", most).verdict == "refuted"
    refuted = judged("lezo.fig2.half", "statement", little)
    assert refuted.verdict == "refuted"
    assert "snippet" in refuted.certificate
    assert judged("lezo.fig2.half", "correction", little).verdict == "confirmed"


def test_amdahls_law(judged):
    follows = prompts(1.0, 6.0, 6.0 * (1 - 0.7 * 4 / 6))
    assert judged("lezo.fig5.amdahl", "statement", follows).verdict == "confirmed"
    assert judged("lezo.fig5.amdahl", "mutant", follows).verdict == "refuted"
    assert judged("lezo.fig5.amdahl", "statement", prompts(1.0, 6.0, 6.0)).verdict == "refuted"
    away = prompts(1.0, 6.0, 1.2 * 6.0 * (1 - 0.7 * 4 / 6))
    assert judged("lezo.fig5.amdahl", "statement", away).verdict == "refuted"
    assert judged("lezo.fig5.amdahl", "correction", away).verdict == "confirmed"


def test_what_is_saved_falls_with_length(judged):
    def rows(*speed_ups, published=(5, 3, 2)):
        return {
            by: {
                length: {f"MeZO, {by}": rounds(s), f"LeZO, {by}": np.ones(32)}
                for length, s in zip(lezo.LENGTHS, of, strict=True)
            }
            for by, of in ((lezo.PUBLISHED, published), (lezo.OURS, speed_ups))
        }

    assert judged("lezo.fig6.length", "statement", rows(3, 2, 1.5)).verdict == "confirmed"
    assert judged("lezo.fig6.length", "mutant", rows(3, 2, 1.5)).verdict == "refuted"
    assert judged("lezo.fig6.length", "statement", rows(3, 2, 2.5)).verdict == "refuted"
    assert judged("lezo.fig6.length", "statement", rows(3, 2, 2)).verdict == "inconclusive"
    other = rows(3, 2, 1.5, published=(3, 2, 2.5))
    assert judged("lezo.fig6.length", "statement", other).verdict == "refuted"


def test_the_overhead_of_a_subspace(judged):
    def seconds(times):
        kept = {f"{m}, kept": rounds(t, svd0.ROUNDS) for m, t in zip(svd0.METHODS, times, strict=1)}
        return kept | {f"{method}, renewed": np.array([3.0]) for method in svd0.METHODS}

    assert judged("svd0.table1.overhead", "statement", seconds((1.02, 1))).verdict == "confirmed"
    assert judged("svd0.table1.overhead", "statement", seconds((1.3, 1))).verdict == "refuted"
    assert judged("svd0.table1.overhead", "correction", seconds((1.3, 1))).verdict == "confirmed"
    assert judged("svd0.table1.overhead", "mutant", seconds((1.02, 1))).verdict == "refuted"


def test_the_overhead_of_a_mask(judged):
    def seconds(ratio):
        return {smezo.MEZO: rounds(1.0, smezo.ROUNDS), smezo.SMEZO: rounds(ratio, smezo.ROUNDS)}

    id = "smezo.abstract.no_overhead"
    assert judged(id, "statement", seconds(1.05)).verdict == "confirmed"
    assert judged(id, "mutant", seconds(1.05)).verdict == "refuted"
    assert judged(id, "statement", seconds(1.4)).verdict == "refuted"
    assert judged(id, "correction", seconds(1.4)).verdict == "confirmed"


def test_what_is_timed_is_mezos_noise_under_the_mask():
    plain, masked = (torch.full((3, 4), 1.0, dtype=torch.float64) for _ in range(2))
    masked[0] = plain[0] = 0.1
    start = masked.clone()
    smezo.perturb([plain], 5, None)
    smezo.perturb([masked], 5, [0.5])
    assert torch.equal(masked[0], plain[0])
    assert torch.equal(masked[1:], start[1:])
    assert not torch.equal(plain[1:], start[1:])


def test_both_perturbations_are_timed_on_the_models_own_matrices(tiny, monkeypatch):
    monkeypatch.setattr(modelled, "_load", lambda name: tiny)
    monkeypatch.setattr(smezo, "ROUNDS", 2)
    before = [p.detach().clone() for p in tiny.model.parameters()]
    seconds = smezo._seconds(CONTEXT)
    assert {name: len(taken) for name, taken in seconds.items()} == {smezo.MEZO: 2, smezo.SMEZO: 2}
    assert all(map(torch.equal, before, tiny.model.parameters()))


def test_what_renewals_add(judged):
    def seconds(times):
        return {"kept": rounds(1.0, svd0.ROUNDS), "renewal": np.array([float(times)])}

    id = "svd0.sec42.frequency_cost"
    assert judged(id, "statement", seconds(10)).verdict == "confirmed"
    assert judged(id, "mutant", seconds(10)).verdict == "refuted"
    for times in (1, 40):
        refuted = judged(id, "statement", seconds(times))
        assert refuted.verdict == "refuted"
        assert "snippet" in refuted.certificate
    assert judged(id, "correction", seconds(40)).verdict == "confirmed"


def test_renewals_are_timed_on_a_model(tiny, monkeypatch):
    monkeypatch.setattr(modelled, "_load", lambda name: tiny)
    monkeypatch.setattr("zotheory.evidence.borrowed.sentences", lambda *_: sentences() * 50)
    monkeypatch.setattr(svd0, "ROUNDS", 2)
    monkeypatch.setattr(svd0, "RANK", 2)
    before = [p.detach().clone() for p in tiny.model.parameters()]
    seconds = svd0._renewal_seconds(CONTEXT)
    assert {name: len(taken) for name, taken in seconds.items()} == {"kept": 2, "renewal": 1}
    assert all(map(torch.equal, before, tiny.model.parameters()))
