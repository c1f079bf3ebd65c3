"""Probes from end to end."""

import math

import pytest
import torch

from tests.probing.toys import Leaning, Random, Still
from zotheory import probe
from zotheory.probing.objectives import ProbeError, linear
from zotheory.probing.run import BATCHES

SIZE = (8, 6)


def found(comparison, name, objective="linear"):
    (row,) = [r for r in comparison.on(objective) if r.estimator == name]
    return row.found


@pytest.fixture(scope="module")
def everything():
    return probe(size=SIZE, samples=300)


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


def test_every_recipe_has_a_card_on_a_linear_loss(everything):
    assert all(row.found.variance.exact is not None for row in everything.on("linear"))


def test_orthonormal_forward_differences_reach_the_limit(everything):
    efficiency = found(everything, "one_sided orthonormal").efficiency
    assert efficiency.exact == 1
    assert 0.9 < efficiency.low < 1 < efficiency.high < 1.1


def test_two_losses_of_mezo_reach_it_too(everything):
    got = found(everything, "mezo")
    assert got.losses == 2
    assert got.efficiency.exact == 1
    assert got.efficiency.low < 1 < got.efficiency.high


def test_no_recipe_passes_the_limit(everything):
    for row in everything.on("linear"):
        efficiency = row.found.efficiency
        assert efficiency.exact is None or efficiency.exact <= 1 + 1e-12
        assert efficiency.low < 1


def test_curvature_spoils_one_sided_differences_only(everything):
    for name, spoilt in (("one_sided orthonormal", True), ("q_spsa", False), ("mezo", False)):
        straight, curved = (found(everything, name, on) for on in ("linear", "quadratic"))
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
        ({"samples": 2 * BATCHES - 1}, "49 samples are too few"),
        ({"objectives": ("cubic",)}, "no objective 'cubic'; there are linear, quadratic, model"),
    ],
)
def test_unfit_arguments_are_told(options, expected):
    with pytest.raises(ProbeError, match=expected):
        probe("mezo", **options)
