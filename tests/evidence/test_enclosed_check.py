"""The check of numbers at points: proved, refuted, undecided, and what it tells."""

from functools import partial

import pytest
import sympy as sp

from zotheory.evidence.compared import Case
from zotheory.evidence.enclosed import enclosed
from zotheory.vocabulary import Kind, Statement, Verdict

K, MEAN = sp.symbols("k mean")


class Told:
    claim, messages = "x.y", ()

    def tell(self, _):
        pass


def judged(formula, *cases, witness=None):
    check = enclosed(lambda _: list(cases), witness)
    assert check.kind is Kind.EXACT
    return check.judge(Statement("It is so.", formula), Told())


def case(k, value, **more):
    return Case({"k": k}, {K: sp.Integer(k), MEAN: value}, steps=(f"step {k}",), **more)


BELOW = sp.Lt(MEAN, sp.sqrt(K))


def test_proved_at_all_points():
    found = judged(BELOW, case(2, sp.S.One), case(3, sp.log(4), notes={"twice": 2 * MEAN}))
    assert found.verdict is Verdict.PROVED
    assert found.numbers["k = 3"] == pytest.approx({"mean": 1.386294, "twice": 2.772589}, abs=1e-6)
    assert found.certificate["steps"][:2] == ["step 2", "step 3"]
    assert found.summary == (
        "k = 2: mean 1, claimed < sqrt(k) 1.4142; k = 3: mean 1.3863, claimed < sqrt(k) 1.7321"
    )


def test_one_point_refutes():
    def witness(statement, failed):
        return f"k = {failed.inputs['k']}"

    found = judged(BELOW, case(2, sp.S.One), case(3, sp.S(2)), witness=witness)
    assert found.verdict is Verdict.REFUTED
    assert found.certificate["inputs"] == {"k": 3}
    assert float(found.certificate["actual"]) == 2
    assert float(found.certificate["claimed"]) == pytest.approx(3**0.5)
    assert found.certificate["snippet"] == "k = 3"
    assert set(found.numbers["points"]) == {"k = 2", "k = 3"}


def test_a_refutation_counts_more_than_what_is_open():
    wide = (sp.S.One, sp.S(3))
    found = judged(BELOW, case(2, wide), case(3, sp.S(2)))
    assert found.verdict is Verdict.REFUTED


def test_enclosures_that_overlap_leave_it_open():
    found = judged(BELOW, case(2, (sp.S.One, sp.S(3))))
    assert found.verdict is Verdict.INCONCLUSIVE
    assert "leave open" in found.summary


def test_every_relation_of_a_conjunction_counts():
    both = sp.And(BELOW, sp.Gt(MEAN, 1))
    assert judged(both, case(4, sp.log(4))).verdict is Verdict.PROVED
    assert judged(both, case(4, sp.log(2))).verdict is Verdict.REFUTED


def test_no_points_is_an_error():
    with pytest.raises(ValueError, match="at least one point"):
        partial(judged, BELOW)()
