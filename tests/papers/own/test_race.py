"""Runs of two methods, seed by seed: decided both ways."""

import json
import re

import numpy as np
import pytest

from zotheory.budget import BUDGETS, OWN_MODEL
from zotheory.context import Context
from zotheory.papers.own import race
from zotheory.statistics.intervals import student
from zotheory.vocabulary import AssetMissing, Verdict

CLAIMS = {claim.id: claim for claim in race.CLAIMS}
ID = "own.race.lezo.passes"


@pytest.fixture
def judge(tmp_path, monkeypatch):
    def judged(ratios, statement=CLAIMS[ID].statement, model=OWN_MODEL):
        monkeypatch.setattr(race, "races", lambda *_: dict(enumerate(ratios)))
        context = Context(ID, 0, BUDGETS["quick"], None, model, tmp_path)
        (check,) = CLAIMS[ID].checks
        return check.judge(statement, context)

    return judged


@pytest.mark.parametrize(
    ("middle", "spread", "verdict"),
    [
        (0.5, 0.05, Verdict.CONFIRMED),
        (2.0, 0.05, Verdict.REFUTED),
        (1.0, 0.05, Verdict.INCONCLUSIVE),
        (0.5, 1.0, Verdict.INCONCLUSIVE),
    ],
)
def test_the_mean_over_seeds_decides(middle, spread, verdict, judge):
    ratios = middle * np.exp(spread * np.array([-1.0, -0.5, 0.0, 0.3, 0.4, 0.8]))
    evidence = judge(ratios)
    assert evidence.verdict is verdict
    assert ("seeds would decide" in evidence.summary) is (verdict is Verdict.INCONCLUSIVE)
    assert evidence.numbers["by seed"]["2"] == middle
    if verdict is Verdict.REFUTED:
        assert judge(ratios, CLAIMS[ID].correction).verdict is Verdict.CONFIRMED
    if verdict is Verdict.CONFIRMED:
        assert judge(ratios, CLAIMS[ID].mutant).verdict is Verdict.REFUTED


@pytest.mark.parametrize(
    ("ratios", "told"),
    [
        ([0.5], "one seed tells no spread"),
        ([0.5, 0.9], r", \d+ seeds would decide"),
        ([0.5, 2.0], "more than 1000 seeds would decide"),
        ([0.5, float("inf")], "one of the runs lowered no loss"),
    ],
)
def test_few_seeds_or_a_run_that_learnt_nothing_leave_it_open(ratios, told, judge):
    evidence = judge(ratios)
    assert evidence.verdict is Verdict.INCONCLUSIVE
    assert re.search(told, evidence.summary)
    json.dumps(evidence.numbers, allow_nan=False)


def test_the_seeds_that_it_would_take_are_the_least_that_decide():
    logs = np.log([0.7, 0.8, 0.95])
    count = race.seeds_needed(logs, 1e-4)

    def high(count):
        """The upper end of Student's, of as many values of that mean and spread."""
        values = np.resize([-1.0, 1.0], count)
        values = (values - values.mean()) / values.std(ddof=1)
        return student(logs.mean() + logs.std(ddof=1) * values, 1e-4)[1]

    assert high(count) < 0.0 <= high(count - 1)
    assert race.seeds_needed(np.log([0.5, 2.0]), 1e-4) is None


def test_what_no_runs_say_is_a_missing_asset(judge):
    with pytest.raises(AssetMissing, match="no recorded runs of lezo and mezo share a seed"):
        judge([])
    with pytest.raises(AssetMissing, match="are of smollm2-135m, not of tiny"):
        judge([0.5], model="tiny")
