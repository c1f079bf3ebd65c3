"""On a GPU, where there is one: the same promises, with noise from the GPU's own generator."""

import pytest
import torch

import estimators
from tests.estimators.language import tiny_llama
from tests.estimators.problems import RECIPES, build, same, weights

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


@pytest.fixture(autouse=True)
def _fixed_order_of_sums(monkeypatch):
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True, warn_only=True)
    yield
    torch.use_deterministic_algorithms(False)


def problem(dtype=torch.float32):
    model = tiny_llama(dtype).cuda()
    tokens = torch.arange(21, device="cuda").view(3, 7) * 5 % 64
    return model, lambda: model(input_ids=tokens, labels=tokens).loss


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", RECIPES)
def test_save_load_and_replay(name, dtype, tmp_path):
    def fresh():
        model, closure = problem(dtype)
        return model, closure, build(name, model, lr=1e-3, seed=4)

    def advance(closure, optimizer, steps):
        for _ in range(steps):
            optimizer.step(closure)

    whole = fresh()
    advance(*whole[1:], 6)
    half = fresh()
    advance(*half[1:], 3)
    torch.save([half[0].state_dict(), half[2].state_dict()], tmp_path / "checkpoint")
    rest = fresh()
    states = torch.load(tmp_path / "checkpoint")
    rest[0].load_state_dict(states[0])
    rest[2].load_state_dict(states[1])
    advance(*rest[1:], 3)
    assert same(weights(whole[0]), weights(rest[0]))

    rest[2].log.save(tmp_path / "log")
    model, _, optimizer = fresh()
    before = weights(model)
    estimators.replay(optimizer, estimators.Log.load(tmp_path / "log"))
    assert same(weights(whole[0]), weights(model))
    assert not same(before, weights(model))


@pytest.mark.parametrize("name", RECIPES)
def test_forward_and_inplace_agree(name):
    losses = []
    for apply in ("inplace", "forward"):
        model, closure = problem()
        options = {"apply": apply}
        if name == "s_mezo" and apply == "inplace":
            options = {"implementation": "copy"}
        optimizer = build(name, model, lr=1e-3, seed=2, **options)
        before = weights(model)
        optimizer.estimate(closure)
        assert same(before, weights(model))
        optimizer.step(closure)
        losses.append(optimizer.log.losses[0])
    torch.testing.assert_close(losses[0], losses[1], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["mezo", "tezo", "subzo", "svd0", "lezo", "mezo_gv", "s_mezo"])
def test_the_step_is_along_the_estimate(name):
    model, closure = problem(torch.float64)
    optimizer = build(name, model, lr=1e-3, seed=2)
    estimate = optimizer.estimate(closure)
    before = {n: p.detach().clone() for n, p in model.named_parameters()}
    optimizer.step(closure)
    assert estimate.keys() == before.keys()
    for key, weight in model.named_parameters():
        torch.testing.assert_close(before[key] - weight, 1e-3 * estimate[key])


def test_sixteen_bit_weights_do_not_drift():
    model, closure = problem(torch.bfloat16)
    before = weights(model)
    optimizer = build("mezo", model, lr=0.0, seed=2)
    for _ in range(20):
        optimizer.step(closure)
    assert same(before, weights(model))
