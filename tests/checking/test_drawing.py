"""Random numbers that are counted from the outside, against what was drawn."""

import random

import numpy as np
import pytest
import torch

from tests.checking.right import Right
from zotheory.checking.drawing import Drawn
from zotheory.checking.lineup import of_recipe, subject_of
from zotheory.checking.run import made
from zotheory.checking.suite import checks
from zotheory.checking.toy import Scene
from zotheory.evidence.instruments import Draws


def drawn(call):
    """What a call draws, by source."""
    with Drawn() as found:
        call()
    return dict(found.numbers)


@pytest.mark.parametrize(
    ("call", "numbers"),
    [
        (lambda: torch.randn(3, 4), {"PyTorch": 12}),
        (lambda: torch.empty(5).normal_().uniform_(), {"PyTorch": 10}),
        (lambda: torch.randperm(6), {"PyTorch": 6}),
        (lambda: torch.normal(0.0, 1.0, (2, 2)), {"PyTorch": 4}),
        (lambda: torch.nn.functional.dropout(torch.ones(7), 0.5), {"PyTorch": 7}),
        (lambda: torch.ones(3, 3) @ torch.ones(3, 3), {}),
        (
            lambda: torch.nn.functional.scaled_dot_product_attention(*3 * [torch.ones(1, 1, 4, 8)]),
            {},
        ),
        (lambda: np.random.normal(size=7), {"NumPy": 7}),  # noqa: NPY002
        (lambda: np.random.randint(9), {"NumPy": 1}),  # noqa: NPY002
        (lambda: np.random.seed(0), {}),  # noqa: NPY002
        (lambda: np.random.default_rng(0).standard_normal((2, 3)), {"NumPy": 6}),
        (lambda: np.random.default_rng(0).choice(9, 4), {"NumPy": 4}),
        (lambda: random.gauss(0, 1) + random.random(), {"Python": 2}),
        (lambda: random.sample(range(9), 3), {"Python": 3}),
    ],
)
def test_numbers_are_counted_by_source(call, numbers):
    assert drawn(call) == numbers


def test_numbers_are_those_that_would_be_drawn_and_functions_come_back():
    before = np.random.normal, np.random.default_rng, random.gauss
    alone = np.random.default_rng(3).normal(size=4)
    with Drawn():
        assert (np.random.default_rng(3).normal(size=4) == alone).all()
    assert (np.random.normal, np.random.default_rng, random.gauss) == before


@pytest.mark.parametrize("recipe", ["mezo", "tezo", "subzo", "lezo", "with_greedy"])
def test_streams_of_ours_are_counted_as_our_own_instrument_does(recipe):
    def step(scene):
        made, loss = of_recipe(recipe).build(scene), scene.linear()
        return lambda: [made.step(lambda: loss(scene.seen())) for _ in range(2)]

    ours, theirs = step(Scene()), step(Scene())
    with Draws() as known:
        ours()
    assert drawn(theirs) == {"estimators": known.drawn}


def test_the_report_has_what_a_step_draws():
    (one,) = checks(("draws_do_not_grow",))
    found = made(one, subject_of(Right))
    size = sum(p.numel() for p in Scene().model.parameters())
    assert found.numbers == {"drawn": 2 * size, "drawn for each weight": 2.0}  # for + and for -
    assert "(PyTorch)" in found.told
