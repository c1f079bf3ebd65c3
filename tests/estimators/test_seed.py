"""Seeds: who draws them, where they are kept, and which generators a step leaves alone."""

import copy
import itertools
import json
import random

import numpy as np
import pytest
import torch
from torch import nn

import estimators
from tests.estimators.problems import RECIPES, Recorder, Table, build, same, weights

RATES = {"lr": 1e-3, "eps": 1e-2}
SOME = pytest.mark.parametrize(
    ("name", "options"),
    [
        ("mezo", {}),
        ("tezo", {}),
        ("r_mezo", {}),
        ("svd0", {}),
        ("subzo", {"rank": 4}),
        ("mezo", {"apply": "forward"}),
    ],
)


def layer(width=8):
    generator = torch.Generator().manual_seed(0)
    made = nn.utils.skip_init(nn.Linear, width, width, bias=False)  # draws nothing
    with torch.no_grad():
        made.weight.normal_(0.0, width**-0.5, generator=generator)
    return made


def trained(model, optimizer, steps=3):
    data = torch.ones(4, model.in_features).cumsum(0)
    for _ in range(steps):
        optimizer.step(lambda: (model(data) - 1.0).square().mean())
    return model.weight.detach().clone()


@SOME
def test_manual_seed_governs(name, options):
    def made(**given):
        model = layer()
        optimizer = build(name, model, **RATES, **options, **given)
        return trained(model, optimizer), optimizer

    torch.manual_seed(1)
    (first, one), (second, two) = made(), made()
    torch.manual_seed(1)
    again, three = made()
    torch.manual_seed(2)
    other, four = made()
    repeated, _ = made(seed=one.seed)
    assert torch.equal(first, again)
    assert torch.equal(first, repeated)
    assert not torch.equal(first, second)
    assert not torch.equal(first, other)
    assert one.seed == three.seed
    assert len({one.seed, two.seed, four.seed}) == 3


@pytest.mark.parametrize("seed", [0, 1, 42, 2**31, 2**63 - 1])
def test_the_first_seed_is_that_of_manual_seed(seed):
    torch.manual_seed(seed)
    first, second = estimators.mezo(layer()), estimators.mezo(layer())
    torch.manual_seed(seed)
    torch.rand(1)
    later = estimators.mezo(layer())
    assert first.seed == seed
    assert len({seed, second.seed, later.seed}) == 3


def test_drawing_a_seed_moves_the_generator_once():
    """With seed=, construction leaves it alone."""
    torch.manual_seed(5)
    before = torch.get_rng_state()
    estimators.mezo(layer(), seed=3)
    assert torch.equal(torch.get_rng_state(), before)
    estimators.mezo(layer())
    assert not torch.equal(torch.get_rng_state(), before)


def test_the_seed_is_told():
    torch.manual_seed(77)
    optimizer = estimators.mezo(layer())
    assert "seed=77" in repr(optimizer)
    assert optimizer.log.seed == 77
    assert optimizer.log.state_dict()["seed"] == 77
    assert json.loads(optimizer.state_dict()["param_groups"][0]["zeroth_order"])["seed"] == 77


@SOME
def test_resume_and_replay_take_the_seed_along(name, options):
    def made(**given):
        model = layer()
        return model, build(name, model, **RATES, **options, **given)

    torch.manual_seed(3)
    model, optimizer = made()
    trained(model, optimizer, 3)
    state = copy.deepcopy((model.state_dict(), optimizer.state_dict()))
    torch.manual_seed(999)
    (other, resumed), (third, replayed) = made(), made()
    other.load_state_dict(state[0])
    resumed.load_state_dict(state[1])
    trained(model, optimizer, 2)
    torch.rand(3)
    trained(other, resumed, 2)
    estimators.replay(replayed, optimizer.log)
    assert same(weights(model), weights(other))
    assert same(weights(model), weights(third))
    for again in (resumed, replayed):
        assert again.seed == again.log.seed == optimizer.seed == 3


def generators():
    """Return the states of the generators that belong to the user."""
    kind, keys, *rest = np.random.get_state()  # noqa: NPY002
    return bytes(torch.get_rng_state()), random.getstate(), kind, bytes(keys), rest


@pytest.mark.parametrize(
    ("name", "dtype"),
    [(name, torch.float32) for name in RECIPES] + [(name, torch.bfloat16) for name in RECIPES[::7]],
    ids=str,
)
def test_nothing_touches_a_global_generator(name, dtype):
    """With the default seed: a step, an estimate, saving, loading and replaying."""
    model, other = Table(dtype), Table(dtype)
    optimizer, fresh = (build(name, m, **RATES) for m in (model, other))
    before, closure = generators(), Recorder(model)
    fresh.state_dict()
    for _ in range(2):
        optimizer.step(closure)
    assert generators() == before
    optimizer.estimate(closure)
    estimators.replay(fresh, optimizer.log)
    fresh.load_state_dict(optimizer.state_dict())
    copy.deepcopy(optimizer)
    repr(optimizer)
    assert generators() == before


@pytest.mark.parametrize("name", ["mezo", "tezo", "lozo", "s_mezo", "one_sided"])
def test_noise_inside_the_modules_touches_none_either(name):
    model = layer()
    optimizer = build(name, model, apply="forward", **RATES)
    before = generators()
    trained(model, optimizer)
    assert generators() == before


def test_dropout_and_loaders_draw_what_they_would_have():
    torch.manual_seed(4)
    plain = torch.rand(3), torch.randperm(5)
    torch.manual_seed(4)
    model = layer()
    optimizer = estimators.mezo(model, **RATES, seed=0)
    torch.manual_seed(4)
    drawn = [torch.rand(3)]
    trained(model, optimizer)
    drawn.append(torch.randperm(5))
    assert same(list(plain), drawn)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("mezo", {}),
        ("tezo", {"rank": 4}),
        ("subzo", {"rank": 4}),
        ("mezo_adam", {}),
        ("mezo", {"apply": "forward"}),
    ],
)
def test_members_of_an_ensemble_part(name, options):
    """Models of one architecture, all of one start: names and shapes are equal, seeds are not."""
    torch.manual_seed(0)
    start, members = layer(16), [layer(16) for _ in range(4)]
    optimizers = [build(name, member, **RATES, **options) for member in members]
    for _ in range(3):
        for member, optimizer in zip(members, optimizers, strict=True):
            trained(member, optimizer, 1)
    moves = [(member.weight - start.weight).detach().flatten() for member in members]
    for a, b in itertools.combinations(moves, 2):
        assert abs(float(nn.functional.cosine_similarity(a, b, dim=0))) < 0.6


@pytest.mark.parametrize(
    ("name", "options"),
    [("mezo", {}), ("mezo_adam", {}), ("lozo", {"rank": 1}), ("lezo", {}), ("svd0", {"rank": 1})],
)
def test_rounds_of_new_optimizers_span_as_many_directions(name, options):
    """A client that makes an optimiser each round does not go back and forth along one line."""
    torch.manual_seed(0)
    model, rounds = nn.ModuleList(layer(20) for _ in range(4)), 24
    moves = []
    for _ in range(rounds):
        before = nn.utils.parameters_to_vector(model.parameters()).detach()
        optimizer = build(name, model, lr=1e-4, eps=1e-2, **options)
        optimizer.step(lambda: sum(p.double().square().sum() for p in model.parameters()))
        move = nn.utils.parameters_to_vector(model.parameters()).detach() - before
        moves.append(move.double() / move.double().norm())
    assert int((torch.linalg.svdvals(torch.stack(moves)) > 0.05).sum()) == rounds
