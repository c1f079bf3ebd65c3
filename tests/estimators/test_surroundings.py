"""What PyTorch is set to around a step changes nothing of it."""

import itertools
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from functools import cache

import pytest
import torch

import estimators
from tests.estimators.problems import (
    LOW_RANK,
    RECIPES,
    Recorder,
    Table,
    build,
    net_problem,
    same,
    weights,
)


@contextmanager
def default_dtype(dtype):
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


@contextmanager
def default_device(device):
    torch.set_default_device(device)
    try:
        yield
    finally:
        torch.set_default_device(None)


@contextmanager
def deterministic():
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(False)


@contextmanager
def threads(count):
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def products(precision):
    """32-bit products in fewer bits; a processor that cannot leaves them as they are."""
    torch.set_float32_matmul_precision(precision)
    try:
        yield
    finally:
        torch.set_float32_matmul_precision("highest")


SETTINGS = {
    "plain": nullcontext,
    "default dtype float64": lambda: default_dtype(torch.float64),
    "default dtype bfloat16": lambda: default_dtype(torch.bfloat16),
    "default device": lambda: default_device("meta"),
    "device context": lambda: torch.device("meta"),
    "deterministic": deterministic,
    "inference_mode": torch.inference_mode,
    "enable_grad": torch.enable_grad,
    "autocast": lambda: torch.autocast("cpu", dtype=torch.bfloat16),
    "two threads": lambda: threads(2),
}


def run(name, setting, dtype):
    """Return all that is made by steps inside and outside, a resumed one, and an estimate."""
    model = Table(dtype)
    closure = Recorder(model)  # no arithmetic that autocast would cast
    options = {"lr": 1e-3, "eps": 0.5, "seed": 4, "weight_decay": 0.01}
    with SETTINGS[setting]():
        optimizer = build(name, model, **options)
        optimizer.step(closure)
    optimizer.step(closure)
    with SETTINGS[setting]():
        resumed = build(name, model, **options)
        resumed.load_state_dict(optimizer.state_dict())
    with SETTINGS[setting]():
        resumed.step(closure)
        estimate = resumed.estimate(closure)
    resumed.step(closure)
    return [*weights(model), *estimate.values(), torch.tensor(resumed.log.losses[-1]).double()]


plain = cache(lambda name, dtype: run(name, "plain", dtype))


@pytest.mark.sampled
@pytest.mark.parametrize("setting", [setting for setting in SETTINGS if setting != "plain"])
@pytest.mark.parametrize("name", RECIPES)
def test_the_same_bits_in_place(name, setting):
    assert same(run(name, setting, torch.float32), plain(name, torch.float32))


@pytest.mark.sampled(12)
@pytest.mark.parametrize("setting", ["default dtype bfloat16", "autocast"])
@pytest.mark.parametrize("name", RECIPES)
def test_the_same_bits_in_16(name, setting):
    assert same(run(name, setting, torch.bfloat16), plain(name, torch.bfloat16))


def run_forward(name, setting):
    model, closure = net_problem()
    optimizer = build(name, model, lr=1e-3, eps=1e-2, seed=4, apply="forward")
    with SETTINGS[setting]():
        optimizer.step(closure)
    optimizer.step(closure)
    with SETTINGS[setting]():
        optimizer.step(closure)
    return weights(model)


@pytest.mark.parametrize("name", LOW_RANK)
def test_low_rank_noise_of_matrices_that_are_multiplied_in_fewer_bits(name):
    """Large enough for the kernels of oneDNN; processors without bfloat16 have nothing to tell."""
    ends = []
    for precision in ("highest", "medium"):
        layer = torch.nn.Linear(64, 300)
        torch.nn.init.constant_(layer.weight, 0.5)
        torch.nn.init.constant_(layer.bias, 0.5)
        optimizer = build(name, layer, lr=1e-3, seed=4)
        losses = itertools.cycle([1.0, 0.7, 0.9, 1.1])
        with products(precision):
            for _ in range(3):
                optimizer.step(lambda numbers=losses: next(numbers))
            estimate = optimizer.estimate(lambda numbers=losses: next(numbers))
        ends.append([*weights(layer), *estimate.values()])
    assert same(*ends)


plain_forward = cache(lambda name: run_forward(name, "plain"))


# Not the default device, on which modules of PyTorch make tensors of their own.
@pytest.mark.sampled
@pytest.mark.parametrize(
    "setting",
    [
        "default dtype float64",
        "default dtype bfloat16",
        "deterministic",
        "inference_mode",
        "enable_grad",
        "two threads",
    ],
)
@pytest.mark.parametrize("name", ["mezo", "hizoo", "s_mezo", "one_sided", *LOW_RANK])
def test_the_same_bits_in_the_forward_pass(name, setting):
    assert same(run_forward(name, setting), plain_forward(name))


@pytest.mark.sampled(12)
@pytest.mark.parametrize("apply", ["inplace", "forward"])
@pytest.mark.parametrize("name", RECIPES)
def test_the_same_bits_in_another_thread(name, apply):
    ends = []
    for elsewhere in (False, True):
        model, closure = net_problem()
        optimizer = build(name, model, lr=1e-3, eps=1e-2, seed=4, apply=apply)
        for step in range(3):
            if elsewhere and step != 1:
                thread = threading.Thread(target=optimizer.step, args=(closure,))
                thread.start()
                thread.join()
            else:
                optimizer.step(closure)
        assert optimizer.steps == 3
        ends.append(weights(model))
    assert same(*ends)


@pytest.mark.parametrize("apply", ["inplace", "forward"])
def test_the_closure_runs_in_them(apply):
    """Inference mode and autocast are as they were where the step was called; gradients are off."""
    model, closure = net_problem()
    found, precisions = [], []

    def looking():
        precisions.append(torch.get_float32_matmul_precision())
        found.append(
            (
                torch.is_inference_mode_enabled(),
                torch.is_autocast_enabled("cpu"),
                torch.is_grad_enabled(),
            )
        )
        return closure()

    optimizer = estimators.mezo(model, lr=1e-3, apply=apply)
    optimizer.step(looking)
    with torch.inference_mode():
        optimizer.step(looking)
        assert torch.is_inference_mode_enabled()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        optimizer.step(looking)
        assert torch.is_autocast_enabled("cpu")
    with torch.enable_grad():
        optimizer.step(looking)
    assert found[::2] == [
        (False, False, False),
        (True, False, False),
        (False, True, False),
        (False, False, False),
    ]
    assert found[::2] == found[1::2]
    with products("medium"):
        optimizer.step(looking)
        assert torch.get_float32_matmul_precision() == "medium"
    assert precisions == ["highest"] * 8 + ["medium"] * 2


def test_the_precision_of_products_when_threads_step_at_once():
    """It is one for all threads: each steps as it does alone, and the user's is put back."""

    def run(seed):
        layer = torch.nn.Linear(64, 300)
        torch.nn.init.constant_(layer.weight, 0.5)
        losses = itertools.cycle([1.0, 0.7, 0.9, 1.1])
        optimizer = estimators.tezo([("w", layer.weight)], lr=1e-3, seed=seed)
        for _ in range(20):
            optimizer.step(lambda: next(losses))
        return weights(layer)[0]

    alone = [run(seed) for seed in range(4)]
    with products("medium"):
        with ThreadPoolExecutor(4) as pool:
            together = list(pool.map(run, range(4)))
        assert torch.get_float32_matmul_precision() == "medium"
        if hasattr(torch.backends.mkldnn, "matmul"):
            assert torch.backends.mkldnn.matmul.fp32_precision == "bf16"
    assert same(alone, together)


def test_a_precision_that_is_set_for_all_backends_stays_so():
    if not hasattr(torch.backends, "fp32_precision"):
        pytest.skip("this version of PyTorch has none")
    model, closure = net_problem()
    optimizer = estimators.tezo(model, rank=2)
    torch.backends.fp32_precision = "tf32"
    try:
        optimizer.step(closure)
        assert torch.backends.fp32_precision == "tf32"
    finally:
        torch.backends.fp32_precision = "none"
    assert torch.get_float32_matmul_precision() == "highest"


def test_they_are_as_before_after_a_closure_that_raises():
    model, _ = net_problem()

    def failing():
        raise KeyError

    optimizer = estimators.mezo(model)
    with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
        with pytest.raises(KeyError):
            optimizer.step(failing)
        assert torch.is_inference_mode_enabled()
        assert torch.is_autocast_enabled("cpu")
    assert not torch.is_autocast_enabled("cpu")
