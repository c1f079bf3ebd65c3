"""Runs of two methods, seed by seed: decided both ways."""

import json
import re

import numpy as np
import pytest
import torch

import estimators
from zotheory.budget import BUDGETS, OWN_MODEL
from zotheory.context import Context
from zotheory.evidence.trained import races, recorded
from zotheory.papers.own import race
from zotheory.statistics.intervals import student
from zotheory.vocabulary import AssetMissing, Verdict

CLAIMS = {claim.id: claim for claim in race.CLAIMS}
ID, TIME = "own.race.lezo", "own.race.lezo.time"


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
    if spread < 1.0:
        mutant = judge(ratios, CLAIMS[ID].mutant)
        assert mutant.verdict is Verdict.REFUTED
        assert "would decide" not in mutant.summary


@pytest.mark.parametrize(
    ("ratios", "told"),
    [
        ([0.5], "one seed tells no spread"),
        ([0.5, 0.9], r"all pairs here do, \d+ seeds would decide"),
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
    mean, spread = np.log(0.8), 0.15
    count = race.seeds_needed(mean, spread, 1e-4)

    def high(count):
        """The upper end of Student's, of as many values of that mean and spread."""
        values = np.resize([-1.0, 1.0], count)
        values = (values - values.mean()) / values.std(ddof=1)
        return student(mean + spread * values, 1e-4)[1]

    assert high(count) < 0.0 <= high(count - 1)
    assert race.seeds_needed(0.0, spread, 1e-4) is None


def test_the_spread_of_a_seed_is_that_of_all_pairs():
    rng = np.random.default_rng(0)
    pairs = [np.exp(level + 0.3 * rng.standard_normal(2)) for level in range(400)]
    assert race.spread_of(pairs) == pytest.approx(0.3, rel=0.1)
    assert race.spread_of([*pairs, [5.0], [0.0, 1.0]]) == race.spread_of(pairs)
    assert np.isnan(race.spread_of([[0.5]]))


@pytest.fixture
def judge_time(tmp_path, monkeypatch):
    """Judges by the clock, on the seconds of a step of LeZO where MeZO's takes 2, both 2 passes."""

    def judged(ratios, seconds, statement=CLAIMS[TIME].statement):
        monkeypatch.setattr(race, "races", lambda *_: dict(enumerate(ratios)))
        monkeypatch.setattr(race, "once", lambda *_: {"lezo": 2, "mezo": 2})
        rng = np.random.default_rng(0)
        taken = {
            name: (of * rng.normal(1, 0.01, race.MOST_ROUNDS)).tolist()
            for name, of in {"lezo": seconds, "mezo": 2.0}.items()
        }
        (tmp_path / "rounds").mkdir(exist_ok=True)
        (tmp_path / "rounds" / f"{race.STEPS.name}.json").write_text(json.dumps(taken))
        (check,) = CLAIMS[TIME].checks
        context = Context(TIME, 0, BUDGETS["quick"], None, OWN_MODEL, tmp_path)
        return check.judge(statement, context)

    return judged


RATIOS = np.exp(0.05 * np.array([-1.0, -0.5, 0.0, 0.3, 0.4, 0.8]))


@pytest.mark.parametrize(
    ("seconds", "verdict"),
    [(1.0, Verdict.CONFIRMED), (4.0, Verdict.REFUTED), (2.0, Verdict.INCONCLUSIVE)],
)
def test_the_time_is_that_of_the_passes_and_their_length(seconds, verdict, judge_time):
    evidence = judge_time(RATIOS, seconds)
    assert evidence.verdict is verdict
    assert ("seeds would decide" in evidence.summary) is (verdict is Verdict.INCONCLUSIVE)
    (numbers,) = evidence.numbers.values()
    assert numbers["LeZO, a pass [s], median"] == pytest.approx(seconds / 2, rel=0.02)
    if verdict is Verdict.REFUTED:
        assert judge_time(RATIOS, seconds, CLAIMS[TIME].correction).verdict is Verdict.CONFIRMED
        assert "np.exp(np.log(values).mean())" in evidence.certificate["snippet"]
    assert judge_time(RATIOS, seconds, CLAIMS[TIME].mutant).verdict is Verdict.REFUTED


def test_the_seeds_that_a_time_would_take_are_for_what_the_clock_leaves(judge_time):
    few = judge_time([0.5, 0.9], 2.0).summary
    more = judge_time([0.5, 0.9], 2.6).summary
    counts = [int(re.search(r"(\d+) seeds would decide", told)[1]) for told in (few, more)]
    assert counts[0] < counts[1]
    assert "one of the runs lowered no loss" in judge_time([0.5, float("inf")], 1.0).summary


@pytest.mark.parametrize(("recipe", "passes"), [("mezo", 2), ("svd0", 2), ("mezo_gv", 6)])
def test_the_passes_of_a_step_are_those_of_a_later_one(recipe, passes):
    module, calls = torch.nn.Linear(40, 40), []

    def loss():
        calls.append(0)
        return module.weight.detach().square().sum()

    optimizer = getattr(estimators, recipe)(module, 0.0, seed=0)
    assert race._of_a_step(optimizer, loss) == passes
    assert len(calls) == 2 * passes + 2 * (recipe == "svd0")


def test_every_race_reads_its_own_runs(tmp_path):
    for claim in CLAIMS.values():
        if claim.id.endswith(".time"):
            continue
        method = claim.id.removeprefix("own.race.")
        context = Context(claim.id, 0, BUDGETS["quick"], None, OWN_MODEL, tmp_path)
        (check,) = claim.checks
        found = check.judge(claim.statement, context).numbers["by seed"]
        reference = "subzo" if method == "svd0" else "mezo"
        assert found == {str(s): x for s, x in races(recorded(), method, reference).items()}
        assert found["0"] > 0.0


def test_what_no_runs_say_is_a_missing_asset(judge):
    with pytest.raises(AssetMissing, match="no recorded runs of lezo and mezo share a seed"):
        judge([])
    with pytest.raises(AssetMissing, match="are of smollm2-135m, not of tiny"):
        judge([0.5], model="tiny")
