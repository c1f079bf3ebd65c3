"""A mean with its interval: which method, and how often it holds."""

import numpy as np
import pandas as pd
import pytest
import sympy as sp
import torch

from zotheory.statistics.mean import Mean, mean


def test_what_is_known_of_the_law_chooses_the_interval():
    values = np.random.default_rng(0).random(600)
    assert mean(values, bounds=(0, 1)).interval == "99% empirical Bernstein"
    assert mean(values, variance=1 / 12, level=0.999).interval == "99.9% Catoni"
    assert mean(values).interval == "99% Student, 30 batches"


@pytest.mark.parametrize("known", [{}, {"bounds": (0, 1)}, {"variance": 1 / 12}])
def test_the_interval_holds_as_often_as_it_says(known):
    rng, hits, runs = np.random.default_rng(1), 0, 200
    for _ in range(runs):
        found = mean(rng.random(300), level=0.9, **known)
        assert found.low <= found.estimate <= found.high
        hits += found.low <= 0.5 <= found.high
    assert hits >= 0.84 * runs


def test_it_says_what_was_found_and_what_is_claimed():
    found = mean(np.tile([1.0, 3.0], 30), claimed=sp.Rational(5, 2))
    assert repr(found) == "2 in [2, 2], claimed 2.5 (60 samples, 99% Student, 30 batches)"
    assert "claimed" not in repr(mean(np.tile([1.0, 3.0], 30)))


def test_several_make_a_frame():
    frame = pd.DataFrame([mean(np.arange(90.0))], index=["it"])
    assert list(frame.columns) == list(Mean.__dataclass_fields__)
    assert frame.loc["it", "samples"] == 90


@pytest.mark.parametrize(
    ("values", "options", "message"),
    [
        ([1.0, np.nan], {}, "finite"),
        ([[1.0]], {}, "one row"),
        (range(59), {}, "too few"),
        ([0.5, 2.0], {"bounds": (0, 1)}, "outside"),
        ([0.5], {"bounds": (0, 1), "variance": 1.0}, "not both"),
        (range(90), {"level": 1.0}, "level must lie strictly between 0 and 1, got 1.0"),
        (range(90), {"level": 99}, "level must lie strictly between 0 and 1, got 99"),
        (range(90), {"level": "99%"}, "level must be a number.*'99%'"),
        ([], {"variance": 1}, "one row"),
        ("abc", {}, "one row of finite values, got 'abc'"),
        ({"a": 1}, {}, "one row"),
        ([[1.0], [1.0, 2.0]], {}, "one row"),
        (None, {}, "one row of finite values, got None"),
        (range(90), {"claimed": sp.Symbol("n")}, "claimed must be .* without symbols, got n"),
        (range(90), {"claimed": "one"}, "claimed must be"),
        ([0.5] * 3, {"bounds": (0, 1, 2)}, "bounds must be a pair"),
        ([0.5] * 3, {"bounds": 1}, "bounds must be a pair"),
        ([0.5] * 3, {"bounds": (1, 0)}, "bounds must be finite with low < high"),
        ([0.5] * 3, {"variance": "1 or so"}, "variance must be a number"),
        ([0.5] * 3, {"variance": -1}, "variance must be positive"),
    ],
)
def test_unfit_arguments_are_refused(values, options, message):
    with pytest.raises(ValueError, match=message):
        mean(values, **options)


def test_rows_and_bounds_of_every_library_are_taken():
    values = np.linspace(0, 1, 90)
    expected = mean(values, bounds=(0, 1))
    tensor = torch.tensor(values, requires_grad=True)
    for row in (values.tolist(), tuple(values), pd.Series(values), tensor):
        assert mean(row, bounds=np.array([0, 1])) == expected
    assert mean(values, bounds=[sp.Integer(0), 1], claimed=np.float64(0.5)).claimed == 0.5
