"""Resuming, replaying and 16-bit weights."""

import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest
import torch

import estimators
from tests.estimators.problems import RECIPES, Recorder, Table, build, net_problem, same, weights

SIXTEEN = [torch.bfloat16, torch.float16]


@pytest.mark.sampled(8)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", RECIPES)
def test_save_load_and_replay(name, dtype, tmp_path):
    """Five steps, save, load, five more are ten, bit for bit; the log rebuilds them all."""

    def fresh():
        model = Table(dtype)
        optimizer = build(name, model, lr=1e-2, seed=4, weight_decay=0.01)
        return model, optimizer, torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.1, 10)

    def advance(model, optimizer, schedule, steps):
        closure = Recorder(model)
        for _ in range(steps):
            optimizer.step(closure)
            schedule.step()

    whole = fresh()
    advance(*whole, 10)

    half = fresh()
    advance(*half, 5)
    torch.save([part.state_dict() for part in half], tmp_path / "checkpoint")
    rest = fresh()
    for part, state in zip(rest, torch.load(tmp_path / "checkpoint"), strict=True):
        part.load_state_dict(state)
    advance(*rest, 5)
    assert same(weights(whole[0]), weights(rest[0]))

    rest[1].log.save(tmp_path / "log")
    model, optimizer, _ = fresh()
    estimators.replay(optimizer, estimators.Log.load(tmp_path / "log"))
    assert same(weights(whole[0]), weights(model))


@pytest.mark.sampled
@pytest.mark.parametrize("name", RECIPES)
def test_steps_of_which_all_is_frozen_are_logged_as_such(name):
    """Nothing moves in them, nor when they are replayed: no decay, no momentum; they are told."""
    model, again = Table(), Table()
    optimizer = build(name, model, lr=1e-2, seed=4, weight_decay=0.1)
    closure = Recorder(model)
    for frozen in (False, True, False):
        model.requires_grad_(not frozen)
        before = weights(model)
        told = pytest.warns(UserWarning, match="no parameter") if frozen else nullcontext()
        with told:
            for _ in range(2):
                optimizer.step(closure)
        assert same(before, weights(model)) == frozen
    replayed = build(name, again, lr=1e-2, seed=4, weight_decay=0.1)
    estimators.replay(replayed, optimizer.log)
    assert same(weights(model), weights(again))


_REST = """
import sys, torch
from tests.estimators.problems import build, net_problem
model, closure = net_problem()
optimizer = build("svd0_adam", model, lr=1e-3)
states = torch.load(sys.argv[1])
model.load_state_dict(states[0]); optimizer.load_state_dict(states[1])
torch.set_num_threads(int(sys.argv[3]))
for _ in range(3):
    optimizer.step(closure)
torch.save(model.state_dict(), sys.argv[2])
"""


def test_resume_in_a_new_process(tmp_path):
    model, closure = net_problem()
    optimizer = build("svd0_adam", model, lr=1e-3)
    for step in range(6):
        if step == 3:
            torch.save([model.state_dict(), optimizer.state_dict()], tmp_path / "half")
        optimizer.step(closure)
    paths = [str(tmp_path / name) for name in ("half", "rest")]
    command = [sys.executable, "-c", _REST, *paths, str(torch.get_num_threads())]
    subprocess.run(command, check=True, cwd=Path(__file__).parents[2])
    rest = torch.load(tmp_path / "rest")
    assert same(list(model.state_dict().values()), list(rest.values()))


@pytest.mark.sampled
@pytest.mark.parametrize("apply", ["inplace", "forward"])
@pytest.mark.parametrize("dtype", SIXTEEN)
@pytest.mark.parametrize("name", ["mezo", "mezo_adam", "tezo", "lozo_m", "mezo_gv", "svd0", "lezo"])
def test_sixteen_bit_weights_do_not_drift(name, dtype, apply):
    model, closure = net_problem(dtype)
    before = weights(model)
    optimizer = build(name, model, lr=0.0, apply=apply)
    for _ in range(8):
        optimizer.step(closure)
    assert same(before, weights(model))


@pytest.mark.parametrize("dtype", SIXTEEN)
@pytest.mark.parametrize("name", ["mezo", "mezo_m", "tezo", "tezo_adam"])
def test_small_updates_count_on_average(name, dtype):
    """Steps of a twentieth of a unit in the last place add up as they do in float32."""
    unit, ends, rate = torch.finfo(dtype).eps, [], None
    for kind in (torch.float32, dtype):
        model = torch.nn.Linear(60, 50, bias=False)
        torch.nn.init.constant_(model.weight, 1.0)
        model.to(kind)
        optimizer = build(name, model, eps=0.5, seed=7)

        def closure(model=model):
            return float(model.weight.double().sum())

        if rate is None:
            largest = max(float(e.abs().max()) for e in optimizer.estimate(closure).values())
            rate = 0.02 * unit if name == "tezo_adam" else 0.05 * unit / largest
        optimizer.param_groups[0]["lr"] = rate
        for _ in range(40):
            optimizer.step(closure)
        ends.append(model.weight.detach().double() - 1.0)
    exact, rounded = ends
    assert exact.abs().max() < 4 * unit
    # Rounding to nearest would leave nearly all weights at 1.
    along = float((rounded * exact).sum() / exact.square().sum())
    assert 0.7 < along < 1.3


def test_stochastic_rounding_is_unbiased_and_keeps_what_is_representable():
    from estimators.philox.rounding import stochastic_round

    def rounded(x, dtype):
        random = torch.randint(-(2**15), 2**15, x.shape, dtype=torch.int16, generator=generator)
        return stochastic_round(x, dtype, random)

    generator = torch.Generator().manual_seed(0)
    for dtype in SIXTEEN:
        x = torch.tensor([1.0, -1.0, 0.3, -0.3, 1e-7, -1e-7, 3e-5, 0.0, 3.1e4, -2.00001])
        x = torch.cat([x, torch.tensor([torch.finfo(dtype).max]), -x.exp().clamp(max=100.0)])
        kept = x.to(dtype).float()
        assert torch.equal(rounded(kept, dtype).float(), kept)
        draws = rounded(x.repeat(20000, 1), dtype).double()
        spread = draws.std(0) / 20000**0.5
        unit = torch.finfo(dtype).eps * x.abs().double() + 2.0**-24
        rare = 1e-3 * unit  # what happens once in a thousand draws may not have happened
        assert ((draws.mean(0) - x).abs() <= 5 * spread + rare).all()
        assert (draws.unique(dim=0).shape[0]) > 1
        neighbours = torch.stack([rounded(x, dtype).double() for _ in range(200)])
        assert ((neighbours - x).abs() <= unit).all()


def test_a_log_of_twenty_thousand_steps_is_small(tmp_path):
    log = estimators.Log(0)
    loss = torch.rand(20000, 2).tolist()
    for step, pair in enumerate(loss):
        log.record(pair, [{"lr": 1e-6 * (1 - step / 20000), "weight_decay": 0.0}])
    log.save(tmp_path / "log")
    assert (tmp_path / "log").stat().st_size < 1_000_000
    again = estimators.Log.load(tmp_path / "log")
    assert again.losses == log.losses
    assert again.rates == log.rates
