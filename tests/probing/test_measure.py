import numpy as np
import pytest
import torch

from estimators import recipes
from estimators.zeroth_order import ZerothOrder
from tests.probing.toys import Random, Still, ramp
from zotheory.probing.measure import Estimator, measure
from zotheory.probing.objectives import ProbeError, linear

OBJECTIVE = ramp(4, 3)


class Fixed:
    """Returns what it is made with, after so many losses."""

    def __init__(self, found, losses=0):
        self.found, self.losses = found, losses

    def __call__(self, params, seed):
        return self

    def estimate(self, closure):
        for _ in range(self.losses):
            closure()
        return self.found


def sums(factory, samples=range(5), **options):
    return measure(Estimator("it", factory, **options), OBJECTIVE, samples, 0)


def test_sums_are_those_of_the_estimates():
    found = torch.arange(12.0).view(4, 3)
    got = sums(Fixed([found], losses=3))
    flat, gradient = found.flatten().double().numpy(), OBJECTIVE.gradient.flatten().numpy()
    assert (got.count, got.losses) == (5, 15)
    assert np.allclose(got.total, 5 * flat)
    assert got.squares == pytest.approx(5 * flat @ flat)
    assert got.along == pytest.approx(5 * flat @ gradient)
    assert got.along2 == pytest.approx(5 * (flat @ gradient) ** 2)
    assert got.cos2 == pytest.approx(5 * (flat @ gradient) ** 2 / (flat @ flat))


def test_a_zero_estimate_has_cosine_zero():
    assert sums(lambda params, seed: Still(params, seed, 0.0)).cos2 == 0


def test_sums_add_and_subtract():
    whole, first, rest = (sums(Random, samples) for samples in (range(6), range(2), range(2, 6)))
    assert np.allclose((first + rest).total, whole.total)
    assert (whole - first).squares == pytest.approx(rest.squares)


@pytest.mark.parametrize(
    ("recipe", "options", "losses"),
    [
        ("mezo", {}, 2),
        ("q_spsa", {"queries": 3}, 6),
        ("one_sided", {"queries": 3}, 4),
        ("nes", {"queries": 3}, 3),
        ("mezo_gv", {}, 6),
        ("hizoo", {}, 3),
        ("zo_sgd_cons", {}, 5),
        ("svd0", {"rank": 2}, 4),  # two of them for the subspace
    ],
)
def test_losses_are_counted(recipe, options, losses):
    build = getattr(recipes, recipe)
    assert sums(lambda params, seed: build(params, seed=seed, **options)).losses == 5 * losses


def test_every_sample_is_a_fresh_estimator_with_its_own_seed():
    seen = []

    def factory(params, seed):
        seen.append(seed)
        assert torch.equal(params[0], OBJECTIVE.weights)
        return Random(params, seed)

    sums(factory)
    assert len(set(seen)) == 5
    assert max(seen) < 2**32


def test_the_global_generator_is_seeded_and_left_as_it_was():
    class Careless:
        def __init__(self, params, seed):
            pass

        def estimate(self, closure):
            return torch.randn(4, 3)

    torch.manual_seed(5)
    before = torch.get_rng_state()
    first, second = sums(Careless), sums(Careless)
    assert np.array_equal(first.total, second.total)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("kept", [{}, {"seed": 3}])
def test_a_recipe_gets_its_seeds_though_the_factory_drops_them(kept):
    given = sums(lambda params, seed: recipes.tezo(params, rank=2, seed=seed))
    dropped = sums(lambda params, seed: recipes.tezo(params, rank=2, **kept))
    assert np.array_equal(dropped.total, given.total)


def test_an_estimate_of_ones_own_over_a_recipe_is_called_as_every_other():
    class Halved(ZerothOrder):
        def estimate(self, closure):
            return {name: found / 2 for name, found in super().estimate(closure).items()}

    def halved(params, seed):
        made = recipes.mezo(params, seed=seed)
        made.__class__ = Halved
        return made

    assert np.allclose(2 * sums(halved).total, sums(recipes.mezo).total)


def test_a_mapping_a_sequence_and_arrays_will_do():
    found = torch.arange(12.0).view(4, 3)
    ways = ({"w": found}, [found], (found,), found, found.numpy(), [found.numpy()], found.tolist())
    totals = [sums(Fixed(way)).total for way in ways[:-1]]
    assert all(np.array_equal(total, totals[0]) for total in totals)


def test_layers_are_several_tensors():
    shapes = []

    def factory(params, seed):
        shapes.append([tuple(p.shape) for p in params])
        return Random(params, seed)

    sums(factory, layers=2)
    assert shapes[0] == [(2, 3), (2, 3)]


def test_a_recipe_gives_what_it_gives_elsewhere():
    def factory(params, seed):
        return recipes.mezo(params, seed=seed)

    estimator, objective = Estimator("mezo", factory), linear(4, 3, 0)
    seeds = []
    measure(
        Estimator("spy", lambda params, seed: seeds.append(seed) or Random(params, seed)),
        objective,
        [7],
        0,
    )
    (params,) = (objective.parameters(),)
    (direct,) = (
        recipes.mezo(params, seed=seeds[0]).estimate(lambda: objective.loss(params)).values()
    )
    assert np.array_equal(measure(estimator, objective, [7], 0).total, direct.flatten().numpy())


def raising(params, seed):
    raise RuntimeError("out of\nideas")


class Broken(Fixed):
    def estimate(self, closure):
        raise KeyError("z")


@pytest.mark.parametrize(
    ("factory", "expected"),
    [
        (
            raising,
            r"it\(parameters, seed=...\) raised RuntimeError: out of \(test_measure.py:\d+\)",
        ),
        (lambda params: None, "raised TypeError: .*unexpected keyword argument 'seed'"),
        (lambda params, seed: None, r"returned NoneType, which has no method estimate"),
        (Broken(None), r"estimate\(closure\) raised KeyError: 'z' \(test_measure.py:\d+\)"),
        (Fixed(None), r"one tensor per parameter \(\(4, 3\)\).*returned NoneType"),
        (Fixed(1.5), "returned float"),
        (Fixed([torch.ones(3, 4)]), r"returned shapes \[\(3, 4\)\]"),
        (Fixed([]), "returned list"),
        (Fixed([torch.ones(4, 3)] * 2), r"returned shapes \[\(4, 3\), \(4, 3\)\]"),
        (Fixed([torch.full((4, 3), float("nan"))]), "not finite"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(factory, expected):
    with pytest.raises(ProbeError, match=expected) as told:
        sums(factory)
    assert "\n" not in str(told.value)
