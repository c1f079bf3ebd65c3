"""Closures that are random, write buffers, compute gradients, skip parameters or batches."""

import copy
import itertools
import random
import re
import warnings
from contextlib import suppress

import numpy
import pytest
import torch
import torch._dynamo
from accelerate import Accelerator
from accelerate.state import AcceleratorState, GradientState
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

import estimators
from estimators.trainer import ZerothOrderTrainer
from tests.estimators.language import arguments, sentences, tiny_llama
from tests.estimators.problems import build, net_problem, same, weights


@pytest.fixture(autouse=True)
def nothing_is_compiled():
    """What a closure uses is not watched where something has been compiled before it."""
    torch._dynamo.utils.counters.clear()


WAYS = [{}, {"restore": "copy"}, {"apply": "forward"}]


def told(act):
    """Return the warnings of a call."""
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        act()
    return [str(w.message) for w in found]


def steps(optimizer, closure, count=12):
    for _ in range(count):
        optimizer.step(closure)


def batch():
    return torch.randn(16, 8, generator=torch.Generator().manual_seed(0)) * 3 + 1


# ---------------------------------------------------------------- random numbers


class Random(nn.Module):
    """Draws random numbers in one of the ways that models do."""

    def __init__(self, kind, p=0.1):
        super().__init__()
        torch.manual_seed(0)
        self.kind, self.p = kind, p
        self.inner, self.out, self.drop = nn.Linear(8, 8), nn.Linear(8, 2), nn.Dropout(p)

    def forward(self, x):
        h = self.inner(x).tanh()
        if self.kind == "module":
            h = self.drop(h)
        if self.kind == "functional":
            h = F.dropout(h, self.p)
        if self.kind == "attention":
            h = F.scaled_dot_product_attention(h[None], h[None], h[None], dropout_p=self.p)[0]
        if self.kind == "noise":
            h = h + self.p * torch.randn_like(h)
        return self.out(h)


@pytest.mark.parametrize("by_name", [False, True])
@pytest.mark.parametrize("options", [{}, {"restore": "copy"}, {"name": "lozo"}, {"name": "nes"}])
@pytest.mark.parametrize("kind", ["module", "functional", "attention", "noise"])
def test_random_numbers_are_told_once(kind, options, by_name):
    options = dict(options)
    model, x = Random(kind), batch()
    params = list(model.named_parameters()) if by_name else model
    optimizer = build(options.pop("name", "mezo"), params, lr=1e-6, seed=0, **options)
    (text,) = told(lambda: steps(optimizer, lambda: model(x).square().mean()))
    assert "the closure draws random numbers" in text
    assert "dropout is on" in text
    assert "model.eval()" in text
    if kind == "module" and not by_name:
        assert "drop" in text.split("dropout is on")[1]


def test_random_numbers_are_told_in_the_forward_pass():
    model, x = Random("functional"), batch()
    optimizer = estimators.mezo(model, lr=1e-6, seed=0, apply="forward")
    found = told(lambda: steps(optimizer, lambda: model(x).square().mean()))
    assert sum("random numbers" in text for text in found) == 1


@pytest.mark.parametrize(
    "draw", [random.random, numpy.random.random_sample], ids=["python", "numpy"]
)
def test_random_numbers_of_others_are_told(draw):
    model, x = Random("none"), batch()
    optimizer = estimators.mezo(model, lr=1e-6, seed=0)
    (text,) = told(lambda: steps(optimizer, lambda: model(x + draw()).square().mean()))
    assert "the closure draws random numbers" in text


@pytest.mark.parametrize("options", WAYS)
def test_a_model_that_goes_into_training_mode_later_is_told(options):
    model, x = Random("module"), batch()
    optimizer = estimators.mezo(model.eval(), lr=1e-6, seed=0, **options)
    assert not told(lambda: steps(optimizer, lambda: model(x).square().mean()))
    model.train()
    (text,) = told(lambda: steps(optimizer, lambda: model(x).square().mean()))
    assert "the closure draws random numbers" in text


@pytest.mark.parametrize("case", ["eval", "p = 0", "none"])
def test_closures_without_random_numbers_are_not_told(case):
    model, x = (
        Random("none" if case == "none" else "module", 0.0 if case == "p = 0" else 0.1),
        batch(),
    )
    model.train(case != "eval")
    optimizer = estimators.mezo(model, lr=1e-6, seed=0)
    assert not told(lambda: steps(optimizer, lambda: model(x).square().mean()))


# ---------------------------------------------------------------- buffers


class Counter(nn.Module):
    """Statistics of its own: one buffer is written, the other is replaced."""

    def __init__(self):
        super().__init__()
        self.register_buffer("seen", torch.zeros(()))
        self.register_buffer("largest", torch.zeros(8))

    def forward(self, x):
        self.seen += len(x)
        self.largest = torch.maximum(self.largest, x.abs().amax(0))
        return x


BUFFERED = {
    "batch norm": lambda: nn.BatchNorm1d(8),
    "spectral norm": lambda: spectral_norm(nn.Linear(8, 8)),
    "counter": Counter,
}


def buffered(kind):
    torch.manual_seed(0)
    model, x = nn.Sequential(nn.Linear(8, 8), BUFFERED[kind](), nn.Linear(8, 2)).train(), batch()
    return model, lambda: model(x).square().mean()


def buffers(model):
    return [buffer.clone() for buffer in model.buffers()]


@pytest.mark.parametrize("options", WAYS)
@pytest.mark.parametrize("kind", BUFFERED)
def test_written_buffers_are_told_once(kind, options):
    model, closure = buffered(kind)
    optimizer = estimators.mezo(model, lr=1e-4, seed=0, **options)
    found = told(lambda: steps(optimizer, closure))
    (text,) = [text for text in found if "unused" not in text and "no loss" not in text]
    assert re.search(r"writes buffers \(1\.", text)
    assert "model.eval()" in text


def test_frozen_statistics_are_not_told():
    model, closure = buffered("batch norm")
    model[1].eval()
    assert not told(lambda: steps(estimators.mezo(model, lr=1e-4, seed=0), closure))


@pytest.mark.parametrize("options", WAYS)
def test_statistics_of_a_later_training_mode_are_put_back(options):
    model, closure = buffered("batch norm")
    optimizer = estimators.mezo(model.eval(), lr=1e-4, seed=0, **options)
    assert not told(lambda: steps(optimizer, closure))
    model.train()
    before = buffers(model)
    told(lambda: optimizer.estimate(closure))
    assert same(before, buffers(model))
    told(lambda: steps(optimizer, closure))
    assert not same(before, buffers(model))


@pytest.mark.filterwarnings("ignore:the closure writes buffers", "ignore:no loss of this step")
@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("what", ["estimate", "raises", "nan", "text", "check"])
@pytest.mark.parametrize("options", WAYS)
@pytest.mark.parametrize("kind", BUFFERED)
def test_buffers_are_put_back(kind, options, what, first):
    """By whatever makes no step, also by the very first call; the same tensors stay in place."""
    model, closure = buffered(kind)
    optimizer = estimators.mezo(model, lr=1e-4, eps=1e-2, seed=0, **options)
    if not first:
        optimizer.step(closure)
    before, tensors, calls = buffers(model), list(model.buffers()), []

    def bad():
        loss = closure()
        calls.append(1)
        if len(calls) < 2:
            return loss
        if what == "raises":
            raise KeyError
        return "1.0" if what == "text" else float("nan")

    if what == "estimate":
        optimizer.estimate(closure)
    elif what == "check":
        with suppress(ValueError):
            optimizer.check_closure(closure)
    else:
        with pytest.raises(KeyError if what == "raises" else ValueError):
            optimizer.step(bad)
    assert same(before, buffers(model))
    assert all(a is b for a, b in zip(tensors, model.buffers(), strict=True))


# ---------------------------------------------------------------- gradients


@pytest.mark.parametrize("options", [{"restore": "copy"}, {"apply": "forward"}])
def test_closures_that_compute_gradients(options):
    """backward is refused with a word on it; a loss made of gradients takes enable_grad."""
    torch.manual_seed(0)
    model, x = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1)), batch()[:, :2]
    optimizer = estimators.mezo(model, lr=1e-2, eps=1e-2, seed=0, **options)

    def usual():
        optimizer.zero_grad()
        loss = model(x).square().mean()
        loss.backward()
        return loss

    def physics():
        points = x.clone().requires_grad_()
        (slope,) = torch.autograd.grad(model(points).sum(), points, create_graph=True)
        return (slope - 1).square().mean()

    def enabled():
        with torch.enable_grad():
            return physics()

    before = weights(model)
    for closure in (usual, physics):
        with pytest.raises(RuntimeError, match=r"without backward\(\).*torch\.enable_grad\(\)"):
            optimizer.step(closure)
        assert same(before, weights(model))
    if options.get("apply") == "forward":  # where the weights are replaced by noisy ones
        with pytest.raises(RuntimeError, match='apply="inplace" if these are gradients of the w'):
            optimizer.step(torch.enable_grad()(usual))
        assert same(before, weights(model))
    first = optimizer.step(enabled)
    steps(optimizer, enabled, 60)
    assert float(enabled().detach()) < first


# ---------------------------------------------------------------- parameters without a use


class Headed(nn.Module):
    def __init__(self, extra):
        super().__init__()
        torch.manual_seed(0)
        self.body, self.head = nn.Linear(8, 8), nn.Linear(8, 2)
        if extra:
            self.pooler = nn.ModuleList(nn.Linear(8, 8) for _ in range(extra))

    def forward(self, x):
        return self.head(self.body(x).tanh())


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("mezo", {}),
        ("mezo_adam", {"restore": "copy"}),
        ("tezo", {}),
        ("one_sided", {}),
        ("nes", {}),
    ],
)
def test_unused_parameters_are_told_once_by_name(name, options):
    x = batch()
    for extra in (0, 1, 3):
        model = Headed(extra)
        optimizer = build(name, model, lr=1e-4, seed=0, **options)
        found = told(lambda o=optimizer, m=model: steps(o, lambda: m(x).square().mean()))
        assert len(found) == (extra > 0)
        for text in found:
            assert "pooler.0.weight, pooler.0.bias" in text
            assert "freeze them (requires_grad_(False))" in text
            assert ("and 3 others" in text) == (extra == 3)
            assert "head" not in text
            assert "body" not in text


def test_unused_parameters_in_the_forward_pass_are_an_error():
    model, x = Headed(1), batch()
    optimizer = estimators.mezo(model, apply="forward")
    with pytest.raises(RuntimeError, match=r"pooler\.0\.weight was not used"):
        optimizer.step(lambda: model(x).square().mean())


@pytest.mark.parametrize("name", ["mezo", "one_sided", "lozo", "zo_sgd_cons"])
@pytest.mark.parametrize("lr", [0.0, 1e-3])
def test_effects_of_size_zero_are_uses(name, lr):
    """Adapters whose second factor is zero, dead units, tables of which a part is used."""

    class Parts(nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.table, self.a = nn.Embedding(50, 8), nn.Linear(8, 2, bias=False)
            self.b, self.dead = nn.Linear(2, 8, bias=False), nn.Linear(8, 8)
            nn.init.zeros_(self.b.weight)
            nn.init.constant_(self.dead.bias, -1e3)

        def forward(self):
            h = self.table(torch.arange(5))
            return h + self.b(self.a(h)) + self.dead(h).relu()

    model = Parts()
    optimizer = build(name, model, lr=lr, eps=1e-2, seed=0)
    assert not told(lambda: steps(optimizer, lambda: (model() - 1).square().mean(), 10))


# ---------------------------------------------------------------- check_closure


@pytest.mark.parametrize("method", [False, True])
def test_check_closure(method):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 8), nn.BatchNorm1d(8), nn.Linear(8, 1)).eval()
    optimizer, x = estimators.mezo(model), batch()
    check = optimizer.check_closure if method else estimators.check_closure
    batches = itertools.cycle(torch.randn(7, 8, 8))
    before = copy.deepcopy(model.state_dict())
    good = lambda: model(x).detach().square().mean()  # noqa: E731
    assert check(good) == float(good())
    assert check(good, calls=2) == float(good())
    bad = [
        lambda: model(next(batches)).square().mean(),
        lambda: F.dropout(model(x), 0.5).square().mean(),
        lambda: (model(x) - torch.randn(16, 1)).square().mean(),
    ]
    for closure in bad:
        with pytest.raises(ValueError, match=r"changes at equal weights: \d.*another batch"):
            check(closure)
    with pytest.raises(ValueError, match="at least 2"):
        check(good, calls=1)
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    assert optimizer.steps == len(optimizer.log) == 0


# ---------------------------------------------------------------- what is returned


BAD = {
    "None": (None, "got NoneType"),
    "vector": (torch.ones(2), r"got Tensor of shape \(2,\)"),
    "empty": (torch.ones(0), r"got Tensor of shape \(0,\)"),
    "text": ("1.0", "got str"),
    "list": ([1.0], "got list"),
    "complex": (1j, "got complex"),
    "complex tensor": (torch.tensor(1j), "got Tensor"),
    "nan": (float("nan"), "returned nan in step 1"),
    "inf": (torch.tensor(float("inf")), "returned inf in step 1"),
}


@pytest.mark.parametrize("at", [1, 2])
@pytest.mark.parametrize("kind", BAD)
@pytest.mark.parametrize("name", ["mezo_adam", "hizoo", "zo_sgd_cons", "svd0"])
def test_bad_returns_leave_everything_as_it_was(name, kind, at):
    value, message = BAD[kind]
    model, closure = net_problem()
    optimizer = build(name, model, lr=1e-4, seed=0, restore="copy")
    optimizer.step(closure)
    before, state, calls = weights(model), copy.deepcopy(optimizer.state_dict()), []

    def bad():
        calls.append(1)
        loss = closure()
        return value if len(calls) == at else loss

    with pytest.raises(ValueError, match=message):
        optimizer.step(bad)
    assert same(before, weights(model))
    assert optimizer.state_dict()["param_groups"] == state["param_groups"]
    for key, entries in optimizer.state_dict()["state"].items():
        assert entries.keys() == state["state"][key].keys()
        for entry, found in entries.items():
            wanted = state["state"][key][entry]
            assert torch.equal(torch.as_tensor(found), torch.as_tensor(wanted))
    optimizer.step(closure)


@pytest.mark.parametrize(
    "value", [1, 1.5, True, torch.tensor(2), torch.tensor([[2.0]]), torch.ones(()).numpy()[()]]
)
def test_numbers_and_tensors_of_one_element_are_losses(value):
    weight = nn.Parameter(torch.ones(3))
    assert estimators.mezo([weight]).step(lambda: value) == float(value)


def test_closures_are_needed_and_callable():
    optimizer = estimators.mezo([nn.Parameter(torch.ones(3))])
    with pytest.raises(ValueError, match="needs a closure"):
        optimizer.step()
    with pytest.raises(TypeError, match="callable, got Tensor"):
        optimizer.step(torch.ones(()))


# ---------------------------------------------------------------- accumulation


@pytest.fixture
def fresh_accelerate():
    AcceleratorState._reset_state(True)
    GradientState._reset_state()
    yield
    AcceleratorState._reset_state(True)
    GradientState._reset_state()


@pytest.mark.parametrize("batches", [1, 4])
def test_accumulation_of_accelerate(batches, fresh_accelerate):
    accelerator = Accelerator(cpu=True, gradient_accumulation_steps=batches)
    model, closure = net_problem()
    before = weights(model)
    optimizer = estimators.mezo(model, lr=1e-3, seed=0)
    prepared, stepper = accelerator.prepare(model, optimizer)
    message = r"gradient_accumulation_steps=4 of accelerate.*add up the losses of all batches"

    def loop():
        for _ in range(8):
            with accelerator.accumulate(prepared):
                stepper.step(closure)

    if batches == 1:
        loop()
        assert optimizer.steps == 8
    else:
        with pytest.raises(ValueError, match=message):
            loop()
        assert same(before, weights(model))
        optimizer.step(closure)  # one's own call sees all that it is given
        assert optimizer.steps == 1


def test_accumulation_of_the_trainer_is_its_own(tmp_path, fresh_accelerate):
    run = ZerothOrderTrainer(
        tiny_llama(),
        arguments(tmp_path, gradient_accumulation_steps=2, max_steps=2),
        recipe="mezo",
        train_dataset=sentences(),
    )
    run.train()
    assert run.optimizer.optimizer.steps == 2


# ---------------------------------------------------------------- groups and repr


def test_repr_tells_method_numbers_and_sizes():
    model, more, seen = nn.Linear(37, 11), nn.Linear(5, 3), set()
    for name, options in (("mezo", {}), ("lozo", {}), ("mezo_adam", {}), ("tezo", {})):
        optimizer = build(name, model, lr=0.00123, eps=0.00457, seed=98765, **options)
        text = repr(optimizer)
        for part in ("lr=0.00123", "eps=0.00457", "seed=98765", "418 parameters in 2 tensors"):
            assert part in text
        assert "step 0" in text
        seen.add(text)
    assert len(seen) == 4
    optimizer.add_param_group({"params": list(more.named_parameters("more")), "lr": 0.0789})
    state = torch.get_rng_state()
    assert "lr=0.00123, 0.0789" in repr(optimizer)
    assert "436 parameters in 4 tensors" in repr(copy.deepcopy(optimizer))
    assert torch.equal(state, torch.get_rng_state())


@pytest.mark.parametrize("later", [False, True])
@pytest.mark.parametrize(
    "key", ["eps", "momentum", "betas", "weigth_decay", "learning_rate", "seed"]
)
def test_unknown_options_of_groups_are_refused(key, later):
    first = {"params": [("a", nn.Parameter(torch.ones(4)))]}
    group = {"params": [("b", nn.Parameter(torch.ones(4)))], key: 0.1}
    optimizer = estimators.mezo([first])
    act = optimizer.add_param_group if later else lambda group: estimators.mezo([first, group])
    with pytest.raises(ValueError, match=f"unknown option '{key}'.*lr and weight_decay"):
        act(group)


def test_options_that_are_known():
    """Those of ours, what schedulers add, and a name for logs."""
    weight = nn.Parameter(torch.ones(4))
    group = {"params": [("a", weight)], "lr": 1e-2, "weight_decay": 0.1, "initial_lr": 1e-2}
    optimizer = estimators.mezo([group | {"name": "head"}], lr=1e-3, seed=0)
    assert optimizer.param_groups[0]["lr"] == 1e-2
    optimizer.step(lambda: float(weight.detach().sum()))
    schedule = torch.optim.lr_scheduler.OneCycleLR
    made = schedule(optimizer, max_lr=0.1, total_steps=10, cycle_momentum=False)
    optimizer.step(lambda: float(weight.detach().sum()))
    made.step()
    optimizer.add_param_group({"params": [("b", nn.Parameter(torch.ones(4)))], "max_lr": 0.1})
