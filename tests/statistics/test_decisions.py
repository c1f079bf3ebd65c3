import json
from dataclasses import asdict, dataclass

import numpy as np
import pytest

from zotheory.montecarlo import Accumulator
from zotheory.statistics import (
    Interval,
    decide_at_most,
    decide_equal,
    decide_less,
    decide_within,
)

SHARDS = [Accumulator.of(np.ones(5))] * 4


@dataclass(frozen=True)
class Fixed:
    """A method with a given answer."""

    lower: object
    upper: object
    name: str = "fixed"
    assumption: str = "none"

    def __call__(self, shards, alpha):
        lower, upper = np.asarray(self.lower, float), np.asarray(self.upper, float)
        return Interval((lower + upper) / 2, lower, upper)


@pytest.mark.parametrize(
    ("lower", "upper", "equal", "within"),
    [
        (9.95, 10.05, "confirmed", "confirmed"),
        (10.0, 10.1, "confirmed", "confirmed"),
        (10.01, 10.05, "refuted", "confirmed"),
        (9.8, 9.99, "refuted", "inconclusive"),
        (9.5, 10.05, "inconclusive", "inconclusive"),
        (10.11, 10.2, "refuted", "refuted"),
        (9.0, 9.89, "refuted", "refuted"),
        (-1e300, 1e300, "inconclusive", "inconclusive"),
    ],
)
@pytest.mark.parametrize("sign", [1, -1])
def test_equal_and_within(lower, upper, equal, within, sign):
    lower, upper = sorted((sign * lower, sign * upper))
    about = {"method": Fixed(lower, upper), "target": sign * 10.0, "tolerance": 0.01}
    assert decide_equal(SHARDS, **about).verdict == equal
    assert decide_within(SHARDS, **about).verdict == within


def test_a_target_zero_needs_a_scale():
    method = Fixed(-0.01, 0.02)
    with pytest.raises(ValueError, match="needs a scale"):
        decide_equal(SHARDS, method=method, target=0.0, tolerance=0.1)
    for scale, verdict in ((1.0, "confirmed"), (0.1, "inconclusive")):
        decision = decide_equal(SHARDS, method=method, target=0.0, tolerance=0.1, scale=scale)
        assert decision.verdict == verdict


@pytest.mark.parametrize(
    ("lower", "upper", "tolerance", "verdict"),
    [
        (1.0, 2.0, 0.0, "confirmed"),
        (1.0, 2.1, 0.0, "inconclusive"),
        (1.0, 2.1, 0.1, "confirmed"),
        (2.05, 2.1, 0.1, "refuted"),
        (2.01, np.inf, 0.0, "refuted"),
        (2.0, np.inf, 0.0, "inconclusive"),
    ],
)
def test_at_most(lower, upper, tolerance, verdict):
    method = Fixed(lower, upper)
    decision = decide_at_most(SHARDS, method=method, bound=2.0, tolerance=tolerance)
    assert decision.verdict == verdict


@pytest.mark.parametrize(
    ("a", "b", "margin", "verdict"),
    [
        ((1, 2), (3, 4), 1.0, "confirmed"),
        ((1, 2), (3, 4), 0.5, "inconclusive"),
        ((1, 2), (3, 4), 0.2, "refuted"),
        ((3, 4), (1, 3), 1.0, "refuted"),
        ((3, 4), (1, 3.1), 1.0, "inconclusive"),
        ((1, 2), (2, 3), 1.0, "inconclusive"),
    ],
)
def test_less(a, b, margin, verdict):
    method = Fixed((a[0], b[0]), (a[1], b[1]))
    assert decide_less(SHARDS, method=method, margin=margin).verdict == verdict


def test_every_coordinate_counts():
    def verdict(lower, upper):
        method = Fixed(lower, upper)
        target = np.array([1.0, 10.0])
        return decide_equal(SHARDS, method=method, target=target, tolerance=0.1).verdict

    assert verdict((0.95, 9.5), (1.05, 10.5)) == "confirmed"
    assert verdict((0.5, 9.5), (1.05, 10.5)) == "inconclusive"
    assert verdict((0.5, 10.1), (1.05, 10.5)) == "refuted"


def test_a_target_may_be_a_tuple():
    method = Fixed((0.9, 1.9), (1.1, 2.1))
    for target, verdict in (((1.0, 2.0), "confirmed"), ((1.0, 3.0), "refuted")):
        equal = decide_equal(SHARDS, method=method, target=target, tolerance=0.2)
        assert equal.verdict == verdict
        assert equal.target == target
    assert decide_at_most(SHARDS, method=method, bound=(1.2, 2.2)).verdict == "confirmed"


def test_a_decision_is_json_and_tells_what_it_rests_on():
    target = np.array([1.0, 2.0])
    vector = decide_equal(
        SHARDS, method=Fixed((0.5, 1.0), (1.5, 3.0)), target=target, tolerance=0.1, alpha=0.01
    )
    assert vector.estimate == (1.0, 2.0)
    assert vector.interval == ((0.5, 1.0), (1.5, 3.0))
    assert (vector.samples, vector.looks, vector.alpha) == (20, 1, 0.01)
    assert (vector.method, vector.assumption) == ("fixed", "none")
    scalar = decide_at_most(SHARDS, method=Fixed(1.0, 2.0), bound=2)
    assert scalar.estimate == 1.5
    assert json.loads(json.dumps([asdict(vector), asdict(scalar)]))[1]["interval"] == [1.0, 2.0]


def test_bad_input():
    method = Fixed(1.0, 2.0)
    for tolerance in (0.0, -0.1, np.nan, np.inf):
        with pytest.raises(ValueError, match="tolerance"):
            decide_equal(SHARDS, method=method, target=1.0, tolerance=tolerance)
    with pytest.raises(ValueError, match="target must be finite"):
        decide_within(SHARDS, method=method, target=np.nan, tolerance=0.1)
    with pytest.raises(ValueError, match="bound must be finite"):
        decide_at_most(SHARDS, method=method, bound=np.inf)
    with pytest.raises(ValueError, match="tolerance"):
        decide_at_most(SHARDS, method=method, bound=1.0, tolerance=-1.0)
    for wrong in (method, Fixed((1, 1, 1), (2, 2, 2))):
        with pytest.raises(ValueError, match=r"target has shape \(2,\)"):
            decide_equal(SHARDS, method=wrong, target=np.ones(2), tolerance=0.1)
    with pytest.raises(ValueError, match=r"shape \(2,\)"):
        decide_less(SHARDS, method=method)
    with pytest.raises(ValueError, match="margin"):
        decide_less(SHARDS, method=Fixed((1, 1), (2, 2)), margin=0.0)
