"""What a direction says beside its estimate, and the least that it needs."""

import pytest
import torch

from estimators import (
    NES,
    SGD,
    Averaged,
    Gaussian,
    Greedy,
    GuidingVector,
    OneSided,
    Rademacher,
    ZerothOrder,
)
from tests.estimators.problems import Recorder, Table, build

LR = 0.03  # at which the conservative one moves


def mean(losses):
    return sum(losses) / len(losses)


# The loss at theta as each estimates it, from all that were evaluated.
LOSS = {
    "mezo": mean,
    "q_spsa": mean,
    "nes": mean,
    "one_sided": lambda losses: losses[0],
    "zo_sgd_cons": lambda losses: losses[0],
    "hizoo": lambda losses: losses[0],
    "mezo_greedy": lambda losses: mean(losses[-2:]),
    "mezo_gv": lambda losses: mean(losses[-2:]),
    "svd0": lambda losses: mean(losses[-2:]),  # its subspace has points of its own before
}


def estimated(name, **options):
    """The closure, the weights, and what the direction of a recipe said in one step."""
    model = Table()
    closure, start = Recorder(model), model.vector().detach()
    optimizer, said = build(name, model, lr=LR, seed=3, **options), []
    run = optimizer.direction.run
    optimizer.direction.run = lambda evaluation: said.append(run(evaluation)) or said[-1]
    dense = optimizer.estimate(closure)
    return closure, start, said[-1], torch.cat([part.flatten() for part in dense.values()])


@pytest.mark.parametrize("name", LOSS)
def test_the_loss_is_that_of_the_method(name):
    closure, _, said, _ = estimated(name)
    assert said.loss == pytest.approx(LOSS[name](closure.losses), rel=1e-12)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        *((name, {}) for name in LOSS),
        ("one_sided", {"orthonormal": True}),
        ("mezo_gv", {"candidates": 4, "elite": 0.25}),
    ],
)
def test_its_points_give_the_same_estimate(name, options):
    """sum_i c_i (P_i - theta) is sum_j g_j Z_j where weights are not rounded."""
    closure, start, said, dense = estimated(name, **options)
    by_points = sum(c * (closure.points[i] - start) for i, c in said.points.items())
    assert float(dense.norm()) > 0
    torch.testing.assert_close(by_points.detach(), dense, rtol=0, atol=1e-8 * float(dense.norm()))


ROOT = 0.5**0.5
# Where the first points of each are: for each point, the share of each query's Z.
POINTS = {
    ("mezo",): [[1.0], [-1.0]],
    ("zo_sgd_cons",): [[0.0], [1.0], [-1.0]],
    ("hizoo",): [[0.0], [1.0], [-1.0]],
    ("q_spsa", 2): [[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]],
    ("nes", 3): [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
    ("one_sided", 2): [[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]],
    ("mezo_greedy", 3): [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
    ("mezo_gv", 3): [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
    ("mezo_gv", 2): [[ROOT, ROOT], [ROOT, -ROOT]],
}


@pytest.mark.parametrize(("recipe", "shares"), POINTS.items(), ids=lambda value: str(value)[:20])
def test_points_lie_at_eps_times_the_draws_of_their_queries(recipe, shares):
    """By number, which a log of seeds relies on."""
    name, *count = recipe
    counted = "candidates" if name.startswith("mezo_") else "queries"
    options = {counted: count[0]} if count else {}
    model = Table()
    closure, start = Recorder(model), model.vector().detach()
    optimizer = build(name, model, lr=LR, eps=1e-3, seed=3, **options)
    noises = [
        [Gaussian().draw(slot, 3, 0, query).dense().flatten() for slot in optimizer.slots()]
        for query in range(len(shares[0]))
    ]
    drawn = torch.stack([torch.cat(parts) for parts in noises])
    optimizer.step(closure)
    for point, share in zip(closure.points, shares, strict=False):
        want = torch.tensor(share, dtype=torch.float64) @ drawn
        torch.testing.assert_close((point.detach() - start) / 1e-3, want, rtol=0, atol=1e-9)


def test_the_conservative_one_goes_backward_where_that_is_best():
    weight = torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))
    seen = []

    def loss():
        seen.append(float(weight.detach()))
        return weight if abs(seen[-1]) < 0.01 else -5.0 * weight.sign()

    optimizer = build("zo_sgd_cons", [weight], lr=1.0, seed=0)
    optimizer.step(loss)
    square = ((seen[1] - seen[2]) / 2e-3) ** 2  # kappa z, where the slope is 1
    assert square > 0.01
    assert seen[3:] == pytest.approx([-square, square])
    assert float(weight.detach()) == pytest.approx(square)


def test_as_many_orthonormal_directions_as_weights_find_the_gradient():
    weight = torch.nn.Parameter(torch.zeros(3, dtype=torch.float64))
    slope = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)
    made = build("one_sided", [weight], queries=3, orthonormal=True)
    with torch.device("meta"):  # what it makes of its own stays where it is
        (found,) = made.estimate(lambda: slope @ weight).values()
    torch.testing.assert_close(found, slope, rtol=0, atol=1e-9)
    made = build("one_sided", [weight], queries=4, orthonormal=True)
    with pytest.raises(ValueError, match=r"^4 directions cannot be orthogonal in 3 weights$"):
        made.step(lambda: slope @ weight)
    assert not OneSided(2).orthonormal


def test_draws_that_depend_on_each_other_are_refused():
    """As two vectors of two signs are in one of two cases."""
    weight, told = torch.nn.Parameter(torch.zeros(2, dtype=torch.float64)), []
    for seed in range(12):
        parts = {"perturbation": Rademacher(), "update": SGD(), "lr": LR, "seed": seed}
        made = ZerothOrder([weight], direction=OneSided(2, orthonormal=True), **parts)
        try:
            made.step(lambda: weight.square().sum())
        except ValueError as error:
            told.append(str(error))
    assert set(told) == {"2 draws are linearly dependent; use fewer queries"}
    assert len(told) < 12


@pytest.mark.parametrize(
    ("make", "name", "least"),
    [
        (Averaged, "queries", 1),
        (NES, "queries", 2),
        (OneSided, "queries", 1),
        (Greedy, "candidates", 1),
        (GuidingVector, "candidates", 2),
    ],
)
def test_fewer_than_it_needs_are_refused(make, name, least):
    assert vars(make(least))[name] == least
    with pytest.raises(ValueError, match=f"^{name} must be at least {least}, got {least - 1}$"):
        make(least - 1)


def test_both_sets_of_a_guiding_vector_have_a_candidate():
    assert GuidingVector(4).best == 2
    assert GuidingVector(4, 0.25).best == 1
    assert GuidingVector(4, 0.75).best == 3
    for share, count in ((0.24, 0), (1.0, 4)):
        told = f"elite share {share} of 4 candidates leaves {count} in the elite; need 1 to 3"
        with pytest.raises(ValueError, match=told):
            GuidingVector(4, share)
