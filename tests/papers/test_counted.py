"""The counted claims: verdicts, controls that go the other way, certificates that run."""

import subprocess
import sys

import pytest
import sympy as sp

from zotheory.budget import BUDGETS
from zotheory.context import Context
from zotheory.evidence.compared import Case
from zotheory.evidence.counted import counted
from zotheory.judge import judge
from zotheory.papers import declared
from zotheory.vocabulary import Kind, Statement, Verdict

COUNTED = (c for c in declared() if Kind.COUNTED in c.needs)
CLAIMS = {c.id: c for c in COUNTED if Kind.PRINTED not in c.needs}  # these with their tables
QUICK = {
    "tezo.table2.mezo": Verdict.CONFIRMED,
    "tezo.table2.subzo": Verdict.CONFIRMED,
    "tezo.table2.lozo": Verdict.CONFIRMED,
    "tezo.table2.tezo": Verdict.CONFIRMED,
    "tezo.table2.at_settings": Verdict.REFUTED,
    "tezo.table2.repeated": Verdict.CONFIRMED,
    "tezo.momentum.exact": Verdict.PROVED,
    "tezo.adam.state": Verdict.CONFIRMED,
    "tezo.adam.step_peak": Verdict.REFUTED,
    "tezo.table6.same_perturbation": Verdict.REFUTED,
    "tezo.a5.full_parameters": Verdict.REFUTED,
    "tezo.a5.lora300m": Verdict.REFUTED,
    "own.drift": Verdict.CONFIRMED,
    "lezo.sec41.constant_n": Verdict.CONFIRMED,
    "lezo.sec41.kept_share": Verdict.REFUTED,
    "lezo.sec51.blocks": Verdict.REFUTED,
    "prior.code.guiding_vector": Verdict.REFUTED,
    "prior.code.candidates": Verdict.REFUTED,
    "smezo.abstract.30b": Verdict.CONFIRMED,
    "smezo.alg2.draws": Verdict.CONFIRMED,
    "smezo.sec32.mask_size": Verdict.REFUTED,
}
SLOW = {
    "svd0.eq15.equivalence": Verdict.PROVED,
    "svd0.table2.two_matrices": Verdict.REFUTED,
    "svd0.alg3.renewal_passes": Verdict.REFUTED,
    "prior.sec31.two_passes": Verdict.REFUTED,
    "prior.half_the_steps": Verdict.REFUTED,
    "prior.memory.as_printed": Verdict.REFUTED,
    "prior.code.memory": Verdict.REFUTED,
    "own.gv_memory": Verdict.CONFIRMED,
    "own.gv_random_numbers": Verdict.CONFIRMED,
    "tezo.memory.adam_share": Verdict.CONFIRMED,
    "tezo.memory.adam_below_mezo": Verdict.CONFIRMED,
    "tezo.memory.adam_below_mezo_in_place": Verdict.REFUTED,
    "lezo.remark1.memory": Verdict.CONFIRMED,
    "smezo.table4.memory": Verdict.CONFIRMED,
    "own.drift_16bit": Verdict.CONFIRMED,
}
X, SEEN = sp.symbols("x seen", positive=True)


def context(tmp_path, claim="mine.claim"):
    return Context(claim, 0, BUDGETS["quick"], None, None, tmp_path)


def check(name, verdict, tmp_path):
    entry = judge(CLAIMS[name], context(tmp_path, name))
    assert entry.verdict is verdict, (entry.reason, entry.failed)
    assert not entry.failed
    if verdict is Verdict.REFUTED:
        assert entry.correction.verdict.holds
        snippet = entry.certificate["snippet"]
        out = subprocess.run(
            [sys.executable, "-c", snippet], capture_output=True, text=True, check=True
        ).stdout
        shown = {line.split()[0].strip(":"): float(line.split()[-1]) for line in out.splitlines()}
        claimed, actual = shown["claimed"], shown["actual"]
        relation = entry.certificate["relation"]
        if "<" in relation or ">" in relation:
            assert actual >= claimed if "<" in relation else actual <= claimed
        else:
            assert actual != pytest.approx(claimed)
    else:
        assert entry.mutant.verdict is Verdict.REFUTED


@pytest.mark.parametrize("name", QUICK)
def test_quick_claims(name, tmp_path):
    check(name, QUICK[name], tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", SLOW)
def test_slow_claims(name, tmp_path):
    check(name, SLOW[name], tmp_path)


def test_every_counted_claim_is_tested():
    assert set(CLAIMS) == {*QUICK, *SLOW}


def squares(statement, context):
    for x in (2, 3):
        yield Case({"x": x}, {X: x, SEEN: x * x}, {"note": 1})


def judged(formula, tmp_path, plan=squares):
    return counted(plan).judge(Statement("", formula), context(tmp_path))


def test_a_check_says_both(tmp_path):
    held = judged(sp.Eq(SEEN, X**2), tmp_path)
    assert held.verdict is Verdict.CONFIRMED
    assert held.numbers["x = 3"] == {"seen": 9, "note": 1}
    failed = judged(sp.And(sp.Gt(SEEN, 1), sp.Eq(SEEN, 2 * X)), tmp_path)
    assert failed.verdict is Verdict.REFUTED
    assert failed.certificate["inputs"] == {"x": 3}
    assert (failed.certificate["claimed"], failed.certificate["actual"]) == (6, 9)
    assert set(failed.numbers["counts"]) == {"x = 2", "x = 3"}


def test_rounding_is_tolerated_where_it_is_stated(tmp_path):
    def plan(tolerance):
        yield Case({}, {X: 1.0, SEEN: 1.0 + 1e-12}, tolerance=tolerance)

    for tolerance, verdict in ((1e-10, Verdict.CONFIRMED), (0.0, Verdict.REFUTED)):
        found = judged(sp.Eq(SEEN, X), tmp_path, lambda *_, t=tolerance: plan(t))
        assert found.verdict is verdict


def test_open_symbols_and_empty_plans_are_errors(tmp_path):
    with pytest.raises(ValueError, match="says nothing of y"):
        judged(sp.Eq(SEEN, sp.Symbol("y")), tmp_path)
    with pytest.raises(ValueError, match="at least one case"):
        judged(sp.Eq(SEEN, X), tmp_path, lambda *_: ())


def test_an_estimator_that_draws_more_is_found_out(tmp_path):
    """TeZO's count fails for SubZO's draws, and the other way round."""
    for name, method in (("tezo.table2.tezo", "subzo"), ("tezo.table2.subzo", "tezo")):
        claim = CLAIMS[name]
        setting = {"method": method, "options": {"interval": 1}}
        swapped = Statement("", claim.statement.formula, setting=setting)
        found = claim.checks[0].judge(swapped, context(tmp_path))
        assert found.verdict is Verdict.REFUTED
