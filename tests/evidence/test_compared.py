"""The one rule: never wrong on points, open where ends touch or overlap, and what it tells."""

import operator
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st

from zotheory.evidence.compared import Case, Quantity, compare, mean, median
from zotheory.statistics.intervals import student
from zotheory.statistics.rule import Ends, decided
from zotheory.vocabulary import Kind, Statement, Verdict

A, B, C = sp.symbols("a b c")
RELATIONS = {
    "<": (sp.Lt, operator.lt),
    "<=": (sp.Le, operator.le),
    ">": (sp.Gt, operator.gt),
    ">=": (sp.Ge, operator.ge),
    "==": (sp.Eq, operator.eq),
}
signs = st.sampled_from(sorted(RELATIONS))
floats = st.floats(allow_nan=False, allow_infinity=False)
numbers = st.one_of(st.integers(-9, 9), st.fractions(-3, 3, max_denominator=9), floats)
intervals = st.tuples(numbers, numbers).map(sorted)


def judged(formula, *cases, alpha=1e-4, **rule):
    return compare(Statement("It is so.", formula), cases, alpha, **rule)


def relation(sign, a=A, b=B):
    return RELATIONS[sign][0](a, b, evaluate=False)


def within(low, high):
    return Quantity((Fraction(low) + Fraction(high)) / 2, low, high)


def as_given(number):
    return sp.Rational(number) if isinstance(number, Fraction) else number


@given(signs, numbers, numbers)
def test_of_two_points_it_says_what_python_says(sign, a, b):
    said = judged(relation(sign), Case({}, {A: as_given(a), B: as_given(b)})).verdict
    true = RELATIONS[sign][1](a, b)
    assert said is (Verdict.CONFIRMED if true else Verdict.REFUTED)


@given(signs, intervals, intervals, st.data())
def test_no_pair_of_numbers_in_the_intervals_says_otherwise(sign, left, right, data):
    said = judged(relation(sign), Case({}, {A: within(*left), B: within(*right)})).verdict
    for _ in range(4):
        a, b = (
            data.draw(st.sampled_from(ends) | st.floats(0, 1).map(lambda t, e=ends: _between(e, t)))
            for ends in (left, right)
        )
        true = RELATIONS[sign][1](a, b)
        assert said is not (Verdict.REFUTED if true else Verdict.CONFIRMED)


def _between(ends, t):
    low, high = map(Fraction, ends)
    return low + Fraction(t) * (high - low)


@given(signs, intervals, intervals, st.floats(0, 4), st.booleans())
def test_never_both_and_the_opposite_relation_says_the_opposite(sign, a, b, tolerance, sharp):
    holds, fails = decided(sign, Ends(*a), Ends(*b), tolerance, sharp)
    assert not (holds and fails)
    opposite = {"<": ">=", "<=": ">", ">": "<=", ">=": "<"}.get(sign)
    if opposite:
        assert tuple(map(bool, decided(opposite, Ends(*a), Ends(*b)))) == tuple(
            map(bool, reversed(decided(sign, Ends(*a), Ends(*b))))
        )


@given(signs.filter(lambda sign: sign != "=="), floats, st.integers(1, 5), st.integers(1, 5))
def test_ends_that_touch_decide_only_what_they_imply(sign, end, below, above):
    low, high = within(Fraction(end) - below, end), within(end, Fraction(end) + above)
    rising = judged(relation(sign), Case({}, {A: low, B: high})).verdict  # at most equal
    falling = judged(relation(sign), Case({}, {A: high, B: low})).verdict
    assert {"<=": rising, ">=": falling}.get(sign, Verdict.CONFIRMED) is Verdict.CONFIRMED
    assert {">": rising, "<": falling}.get(sign, Verdict.REFUTED) is Verdict.REFUTED
    assert {"<": rising, ">": falling, ">=": rising, "<=": falling}[sign] is Verdict.INCONCLUSIVE


def test_what_is_open_tells_both_intervals():
    found = judged(sp.Lt(A, B), Case("here", {A: within(1, 3), B: within(2, 4)}))
    assert found.verdict is Verdict.INCONCLUSIVE
    assert found.summary == (
        "here: a 2 in [1, 3], claimed < b 3 in [2, 4], which the intervals leave open"
    )


@pytest.mark.parametrize(
    ("ends", "plain", "sharp"),
    [
        ((0.95, 1.05), "confirmed", "confirmed"),
        ((1.02, 1.05), "confirmed", "refuted"),
        ((0.8, 1.05), "inconclusive", "inconclusive"),
        ((1.05, 1.2), "inconclusive", "refuted"),
        ((1.2, 1.3), "refuted", "refuted"),
    ],
)
def test_an_equation_within_a_band_and_a_sharp_one(ends, plain, sharp):
    case = Case({}, {A: within(*ends)}, tolerance=0.1)
    assert judged(sp.Eq(A, 1), case).verdict == plain
    assert judged(sp.Eq(A, 1), case, sharp=True).verdict == sharp
    assert "claimed = 1 to within 0.1" in judged(sp.Eq(A, 1), case).summary


def test_sides_are_expressions_in_quantities_symbols_and_numbers():
    case = Case({}, {A: within(1, 2), B: 3, C: (sp.S(4), sp.S(5))})
    for formula, verdict in (
        (sp.Lt(A * B, C + 3), "confirmed"),  # [3, 6] < [7, 8]
        (sp.Gt(A * B, C + 3), "refuted"),
        (sp.Lt(A * B, C), "inconclusive"),
        (sp.Gt(sp.sqrt(2) * A, sp.sqrt(2) - sp.Rational(1, 9)), "confirmed"),
    ):
        assert judged(formula, case).verdict == verdict
    with pytest.raises(ValueError, match="the case x = 1 says nothing of c"):
        judged(sp.Lt(A, C), Case({"x": 1}, {A: 1}))
    with pytest.raises(ValueError, match="at least one case"):
        judged(sp.Lt(A, 1))


def test_a_whole_expression_can_be_a_unit():
    unit = B**2 / C
    case = Case({}, {A: 2.0, unit: 1})
    assert judged(sp.Eq(A, 2 * unit), case).verdict is Verdict.CONFIRMED
    assert judged(sp.Eq(A, unit), case).verdict is Verdict.REFUTED


def test_floats_are_what_their_digits_say():
    assert judged(sp.Ge(A, sp.Rational(3, 10)), Case({}, {A: 0.3})).verdict is Verdict.REFUTED
    assert judged(sp.Gt(A, sp.Rational(1, 10)), Case({}, {A: 0.1})).verdict is Verdict.CONFIRMED


def test_the_first_that_fails_is_told():
    both = sp.And(sp.Gt(A, 0), sp.Lt(A, 5))
    found = judged(both, Case("one", {A: 1}), Case("two", {A: 7}), Case("three", {A: -1}))
    said = found.evidence(Kind.COUNTED, {}, {"more": 1})
    assert said.verdict is Verdict.REFUTED
    assert said.certificate == {
        "more": 1,
        "inputs": {"setting": "two"},
        "relation": "a < 5",
        "claimed": 5,
        "actual": 7,
    }


def test_places_of_one_population_have_to_agree():
    one, other = Case("one", {A: 1}), Case("other", {A: 7})
    assert judged(sp.Lt(A, 5), one, other).verdict is Verdict.REFUTED
    mixed = judged(sp.Lt(A, 5), one, other, alike=True)
    assert mixed.verdict is Verdict.INCONCLUSIVE
    assert mixed.summary.endswith("they do not say the same")
    assert judged(sp.Lt(A, 9), one, other, alike=True).verdict is Verdict.CONFIRMED
    assert judged(sp.Lt(A, 0), one, other, alike=True).verdict is Verdict.REFUTED


# Samples: intervals at the error that is left, differences pair by pair, snippets.


def test_the_error_is_shared_by_the_intervals_taken():
    spent = []

    def interval(values, alpha):
        spent.append(alpha)
        return student(values, alpha)

    rng = np.random.default_rng(0)
    a, b = (mean(rng.standard_normal(30), interval) for _ in range(2))
    band = sp.And(sp.Gt(A, -9), sp.Lt(A, 9))
    judged(band, Case("x", {A: a}), Case("y", {A: b}), alpha=0.01)
    assert set(spent) == {0.005}
    spent.clear()
    judged(sp.Gt(A, B), Case("x", {A: a, B: b}), alpha=0.01)
    assert set(spent) == {0.01}  # one difference


def test_paired_means_are_compared_pair_by_pair():
    rng = np.random.default_rng(1)
    common = 100 * rng.standard_normal(20)
    a, b = common + 1 + 0.1 * rng.standard_normal(20), common
    paired = Case("x", {A: mean(a), B: mean(b)})
    assert judged(sp.Gt(A, B), paired).verdict is Verdict.CONFIRMED
    assert judged(sp.Lt(A, B), paired).verdict is Verdict.REFUTED
    assert judged(sp.Gt(A, B + 2), paired).verdict is Verdict.REFUTED
    assert "pair by pair the difference is 0.9" in judged(sp.Gt(A, B), paired).summary
    medians = Case("x", {A: median(a), B: median(b)})
    assert judged(sp.Gt(A, B), medians).verdict is Verdict.INCONCLUSIVE
    with pytest.raises(ValueError, match="measure it as a whole"):
        judged(sp.Gt(A**2, B), paired)


def test_more_can_mean_more_by_a_margin():
    rng = np.random.default_rng(2)
    a, b = (size + 0.01 * rng.standard_normal(20) for size in (1.2, 1.0))
    case = Case("x", {A: mean(a), B: mean(b)})
    assert judged(sp.Gt(A, B), case, margin=1.1).verdict is Verdict.CONFIRMED
    assert judged(sp.Lt(B, A), case, margin=1.1).verdict is Verdict.CONFIRMED
    refuted = judged(sp.Gt(A, B), case, margin=1.3)
    assert refuted.verdict is Verdict.REFUTED
    assert "claimed > 1.3 x b 1.3" in refuted.summary
    assert judged(sp.Gt(A, 1), case, margin=1.3).verdict is Verdict.CONFIRMED  # a number claimed


def printed(evidence):
    done = subprocess.run(
        [sys.executable, "-I", "-c", evidence.certificate["snippet"]],
        capture_output=True,
        text=True,
        check=True,
    )
    return {k: float(v) for k, v in (line.split() for line in done.stdout.splitlines())}


def test_a_snippet_prints_both_numbers_from_the_values():
    rng = np.random.default_rng(3)
    values = {A: mean(rng.random(9)), B: median(rng.random(20)), C: 2}
    lowered = Quantity(0.75, 0.7, 0.8, np.array([True, True, False, True]), "np.mean(values)")
    for formula, case in (
        (sp.Gt(A, 3 * C), Case("x", values)),
        (sp.Lt(1 + C * A, B / 7), Case("x", {**values, B: Quantity(0.1, 0.1, 0.1)})),
        (sp.Lt(A, sp.Rational(1, 3)), Case("x", {A: lowered})),
    ):
        found = judged(formula, case).evidence(Kind.MODEL, {}, {})
        assert found.verdict is Verdict.REFUTED
        shown = printed(found)
        assert shown["claimed"] == pytest.approx(float(found.certificate["claimed"]), rel=1e-5)
        assert shown["actual"] == pytest.approx(float(found.certificate["actual"]), rel=1e-5)


def test_counts_alone_need_no_snippet():
    found = judged(sp.Lt(A, 1), Case("x", {A: 2})).evidence(Kind.COUNTED, {}, {})
    assert "snippet" not in found.certificate
