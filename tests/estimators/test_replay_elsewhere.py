"""Logs made with one implementation of the noise and replayed with another, or with other noise."""

import json

import pytest
import torch

import estimators
from estimators import philox, streams
from estimators.directions.averaged import Averaged
from estimators.perturbations.gaussian import Gaussian
from estimators.philox import reference
from estimators.updates import compiled
from estimators.updates.adam import Adam
from tests.estimators.problems import Recorder, Table, build, same, weights

DENSE = [
    *("mezo", "rademacher", "sphere", "s_mezo", "r_mezo", "lezo"),
    *("mezo_gv", "mezo_greedy", "q_spsa", "nes", "zo_sgd_cons"),
]


@pytest.fixture
def plain(monkeypatch):
    """Return what leaves the reference alone to make noise."""

    def leave():
        monkeypatch.setattr(philox, "implementation", lambda device_type: reference)
        streams._checksum.cache_clear()

    yield leave
    monkeypatch.undo()
    streams._checksum.cache_clear()


def logged(name, dtype, path):
    """Make a few steps; return the weights, of which the log at `path` tells."""
    model = Table(dtype)
    optimizer = build(name, model, lr=1e-2, seed=4, weight_decay=0.01)
    closure = Recorder(model)
    for _ in range(3):
        optimizer.step(closure)
    optimizer.log.save(path)
    return weights(model)


def replayed(name, dtype, path):
    model = Table(dtype)
    estimators.replay(build(name, model, lr=1e-2, seed=0), estimators.Log.load(path))
    return weights(model)


@pytest.mark.sampled
@pytest.mark.filterwarnings("ignore:eps")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", DENSE)
def test_dense_noise_in_place_with_sgd_is_rebuilt_bit_for_bit(name, dtype, tmp_path, plain):
    """By the plain implementation, which runs on every device, from the compiled one's log."""
    if philox.implementation("cpu") is reference:
        pytest.skip("needs numba")
    goal = logged(name, dtype, tmp_path / "log")
    plain()
    assert philox.implementation("cpu") is reference
    assert same(replayed(name, dtype, tmp_path / "log"), goal)


MOMENTS = ["mezo_m", "mezo_adam", "zo_adamu", "zo_sgd_sign"]


@pytest.mark.filterwarnings("ignore:eps")
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", MOMENTS)
def test_moments_are_rebuilt_bit_for_bit(name, dtype, tmp_path, plain):
    goal = logged(name, dtype, tmp_path / "log")
    plain()
    assert same(replayed(name, dtype, tmp_path / "log"), goal)


@pytest.mark.parametrize("options", [{}, {"restore": "copy"}, {"apply": "forward"}], ids=str)
@pytest.mark.parametrize("name", [*MOMENTS, "moments of two draws"])
def test_steps_in_one_pass_equal_those_of_pytorch(name, options, plain, monkeypatch):
    """Over pieces and blocks, through the phases of ZO-AdaMU's schedule, with weight decay."""
    counts = []

    def counted(kernel, tensors, numbers):
        counts[-1] += 1
        run(kernel, tensors, numbers)

    run = compiled.run
    monkeypatch.setattr(compiled, "run", counted)
    ends = []
    for compiling in (True, False):
        if not compiling:
            plain()
        torch.manual_seed(0)
        model = torch.nn.Linear(300, 240)
        data = torch.randn(2, 300)
        given = {"lr": 1e-2, "eps": 1e-2, "seed": 4, "weight_decay": 0.1} | options
        if name in MOMENTS:
            optimizer = build(name, model, **given)
        else:
            optimizer = estimators.ZerothOrder(
                model,
                perturbation=Gaussian(),
                direction=Averaged(2),
                update=Adam(),
                **given,
            )
        counts.append(0)
        for _ in range(6):
            optimizer.step(lambda model=model, data=data: model(data).square().mean())
        state = [t for p in model.parameters() for t in optimizer.state[p].values()]
        ends.append(weights(model) + [t for t in state if isinstance(t, torch.Tensor)])
    assert same(*ends)
    one_noise = name in MOMENTS
    assert counts == [18 if one_noise else 0, 0]


@pytest.mark.parametrize("name", ["mezo_m", "mezo_adam", "hizoo", "tezo", "lozo", "subzo"])
def test_other_runs_are_rebuilt_to_rounding(name, tmp_path, plain):
    goal = logged(name, torch.float64, tmp_path / "log")
    plain()
    for found, wanted in zip(replayed(name, torch.float64, tmp_path / "log"), goal, strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-9)


def test_a_log_of_other_noise_is_refused(tmp_path, monkeypatch):
    """One that says so, and one of an installation whose noise differs in one bit."""
    path = tmp_path / "log"
    logged("mezo", torch.float32, path)
    state = json.loads(path.read_text())
    path.write_text(json.dumps(state | {"noise": 1}))
    with pytest.raises(ValueError, match="the log is of noise 1, this version draws noise 2"):
        replayed("mezo", torch.float32, path)
    path.write_text(json.dumps(state))
    before = weights(Table(torch.float32))
    write = philox.write

    def broken(sums):
        write(sums)
        sums[0].out.view(-1)[7:8].view(torch.int32).bitwise_xor_(1)

    streams._checksum.cache_clear()
    try:
        with monkeypatch.context() as patch:
            patch.setattr(philox, "write", broken)
            streams.fingerprint(torch.device("cpu"))
        model = Table(torch.float32)
        with pytest.raises(ValueError, match="the noise differs: the log's has checksum"):
            estimators.replay(build("mezo", model, lr=1e-2), estimators.Log.load(path))
        assert same(weights(model), before)
    finally:
        streams._checksum.cache_clear()
    replayed("mezo", torch.float32, path)


def test_a_state_of_other_noise_is_refused():
    optimizer = build("mezo", Table())
    state = optimizer.state_dict()
    own = json.loads(state["param_groups"][0]["zeroth_order"])
    state["param_groups"][0]["zeroth_order"] = json.dumps(own | {"noise": 1})
    with pytest.raises(ValueError, match="the state is of noise 1, this version draws noise 2"):
        optimizer.load_state_dict(state)
