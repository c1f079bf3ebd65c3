"""Strategies for B loss values: floats, high precision and simulation agree; the search finds."""

import numpy as np
import pytest

from zotheory.papers.own.query_limit import query_limit
from zotheory.search import search

POINT = {
    "d": 5,
    "B": 4,
    "knows": 1,
    "stop": 0.3,
    "threshold": 0.4,
    "out": 0.2,
    "out_below": 1.2,
    "off": 0.1,
    "off_below": 0.5,
}
POINTS = [
    POINT,
    POINT | {"B": 2},
    POINT | {"B": 6},
    POINT | {"B": 1},
    POINT | {"knows": 0},
    POINT | {"d": 2, "B": 3, "stop": 0.9},
    POINT | {"d": 1, "B": 2},
]


def simulated(point, size=300_000):
    """The strategy step by step, on random gradients."""
    rng = np.random.default_rng(0)
    d, k = point["d"], point["B"] - 1
    g = rng.standard_normal((size, d))
    g /= np.linalg.norm(g, axis=1, keepdims=True)
    if k == 0:
        return float(np.mean(g[:, 0] ** 2))
    total = np.zeros(size)
    stopped = (g[:, 0] ** 2 > point["stop"]) & bool(point["knows"])
    for used, here in ((1, stopped), (k, ~stopped)):
        c = np.sum(g[:, :used] ** 2, axis=1)
        below = (c < point["threshold"]) & bool(point["knows"])
        out = np.where(below, point["out_below"], point["out"])
        off = np.where(below, point["off_below"], point["off"]) if used > 1 else 0.0
        along = np.sqrt(c) * np.cos(off)
        across = g[:, used] if used < d else 0.0
        cosine = np.cos(out) * along + np.sin(out) * across
        total = np.where(here, cosine**2, total)
    return float(total.mean())


@pytest.mark.parametrize("point", POINTS, ids=lambda p: f"d{p['d']}-B{p['B']}-{p['knows']}")
def test_three_routes_agree(point):
    problem = query_limit(lambda _: 1.0)
    found = problem.sides(point).lhs
    assert float(problem.recheck(point, 8).lhs) == pytest.approx(found, abs=1e-8)
    assert simulated(point) == pytest.approx(found, abs=0.004)


def test_more_values_than_needed_are_no_strategy():
    assert np.isnan(query_limit(lambda _: 1.0).sides(POINT | {"B": 7}).lhs)


def test_the_search_points_across_when_the_projection_is_short():
    def limit(point):
        return (point["B"] - 1) / point["d"] if point["B"] == 2 else np.nan

    outcome = search(query_limit(limit), seed=1, evaluations=1500)
    assert outcome.found
    assert outcome.point["knows"] == 1
    assert outcome.ratio > 1.5


def test_the_search_finds_nothing_where_there_is_nothing():
    outcome = search(query_limit(lambda p: p["B"] / p["d"]), seed=1, evaluations=1500)
    assert not outcome.found
    assert outcome.ratio <= 1 + 1e-9
