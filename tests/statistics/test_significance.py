"""Tests on a few printed numbers, against SciPy's."""

import doctest

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from zotheory.statistics import significance
from zotheory.statistics.significance import sign_test, signed_rank, welch

values = st.floats(-50, 50)
deviations = st.floats(0.01, 9)
sizes = st.integers(2, 9)


@given(values, deviations, sizes, values, deviations, sizes)
def test_welch_is_scipys(m1, s1, n1, m2, s2, n2):
    expected = stats.ttest_ind_from_stats(m1, s1, n1, m2, s2, n2, equal_var=False).pvalue
    assert welch(m1, s1, n1, m2, s2, n2) == pytest.approx(expected, abs=1e-10)


def test_welch_without_deviations_or_groups():
    assert welch(1, 0, 5, 1, 0, 5) == 1
    assert welch(1, 0, 5, 2, 0, 5) == 0
    with pytest.raises(ValueError, match="two numbers a group"):
        welch(1, 1, 1, 2, 1, 5)


@given(st.lists(st.floats(-9, 9).filter(lambda x: abs(x) > 1e-3), min_size=1, max_size=11))
def test_signed_ranks_and_signs_are_scipys(differences):
    sizes = [round(abs(d), 9) for d in differences]
    if len(set(sizes)) == len(sizes):
        expected = stats.wilcoxon(differences, method="exact").pvalue
        assert signed_rank(*differences) == pytest.approx(expected)
    wins = sum(d > 0 for d in differences)
    assert sign_test(*differences) == pytest.approx(stats.binomtest(wins, len(sizes)).pvalue)


def test_ties_share_their_rank_and_zeros_are_out():
    assert signed_rank(1, 1, 1, 0) == 0.25  # ranks 2, 2, 2: only all plus or all minus are as far
    assert (
        signed_rank(2, 2, -2, 1) == 10 / 16
    )  # ranks 3, 3, 3, 1: 7 of 10, as far as 3, 1, 0, 9, 10
    assert sign_test(1, 0, -1, 0) == 1
    assert sign_test(0.0) == 1
    with pytest.raises(ValueError, match="between 1 and 20"):
        signed_rank(0, 0)


def test_the_examples_of_the_docstrings_run():
    found = doctest.testmod(significance)
    assert found.attempted >= 3
    assert not found.failed
