"""Rounds of timing: everybody once a round, the first round not counted."""

import time
from collections import Counter

import numpy as np
import pytest

from zotheory.evidence.timed import interleaved


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


@pytest.mark.parametrize(("contenders", "rounds"), [({}, 3), ({"a": int}, 0)])
def test_nothing_to_time_is_an_error(contenders, rounds):
    with pytest.raises(ValueError, match="contenders and rounds"):
        interleaved(contenders, rounds)
