import math

import pytest

from estimators import recipes
from estimators.perturbations.cp import CP
from estimators.perturbations.gaussian import Gaussian
from estimators.perturbations.rademacher import Rademacher
from proofs_check.cards import card
from tests.probing.toys import Random, ramp
from zotheory.probing.lineup import LAYERS, lezo_by_tensor
from zotheory.probing.objectives import linear, quadratic
from zotheory.probing.theory import card_of, exact

M, N = 8, 6
OBJECTIVE = ramp(M, N)

NAMED = [
    ("mezo_adam", {}, ("gaussian", {})),
    ("zo_sgd_cons", {}, ("gaussian", {})),
    ("hizoo", {}, ("gaussian", {})),
    ("zo_adamu", {}, ("gaussian", {})),
    ("rademacher", {}, ("rademacher", {})),
    ("sphere", {}, ("sphere", {})),
    ("tezo_m", {"rank": 2}, ("cp", {"r": 2})),
    ("lozo", {"rank": 2}, ("low_rank", {"r": 2})),
    ("subzo", {"rank": 2}, ("subspace", {"r": 2})),
    ("svd0_adam", {"rank": 2}, ("svd_subspace", {"r": 2})),
    ("r_mezo", {"sparsity": 0.5}, ("random_mask", {"keep": 0.5})),
    ("q_spsa", {"queries": 3}, ("averaged", {"q": 3})),
    ("one_sided", {"queries": 2}, ("averaged", {"q": 2})),
    ("one_sided", {"queries": 2, "orthonormal": True}, ("orthonormal", {"q": 2})),
    ("nes", {"queries": 3}, ("nes", {"q": 3})),
    ("mezo_gv", {"candidates": 6}, ("guiding_vector", {"candidates": 6, "best": 3})),
    (
        "subzo_greedy",
        {"rank": 2, "candidates": 3},
        ("greedy", {"perturbation": "subspace", "r": 2, "candidates": 3}),
    ),
]


def build(name, layers=1, **options):
    recipe = lezo_by_tensor if name == "lezo" else getattr(recipes, name)
    return recipe(OBJECTIVE.parameters(layers), **options)


@pytest.mark.parametrize(("recipe", "options", "named"), NAMED, ids=lambda x: str(x)[:40])
def test_parts_have_the_card_of_their_name(recipe, options, named):
    found = card_of(build(recipe, **options), OBJECTIVE.gradient)
    expected = card(named[0], m=M, n=N, **named[1])
    assert found.target == "G"
    assert (found.scale, found.cos2) == (expected.scale, expected.cos2)
    assert found.relative_variance == expected.relative_variance
    assert found.basis_variance == expected.basis_variance


def test_a_mask_keeps_its_share_of_the_gradient():
    found = exact(build("s_mezo"), OBJECTIVE)
    weights, gradient = OBJECTIVE.weights, OBJECTIVE.gradient
    small = weights.abs() <= weights.abs().flatten().sort().values[M * N // 4 - 1]
    kept = float(gradient[small].square().sum())
    assert found.scale == pytest.approx(kept)
    assert math.cos(math.radians(found.angle)) == pytest.approx(kept**0.5)
    assert (found.variance, found.cos2) == (13, pytest.approx(kept / 12))


def test_layers_of_one_size_have_a_card():
    found = card_of(build("lezo", layers=LAYERS), OBJECTIVE.gradient)
    assert float(found.scale) == 1 / 4
    assert card_of(build("lezo", layers=3), OBJECTIVE.gradient) is None  # 8 rows: 3, 3 and 2


def test_dense_noise_over_several_tensors_is_that_of_one_vector():
    found = card_of(build("mezo", layers=LAYERS), OBJECTIVE.gradient)
    assert found.relative_variance == M * N + 1
    assert card_of(build("sphere", layers=LAYERS), OBJECTIVE.gradient) is None


def test_the_rank_rule_gives_the_rank_that_is_used():
    optimizer = build("tezo")
    expected = card_of(optimizer, OBJECTIVE.gradient).scale
    optimizer.step(lambda: 0.0)
    assert expected == optimizer.state[optimizer.param_groups[0]["params"][0]]["rank"]


@pytest.mark.parametrize(
    ("recipe", "options"),
    [
        ("svd0", {"rank": 2, "queries": 2}),
        ("with_greedy", {"perturbation": Rademacher()}),
        ("with_guiding_vector", {"perturbation": type("Mine", (Gaussian,), {})()}),
    ],
)
def test_what_no_card_covers_has_none(recipe, options):
    assert exact(build(recipe, **options), OBJECTIVE) is None


def test_an_estimator_that_is_no_optimiser_has_none():
    assert exact(Random(OBJECTIVE.parameters(), 0), OBJECTIVE) is None


def test_a_cosine_without_a_closed_form_is_left_open():
    found = exact(build("with_greedy", perturbation=CP(2)), OBJECTIVE)
    assert found.cos2 is None
    assert found.variance > 0


def test_two_sided_differences_have_their_card_on_a_quadratic_too():
    curved, straight = quadratic(M, N, 0), linear(M, N, 0)
    for name in ("mezo", "q_spsa", "hizoo", "svd0"):
        options = {"rank": 2} if name == "svd0" else {}
        assert exact(build(name, **options), curved) == exact(build(name, **options), straight)
    for name in ("one_sided", "nes", "mezo_gv", "mezo_greedy", "zo_sgd_cons"):
        assert exact(build(name), curved) is None


def test_an_optimiser_that_has_moved_is_refused():
    optimizer = build("mezo")
    optimizer.step(lambda: 0.0)
    with pytest.raises(ValueError, match="1 step"):
        card_of(optimizer, OBJECTIVE.gradient)
