"""Lemma 1's sixth moment: the search attacks what the derivation decides."""

import pytest

from zotheory.papers import claim
from zotheory.papers.tezo.lemma1 import _sixth_problem
from zotheory.search import search


@pytest.fixture
def printed():
    return claim("tezo.lemma1.sixth_bound")


def test_a_search_finds_a_rank_beyond_the_sizes(printed):
    found = search(_sixth_problem(printed.statement), 0, 3000)
    assert found.found
    assert found.point["r"] > min(found.point["m"], found.point["n"])


def test_it_stays_within_the_domain_of_the_correction(printed):
    found = search(_sixth_problem(printed.correction), 0, 1000)
    assert not found.found
    assert found.point["r"] <= min(found.point["m"], found.point["n"])


def test_one_factor_pair_of_length_one(printed):
    """E (tau u v)^6 = 15^3."""
    problem = _sixth_problem(printed.statement)
    assert problem.sides({"m": 1, "n": 1, "r": 1}).lhs == 15**3
