"""Arguments of every form that has a clear meaning, and one line for the others."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from zotheory.arguments import as_path, flag, flat, function, one_of, whole
from zotheory.budget import BUDGETS


@pytest.mark.parametrize("value", [3, np.int64(3), np.uint8(3), torch.tensor(3)])
def test_whole_numbers_of_every_type_are_taken(value):
    found = whole("seed", value, 0)
    assert (found, type(found)) == (3, int)


@pytest.mark.parametrize("value", [2, -3, 3.0, "3", None, True, np.True_, [3], np.array([3, 4])])
def test_others_are_named(value):
    with pytest.raises(ValueError, match="jobs must be a whole number of at least 3, got ") as told:
        whole("jobs", value, 3)
    assert repr(value) in str(told.value)


@pytest.mark.parametrize("value", ["fast", "", None, 3, ["quick"], Path("quick")])
def test_a_word_that_is_none_of_some_is_told_with_them(value):
    assert one_of("budget", "quick", BUDGETS) == "quick"
    with pytest.raises(ValueError, match="budget must be one of quick, standard, deep, got "):
        one_of("budget", value, BUDGETS)


def test_true_and_false():
    assert flag("resume", np.True_) is True
    with pytest.raises(ValueError, match="resume must be True or False, got 'no'"):
        flag("resume", "no")


def test_paths(monkeypatch):
    monkeypatch.setenv("HOME", "/somewhere")
    assert as_path("out", "a/b") == as_path("out", Path("a/b")) == Path("a/b")
    assert as_path("out", "~/a") == Path("/somewhere/a")


@pytest.mark.parametrize("value", ["", b"a", None, 3, ["a"], "~nobody-of-this-name/a"])
def test_what_is_no_path_is_named(value):
    with pytest.raises(ValueError, match=r"^out "):
        as_path("out", value)


def test_what_cannot_be_called_is_named():
    assert function("plan", len) is len
    with pytest.raises(TypeError, match="plan must be a function, got 3"):
        function("plan", 3, TypeError)


def test_nested_values_come_one_after_the_other():
    nested = ["a", ("b", [Path("c")]), {"e", "d"}, iter("f"), np.array(["g"]), pd.Index(["h"]), []]
    assert list(flat(nested)) == ["a", "b", Path("c"), "d", "e", "f", "g", "h"]
    for one in ("ab", b"ab", None, 3, len, {"a": 1}, Path("a")):
        assert list(flat(one)) == [one]
    assert list(flat(torch.tensor([[1, 2], [3, 4]]))) == [1, 2, 3, 4]
