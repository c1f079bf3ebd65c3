"""Rounds of timing: everybody once a round, the first round not counted."""

import time
from collections import Counter

import numpy as np
import pytest

from zotheory.timing.rounds import interleaved


def test_everybody_runs_once_a_round_in_turn():
    order, told = [], []
    contenders = {name: lambda name=name: order.append(name) for name in "abc"}
    seconds = interleaved(contenders, 4, told.append)
    rounds = ["".join(order[3 * k : 3 * k + 3]) for k in range(5)]
    assert Counter(rounds[1:]) == Counter(["abc", "bca", "cab", "abc"])
    assert {name: len(found) for name, found in seconds.items()} == {"a": 4, "b": 4, "c": 4}
    assert len(told) == 5


def test_seconds_are_those_of_the_contender():
    seconds = interleaved({"sleeps": lambda: time.sleep(0.02), "idle": lambda: None}, 3)
    assert np.all(seconds["sleeps"] >= 0.02)
    assert np.all(seconds["idle"] < 0.02)


def test_the_shortest_run_of_a_round_counts():
    order, slow = [], iter([False, False, True, False, False, True, True, True])

    def contender():
        order.append("a")
        time.sleep(0.02 if next(slow) else 0.0)

    contenders = {"a": contender, "b": lambda: order.append("b")}
    seconds = interleaved(contenders, 3, runs=2)
    assert "".join(order) == "baba" + "abab" + "baba" + "abab"
    assert [bool(s >= 0.02) for s in seconds["a"]] == [False, False, True]


@pytest.mark.parametrize(
    ("contenders", "rounds", "runs"), [({}, 3, 1), ({"a": int}, 0, 1), ({"a": int}, 3, 0)]
)
def test_nothing_to_time_is_an_error(contenders, rounds, runs):
    with pytest.raises(ValueError, match="contenders, rounds and runs"):
        interleaved(contenders, rounds, runs=runs)
