"""Claims about times, judged on made-up seconds, say both."""

import json

import numpy as np
import pytest
import torch

from tests.model.tiny_model import sentences
from zotheory.budget import BUDGETS
from zotheory.context import Context
from zotheory.evidence import modelled
from zotheory.evidence.timed import in_turn
from zotheory.papers import claim
from zotheory.papers.lezo import timing as lezo
from zotheory.papers.smezo import timing as smezo
from zotheory.papers.svd0 import timing as svd0


@pytest.fixture
def context(tmp_path) -> Context:
    return Context("a claim", 0, BUDGETS["quick"], None, "a model", tmp_path)


@pytest.fixture
def judged(context, monkeypatch):
    """Judges a claim's statement, mutant or correction on made-up seconds.

    judged(id, kind, {rounds: {contender: seconds}}, once=...): all rounds there can be were taken.
    """

    def judge(id, kind, taken, once=None):
        for module in (lezo, svd0):
            monkeypatch.setattr(module, "once", lambda *_: once)
        for of, seconds in taken.items():
            path = context.scratch / "rounds" / f"{of.name}.json"
            path.parent.mkdir(exist_ok=True)
            rng = np.random.default_rng(0)
            noisy = {n: s * rng.normal(1, 0.001, of.most) for n, s in seconds.items()}
            path.write_text(json.dumps({name: values.tolist() for name, values in noisy.items()}))
        found = claim(id)
        (check,) = found.checks
        return check.judge(getattr(found, kind), context)

    return judge


def prompts(forward, mezo, sparse):
    """Seconds of a forward pass and of both methods' steps, the same for either loop."""
    seconds = {lezo.FORWARD: forward, lezo.MEZO: mezo, lezo.LEZO: sparse}
    return dict.fromkeys(lezo.PROMPTS.values(), seconds)


def test_half_of_a_step(judged):
    most, little = prompts(1.0, 6.0, 4.0), prompts(1.0, 2.5, 2.2)
    assert judged("lezo.fig2.half", "statement", most).verdict == "confirmed"
    assert judged("lezo.fig2.half", "mutant", most).verdict == "refuted"
    refuted = judged("lezo.fig2.half", "statement", little)
    assert refuted.verdict == "refuted"
    assert "snippet" in refuted.certificate
    assert judged("lezo.fig2.half", "correction", little).verdict == "confirmed"


def test_amdahls_law(judged):
    def verdict(kind, seconds):
        return judged("lezo.fig5.amdahl", kind, seconds, once=0.7).verdict

    follows = prompts(1.0, 6.0, 6.0 * (1 - 0.7 * 4 / 6))
    assert verdict("statement", follows) == "confirmed"
    assert verdict("mutant", follows) == "refuted"
    assert verdict("statement", prompts(1.0, 6.0, 6.0)) == "refuted"
    away = prompts(1.0, 6.0, 1.2 * 6.0 * (1 - 0.7 * 4 / 6))
    assert verdict("statement", away) == "refuted"
    assert verdict("correction", away) == "confirmed"


def test_what_is_saved_falls_with_length(judged):
    def verdict(kind, *speed_ups, published=(5, 3, 2)):
        loops = zip(lezo.ROWS.values(), (published, speed_ups), strict=True)
        seconds = {
            of: {
                f"{name} at {length}": s if name == lezo.MEZO else 1.0
                for length, s in zip(lezo.LENGTHS, found, strict=True)
                for name in (lezo.MEZO, lezo.LEZO)
            }
            for of, found in loops
        }
        return judged("lezo.fig6.length", kind, seconds).verdict

    assert verdict("statement", 3, 2, 1.5) == "confirmed"
    assert verdict("mutant", 3, 2, 1.5) == "refuted"
    assert verdict("statement", 3, 2, 2.5) == "refuted"
    assert verdict("statement", 3, 2, 2) == "inconclusive"
    assert verdict("statement", 3, 2, 1.5, published=(3, 2, 2.5)) == "refuted"


def test_the_overhead_of_a_subspace(judged):
    def verdict(kind, *times):
        seconds = {svd0.STEPS: dict(zip(svd0.METHODS, times, strict=True))}
        renewed = dict.fromkeys(svd0.METHODS, 3.0)
        return judged("svd0.table1.overhead", kind, seconds, once=renewed).verdict

    assert verdict("statement", 1.02, 1) == "confirmed"
    assert verdict("statement", 1.3, 1) == "refuted"
    assert verdict("correction", 1.3, 1) == "confirmed"
    assert verdict("mutant", 1.02, 1) == "refuted"


def test_the_overhead_of_a_mask(judged):
    def verdict(kind, ratio):
        seconds = {smezo.ROUNDS: {smezo.MEZO: 1.0, smezo.SMEZO: ratio}}
        return judged("smezo.abstract.no_overhead", kind, seconds).verdict

    assert verdict("statement", 1.05) == "confirmed"
    assert verdict("mutant", 1.05) == "refuted"
    assert verdict("statement", 1.4) == "refuted"
    assert verdict("correction", 1.4) == "confirmed"


def test_what_is_timed_is_mezos_noise_under_the_mask():
    plain, masked = (torch.full((3, 4), 1.0, dtype=torch.float64) for _ in range(2))
    masked[0] = plain[0] = 0.1
    start = masked.clone()
    smezo.perturb([plain], 5, None)
    smezo.perturb([masked], 5, [0.5])
    assert torch.equal(masked[0], plain[0])
    assert torch.equal(masked[1:], start[1:])
    assert not torch.equal(plain[1:], start[1:])


def test_what_renewals_add(judged):
    def found(kind, times):
        seconds = {svd0.LONG_STEPS: {svd0.KEPT: 1.0}}
        return judged("svd0.sec42.frequency_cost", kind, seconds, once=float(times))

    assert found("statement", 10).verdict == "confirmed"
    assert found("mutant", 10).verdict == "refuted"
    for times in (1, 40):
        refuted = found("statement", times)
        assert refuted.verdict == "refuted"
        assert "snippet" in refuted.certificate
    assert found("correction", 40).verdict == "confirmed"


TIMED = [*lezo.PROMPTS.values(), *lezo.ROWS.values(), svd0.STEPS, svd0.LONG_STEPS, smezo.ROUNDS]


@pytest.mark.parametrize("rounds", TIMED, ids=lambda rounds: rounds.name)
def test_what_is_timed_runs_on_a_model_and_leaves_it_as_it_was(rounds, tiny, context, monkeypatch):
    monkeypatch.setattr(modelled, "_load", lambda name: tiny)
    monkeypatch.setattr("zotheory.evidence.borrowed.sentences", lambda *_: sentences() * 50)
    monkeypatch.setattr(svd0, "RANK", 2)
    before = [p.detach().clone() for p in tiny.model.parameters()]
    with rounds.contenders(context) as contenders:
        found = next(in_turn(contenders))
    assert all(seconds > 0 for seconds in found.values())
    assert all(map(torch.equal, before, tiny.model.parameters()))


def test_a_renewal_is_timed_on_a_model(tiny, context, monkeypatch):
    monkeypatch.setattr(modelled, "_load", lambda name: tiny)
    monkeypatch.setattr("zotheory.evidence.borrowed.sentences", lambda *_: sentences() * 50)
    monkeypatch.setattr(svd0, "RANK", 2)
    assert svd0._renewal(context) > 0
    assert svd0._renewed(context).keys() == set(svd0.METHODS)
    assert 0 < lezo._dropped(context) < 0.75
