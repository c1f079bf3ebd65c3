"""Rounds of timing: everybody once a round, the first round not counted, none more than needed."""

import time
from collections import Counter
from contextlib import contextmanager
from itertools import islice

import numpy as np
import pytest
import sympy as sp

from zotheory.budget import BUDGETS
from zotheory.context import Context
from zotheory.evidence.compared import Case, median
from zotheory.evidence.timed import Rounds, Timing, in_turn, timed
from zotheory.vocabulary import Statement

RATIO = sp.Symbol("ratio")


def test_everybody_runs_once_a_round_in_turn():
    order = []
    contenders = {name: lambda name=name: order.append(name) for name in "abc"}
    seconds = list(islice(in_turn(contenders), 4))
    rounds = ["".join(order[3 * k : 3 * k + 3]) for k in range(5)]
    assert rounds == ["abc", "abc", "bca", "cab", "abc"]
    assert all(list(found) == list("abc") for found in seconds)
    assert len(order) == 15


def test_seconds_are_those_of_the_contender():
    contenders = {"sleeps": lambda: time.sleep(0.02), "idle": lambda: None}
    for found in islice(in_turn(contenders), 3):
        assert found["idle"] < 0.02 <= found["sleeps"]


def test_nothing_to_time_is_an_error():
    with pytest.raises(ValueError, match="needs contenders"):
        next(in_turn({}))


class Bench:
    """Contenders whose seconds are told beforehand; counts how often each was called and opened."""

    def __init__(self, monkeypatch, tmp_path, seconds):
        self.calls, self.opened, self.now, self.seconds = Counter(), 0, 0.0, seconds
        monkeypatch.setattr(time, "perf_counter", lambda: self.now)
        self.context = Context("p.a", 0, BUDGETS["quick"], None, "some", tmp_path)

    @contextmanager
    def contenders(self, _):
        self.opened += 1
        yield {name: lambda name=name: self.call(name) for name in self.seconds}

    def call(self, name):
        self.now += self.seconds[name](self.calls[name])
        self.calls[name] += 1

    def judge(self, formula, most=40, name="bench"):
        def case(statement, context, seconds):
            return Case("here", {RATIO: median(seconds["a"] / seconds["b"])})

        check = timed(Timing(case, (Rounds(name, self.contenders, most),)))
        return check.judge(Statement("so", formula), self.context)


@pytest.fixture
def bench(monkeypatch, tmp_path):
    """a takes about twice as long as b."""
    noise = np.random.default_rng(0).normal(1, 0.05, 200)
    return Bench(monkeypatch, tmp_path, {"a": lambda k: 2 * noise[k], "b": lambda k: noise[-k - 1]})


def test_what_is_plain_takes_the_fewest_rounds(bench):
    assert bench.judge(sp.Gt(RATIO, 1)).verdict == "confirmed"
    assert bench.calls == {"a": 18, "b": 18}  # 17 and the one not counted


def test_claims_share_rounds_and_take_more_where_they_need_them(bench):
    bench.judge(sp.Gt(RATIO, 1))
    assert bench.judge(sp.Gt(RATIO, 3)).verdict == "refuted"
    assert bench.calls["a"] == 18
    assert bench.opened == 1
    closer = bench.judge(sp.Gt(RATIO, sp.Rational(18, 10)))
    (rounds,) = closer.certificate["rounds"]
    assert closer.verdict == "confirmed"
    assert 17 < rounds < 40
    assert bench.calls["a"] == rounds + 2  # again one not counted
    assert bench.judge(sp.Gt(RATIO, 1)).certificate["rounds"] == [rounds]


def test_what_stays_open_ends(bench):
    found = bench.judge(sp.Gt(RATIO, 2), most=25)
    assert found.verdict == "inconclusive"
    assert found.certificate["rounds"] == [25]


def test_too_few_rounds_to_decide_anything_are_an_error(bench):
    with pytest.raises(ValueError, match="bench: 17 rounds decide at the least, not 16"):
        bench.judge(sp.Gt(RATIO, 1), most=16)
