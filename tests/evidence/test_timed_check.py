"""The timed check: whole intervals decide, in both directions, and noise leaves it open."""

import json
import subprocess
import sys

import numpy as np
import pytest
import sympy as sp

from zotheory.budget import BUDGETS
from zotheory.context import Context
from zotheory.evidence.compared import Case, median
from zotheory.evidence.timed import Rounds, Timing, timed
from zotheory.vocabulary import DRAWN, Kind, Statement, Verdict

RATIO, OTHER = sp.symbols("ratio other")
NEAR_TWO = np.random.default_rng(0).normal(2.0, 0.02, 22)


@pytest.fixture
def judge(tmp_path):
    """Judges a formula on cases of rounds that were taken before."""

    def judged(formula, *cases, model="some"):
        path = tmp_path / "rounds" / "taken.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps({"a": [1.0] * len(NEAR_TWO)}))
        taken = Rounds("taken", pytest.fail, len(NEAR_TWO))
        check = timed(*(Timing(lambda *_, case=case: case, (taken,)) for case in cases))
        assert check.kind is Kind.TIMED
        context = Context("p.a", 0, BUDGETS["quick"], None, model, tmp_path)
        return check.judge(Statement("so", formula), context)

    return judged


def printed(found) -> tuple[float, ...]:
    """What a refutation's snippet prints: claimed and actual."""
    ran = subprocess.run(
        [sys.executable, "-I", "-c", found.certificate["snippet"]],
        capture_output=True,
        text=True,
        check=True,
    )
    return tuple(float(line.split()[1]) for line in ran.stdout.splitlines())


@pytest.mark.parametrize(
    ("formula", "verdict"),
    [
        (sp.Gt(RATIO, 1), Verdict.CONFIRMED),
        (sp.Gt(RATIO, 3), Verdict.REFUTED),
        (sp.Gt(RATIO, 2), Verdict.INCONCLUSIVE),
        (sp.And(sp.Ge(RATIO, 1), sp.Le(RATIO, 3)), Verdict.CONFIRMED),
        (sp.And(sp.Ge(RATIO, 1), sp.Le(RATIO, sp.Rational(3, 2))), Verdict.REFUTED),
    ],
)
def test_medians_decide(judge, formula, verdict):
    assert judge(formula, Case("here", {RATIO: median(NEAR_TWO)})).verdict is verdict


def test_every_setting_counts(judge):
    slow, fast = (
        Case("slow", {RATIO: median(NEAR_TWO)}),
        Case("fast", {RATIO: median(NEAR_TWO / 4)}),
    )
    assert judge(sp.Gt(RATIO, 1), slow).verdict is Verdict.CONFIRMED
    found = judge(sp.Gt(RATIO, 1), slow, fast)
    assert found.verdict is Verdict.REFUTED
    assert found.certificate["inputs"] == {"setting": "fast"}
    assert set(found.numbers) == {"slow", "fast"}


def test_a_refutation_shows_its_rounds(judge):
    found = judge(sp.Gt(RATIO, 3), Case("here", {RATIO: median(NEAR_TWO)}))
    claimed, actual = printed(found)
    assert claimed == 3
    assert actual == pytest.approx(np.median(NEAR_TWO), abs=1e-5)


def test_outliers_do_not_decide(judge):
    disturbed = NEAR_TWO.copy()
    disturbed[3] = 100.0
    assert (
        judge(sp.Lt(RATIO, 3), Case("here", {RATIO: median(disturbed)})).verdict
        is Verdict.CONFIRMED
    )


def test_without_a_model_nothing_is_timed(judge):
    found = judge(sp.Gt(RATIO, 1), Case("here", {RATIO: median(NEAR_TWO)}), model=None)
    assert found.verdict is Verdict.NOT_RUN


@pytest.mark.parametrize("formula", [sp.Gt(OTHER, 1), sp.Gt(RATIO, OTHER)])
def test_a_relation_compares_what_was_measured(judge, formula):
    with pytest.raises(ValueError, match="says nothing of other"):
        judge(formula, Case("here", {RATIO: median(NEAR_TWO)}))


@pytest.mark.parametrize(
    ("other", "verdict"),
    [
        (NEAR_TWO[::-1] / 2, Verdict.CONFIRMED),
        (NEAR_TWO[::-1] * 2, Verdict.REFUTED),
        (NEAR_TWO[::-1], Verdict.INCONCLUSIVE),
    ],
)
def test_two_medians_are_compared_by_both_intervals(judge, other, verdict):
    found = judge(
        sp.Gt(RATIO, OTHER), Case("here", {RATIO: median(NEAR_TWO), OTHER: median(other)})
    )
    assert found.verdict is verdict
    if verdict is Verdict.REFUTED:
        assert printed(found) == pytest.approx((np.median(other), np.median(NEAR_TWO)), abs=1e-5)


def test_the_error_is_shared_by_medians_not_by_relations(judge):
    # 18 rounds have an interval at 1e-4 / 2 (two settings), and none at 1e-4 / 4.
    some = NEAR_TWO[:18]
    both = sp.And(sp.Ge(RATIO, 1), sp.Le(RATIO, 3))
    found = judge(both, Case("here", {RATIO: median(some)}), Case("there", {RATIO: median(some)}))
    assert found.verdict is Verdict.CONFIRMED


def test_rounds_for_a_figure_are_kept_beside_the_numbers(judge):
    drawn = {"seconds": NEAR_TWO}
    found = judge(sp.Gt(RATIO, 1), Case("here", {RATIO: median(NEAR_TWO)}, drawn=drawn))
    assert set(found.numbers) == {"here", DRAWN}
    assert found.numbers[DRAWN]["here"]["seconds"] == pytest.approx(NEAR_TWO, abs=1e-5)
