"""What the prior paper's claims rest on beyond the checks that every claim has."""

import re

import pytest
import sympy as sp

from zotheory.budget import BUDGETS
from zotheory.context import Context
from zotheory.judge import examine
from zotheory.montecarlo import MonteCarlo
from zotheory.papers.prior.claims import CLAIMS, lemma1
from zotheory.papers.prior.comparison import _directions, passes
from zotheory.papers.prior.lemma3 import GUMBEL, SIZE
from zotheory.papers.prior.lemma4 import RATIO2
from zotheory.papers.prior.quantities import band, within
from zotheory.vocabulary import Kind, Statement, Verdict

BY_ID = {claim.id: claim for claim in CLAIMS}


@pytest.fixture
def context(tmp_path):
    return Context("x.y", 0, BUDGETS["quick"], MonteCarlo(0), None, tmp_path)


def exact(claim, statement, context):
    (check,) = (check for check in claim.checks if check.kind is Kind.EXACT)
    return check.judge(statement, context)


@pytest.mark.parametrize(
    ("method", "k", "spent"),
    [("guided", 4, 6), ("guided", 2, 4), ("greedy", 4, 6), ("plain", 3, 6), ("plain", 1, 2)],
)
def test_passes_of_a_step(method, k, spent):
    assert passes(method, k) == spent


def test_six_passes_buy_three_directions():
    assert _directions(BY_ID["prior.cost.gv"].statement) == 3
    assert _directions(BY_ID["prior.step.gv"].statement) == 1


def test_within_is_read_back():
    x, value = sp.Symbol("x"), sp.sqrt(2 * sp.log(3))
    assert band(within(x, value, sp.Rational(1, 10)), x) == (value, sp.Rational(1, 10))
    both = BY_ID["prior.lemma3.minimum"].correction.formula
    assert sp.simplify(band(both, SIZE)[0] - GUMBEL) == 0


def test_the_constant_of_the_correction_is_the_one_that_is_found(context):
    claim = BY_ID["prior.lemma1"]
    found = exact(claim, claim.correction, context)
    (told,) = re.findall(r"C = (\d+)", claim.correction.says)
    assert found.numbers["C"] == int(told) <= lemma1.TRIED


def test_with_the_proof_s_own_factor_the_ratio_does_grow(context):
    """m^2/s, as the proof of Lemma 4 has it, grows linearly: the check can say so."""
    claim = BY_ID["prior.lemma4.ratio2_scaling"]
    printed = Statement("As printed.", claim.statement.formula, setting={"power": 1})
    assert exact(claim, printed, context).verdict is Verdict.PROVED
    assert exact(claim, claim.statement, context).verdict is Verdict.REFUTED


def test_greedy_does_not_exceed_half_of_plain_for_every_k(context):
    """True at k = 2 and 3, false at 4: a statement that is open for all k proves nothing."""
    claim = BY_ID["prior.table5.greedy"]
    formula = sp.Lt(claim.statement.formula.lhs, claim.statement.formula.rhs / 2)
    found = exact(claim, Statement("Half.", formula, claim.statement.domain), context)
    assert found.verdict is Verdict.REFUTED
    less = sp.Lt(claim.statement.formula.lhs, claim.statement.formula.rhs * 2 / 3)
    found = exact(claim, Statement("Less.", less, claim.statement.domain), context)
    assert found.verdict is Verdict.INCONCLUSIVE


@pytest.mark.slow
@pytest.mark.parametrize("kind", [Kind.EXACT, Kind.MEASURED])
def test_one_step_holds_without_a_model_and_its_mutant_does_not(kind, context):
    claim = BY_ID["prior.step.gv"]
    for statement, holds in ((claim.statement, True), (claim.mutant, False)):
        found = {e.kind: e.verdict for e in examine(claim, statement, context).evidence}
        assert found[kind].holds == holds
        assert found[kind].judged


def test_both_readings_of_the_ratio_are_told(context):
    claim = BY_ID["prior.lemma2.ratio1_one"]
    told = exact(claim, claim.statement, context).numbers["points"]["k = 1, d = 100000"]
    assert told["mean of the ratio over the printed value"] == pytest.approx(0.7979, abs=1e-4)
    assert told["ratio of the means over it"] == pytest.approx(1.2533, abs=1e-4)
    assert told["root mean square over it"] == pytest.approx(1, abs=1e-4)


def test_the_second_ratio_s_values(context):
    claim = BY_ID["prior.lemma4.ratio2"]
    told = exact(claim, claim.correction, context).numbers
    values = [point[str(RATIO2)] for point in told.values()]
    assert values == pytest.approx([2, 2.102658, 2.277156, 2.356097], abs=1e-6)
