"""Probes from end to end."""

import math

import numpy as np
import pytest
import torch

from tests.probing.toys import Leaning, Random, Still
from zotheory import probe
from zotheory.probing.lineup import lineup
from zotheory.probing.objectives import ProbeError, linear
from zotheory.probing.run import BATCHES
from zotheory.probing.theory import exact

SIZE = (8, 6)


def found(comparison, name, objective="linear"):
    (row,) = [r for r in comparison.on(objective) if r.estimator == name]
    return row.found


@pytest.fixture(scope="module")
def everything():
    """Every recipe on both losses: half a minute."""
    return probe(size=SIZE, samples=300)


@pytest.fixture(scope="module")
def few():
    return probe("one_sided", "q_spsa", "mezo", size=SIZE, samples=300)


@pytest.mark.slow
def test_every_recipe_agrees_with_its_card(everything):
    """At three times the width of the intervals: there are some three hundred."""
    compared = 0
    for row in everything.rows:
        for name in ("scale", "angle", "variance", "cos2", "efficiency"):
            interval = getattr(row.found, name)
            if interval.exact is None:
                continue
            compared += 1
            low = interval.value - 3 * (interval.value - interval.low) - 1e-9
            high = interval.value + 3 * (interval.high - interval.value) + 1e-9
            assert low <= interval.exact <= high, (row.estimator, row.objective, name)
    assert compared > 250


@pytest.mark.slow
def test_every_recipe_is_shown_beside_its_card_on_a_linear_loss(everything):
    assert all(row.found.variance.exact is not None for row in everything.on("linear"))


def test_every_recipe_has_a_card_on_a_linear_loss():
    problem = linear(*SIZE, 0)
    for estimator in lineup([], *SIZE):
        assert exact(estimator.build(problem, 0)[0], problem) is not None, estimator.name


def test_orthonormal_forward_differences_reach_the_limit(few):
    efficiency = found(few, "one_sided orthonormal").efficiency
    assert efficiency.exact == 1
    assert 0.9 < efficiency.low < 1 < efficiency.high < 1.1


def test_two_losses_of_mezo_reach_it_too(few):
    got = found(few, "mezo")
    assert got.losses == 2
    assert got.efficiency.exact == 1
    assert got.efficiency.low < 1 < got.efficiency.high


@pytest.mark.parametrize("company", ["few", pytest.param("everything", marks=pytest.mark.slow)])
def test_no_recipe_passes_the_limit(company, request):
    for row in request.getfixturevalue(company).on("linear"):
        efficiency = row.found.efficiency
        assert efficiency.exact is None or efficiency.exact <= 1 + 1e-12
        assert efficiency.low < 1


def test_curvature_spoils_one_sided_differences_only(few):
    for name, spoilt in (("one_sided orthonormal", True), ("q_spsa", False), ("mezo", False)):
        straight, curved = (found(few, name, on) for on in ("linear", "quadratic"))
        assert (curved.efficiency.high < straight.efficiency.low) == spoilt


def test_a_bias_is_found_at_its_angle():
    comparison = probe(Leaning, "mezo", objectives=("linear",), size=SIZE, samples=1500)
    gradient = linear(*SIZE, 0).gradient
    mean = gradient + (SIZE[0] * SIZE[1]) ** -0.5
    cosine = float((mean * gradient).sum() / mean.norm())
    truth = math.degrees(math.acos(cosine))
    assert truth > 30
    angle = found(comparison, "Leaning").angle
    assert 15 < angle.low < truth < angle.high < truth + 20
    assert found(comparison, "mezo").angle.low == 0
    assert found(comparison, "Leaning").scale.low < cosine * float(mean.norm())


def test_ones_own_two_sided_difference_has_the_moments_of_mezo():
    comparison = probe(Random, "mezo", objectives=("linear",), size=SIZE, samples=1500)
    mine, theirs = found(comparison, "Random"), found(comparison, "mezo")
    assert mine.scale.exact is None
    for name in ("scale", "angle", "variance", "efficiency"):
        interval = getattr(mine, name)
        assert interval.low < getattr(theirs, name).exact + 1e-9 <= interval.high + 0.1


def test_what_spends_no_loss_has_no_efficiency_and_comes_last():
    comparison = probe(Still, "mezo", objectives=("linear",), size=SIZE, samples=50)
    assert [row.estimator for row in comparison.on("linear")] == ["mezo", "Still"]
    assert math.isnan(found(comparison, "Still").efficiency.value)
    assert found(comparison, "Still").losses == 0


def test_numbers_depend_on_the_seed_alone():
    first, again, other = (
        probe(Random, "tezo", "svd0", size=SIZE, samples=60, seed=seed) for seed in (4, 4, 5)
    )
    assert first == again
    assert first != other


@pytest.mark.parametrize(
    "company", [("mezo", "subzo", "r_mezo"), pytest.param((), marks=pytest.mark.slow)]
)
def test_the_global_generator_decides_nothing_and_is_left_as_it_was(company):
    def careless(params, seed):
        torch.rand(3)
        return Random(params, int(torch.randint(2**31, ())))

    found = []
    for state in (1, 2):
        torch.manual_seed(state)
        before = torch.get_rng_state()
        found.append(probe(careless, *company, size=SIZE, samples=50, objectives=("linear",)))
        assert torch.equal(torch.get_rng_state(), before)
    assert found[0] == found[1]


def test_progress_is_told():
    told = []
    probe("mezo", "tezo", size=SIZE, samples=50, tell=lambda *args: told.append(args))
    assert told == [(i, 4) for i in range(1, 5)]


def test_the_threads_are_left_as_they_were():
    before = torch.get_num_threads()
    probe("mezo", size=SIZE, samples=50)
    assert torch.get_num_threads() == before


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"size": (1, 1)}, "two entries or more, not 1 x 1"),
        ({"size": (0, 5)}, "not 0 x 5"),
        ({"size": 8}, r"size must be two numbers, such as \(24, 16\) or 24x16, got 8"),
        ({"size": "8 by 6"}, "size must be two numbers"),
        ({"size": (8.0, 6)}, "each number of size must be a whole number"),
        ({"samples": 2 * BATCHES - 1}, "samples must be a whole number of at least 50, got 49"),
        ({"samples": "many"}, "samples must be a whole number of at least 50, got 'many'"),
        ({"objectives": ("cubic",)}, "one of linear, quadratic, model, got 'cubic'"),
        ({"objectives": "cubic"}, "one of linear, quadratic, model, got 'cubic'"),
        ({"objectives": ()}, "objectives must be some of linear, quadratic, model, got none"),
        ({"objectives": None}, "objectives must be one of .*, got None"),
        ({"jobs": 0}, "jobs must be a whole number of at least 1, got 0"),
        ({"seed": 0.5}, "seed must be a whole number of at least 0, got 0.5"),
        ({"tell": "me"}, "tell must be a function, got 'me'"),
        ({"model": "./nope"}, "'./nope': there is no such folder or file"),
        ({"model": 3}, "model must be the name of one or a path"),
    ],
)
def test_unfit_arguments_are_told(options, expected):
    with pytest.raises(ProbeError, match=expected):
        probe("mezo", **options)


def test_arguments_are_taken_where_they_are_clear():
    plain = probe("mezo", Random, objectives=("linear",), size=SIZE, samples=50)
    names = [["mezo", (Random,)]]
    for size in ("8x6", list(SIZE), np.array(SIZE)):
        taken = {"samples": np.int64(50), "seed": np.int64(0), "jobs": np.int8(1), "model": "none"}
        assert probe(*names, objectives="linear", size=size, **taken) == plain


def test_an_empty_list_is_not_all_recipes():
    with pytest.raises(ProbeError, match="an empty list names no estimator"):
        probe([])
