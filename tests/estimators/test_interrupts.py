"""Interrupts at any moment of a step: weights, state and log are those before it, or after it."""

import copy
import os
import random
import signal
import threading
import time
from importlib import import_module

import pytest
import torch
from torch import nn

from estimators import philox
from estimators.philox import reference
from tests.estimators.problems import build

TURNS = 15  # steps that are interrupted, of each kind
MAIN = threading.main_thread()


class Alarm(Exception):
    pass


def ring(*_):
    raise Alarm


@pytest.fixture(autouse=True)
def handlers():
    """Puts back the handlers that a test has changed."""
    numbers = signal.SIGALRM, signal.SIGTERM, signal.SIGINT, signal.SIGUSR1
    before = {number: signal.getsignal(number) for number in numbers}
    yield
    signal.setitimer(signal.ITIMER_REAL, 0.0)
    for number, handler in before.items():
        signal.signal(number, handler)


class Run:
    """A model of two matrices (of two blocks and of one) and its optimiser."""

    def __init__(self, name, dtype=torch.float32, **options):
        torch.manual_seed(0)
        self.model = nn.Sequential(nn.Linear(200, 180), nn.Tanh(), nn.Linear(180, 3)).to(dtype)
        self.data = torch.randn(4, 200).to(dtype)
        self.optimizer = build(name, self.model, **{"lr": 1e-3, "eps": 1e-2, "seed": 1} | options)

    def closure(self):
        return self.model(self.data).double().square().mean()

    def step(self):
        self.optimizer.step(self.closure)

    def now(self):
        """Return weights, state, steps and losses."""
        state = [dict(self.optimizer.state[p]) for p in self.model.parameters()]
        weights = [p.detach() for p in self.model.parameters()]
        return copy.deepcopy([weights, state, self.optimizer.steps, self.optimizer.log.losses])

    def clean(self):
        """Whether modules and parameters are as they were made."""
        linear = self.model[0], self.model[2]
        return not any("forward" in m.__dict__ for m in self.model.modules()) and all(
            list(m._parameters) == ["weight", "bias"] for m in linear
        )


def equal(left, right, tolerance):
    torch.testing.assert_close(left, right, rtol=tolerance, atol=tolerance)


def twin(make, steps):
    """Return what an undisturbed run is after 0, 1, ..., `steps` steps."""
    run = make()
    moments = [run.now()]
    for _ in range(steps):
        run.step()
        moments.append(run.now())
    return moments


COPIED, REGENERATED = {"restore": "copy"}, {"restore": "regenerate", "dtype": torch.float64}
NARROW, FORWARD = {"dtype": torch.bfloat16}, {"apply": "forward"}
WAYS = [(COPIED, 0.0), (REGENERATED, 1e-9), (NARROW, 0.0), (FORWARD, 0.0)]  # and tolerances
ALARMED = [
    "mezo mezo_adam zo_sgd_sign zo_adamu mezo_gv svd0",
    "mezo mezo_adam one_sided lozo_m hizoo",
    "mezo mezo_adam s_mezo tezo",
    "mezo mezo_m tezo lozo",
]
SWEPT = ["mezo_adam hizoo zo_adamu", "mezo mezo_m", "s_mezo", "mezo r_mezo"]


def label(value):
    if isinstance(value, dict):
        return "-".join(str(part).removeprefix("torch.") for part in value.values()) or "default"
    return "" if isinstance(value, float) else None


def cases(kinds):
    """Parametrise a test by recipes, their names given for each way, in the order of WAYS."""
    given = [(n, *way) for names, way in zip(kinds, WAYS, strict=True) for n in names.split()]
    return pytest.mark.parametrize(("name", "options", "tolerance"), given, ids=label)


def disturbed(act, delay):
    """Act with an alarm after `delay` seconds; return whether it rang."""
    try:
        signal.setitimer(signal.ITIMER_REAL, delay)
        try:
            act()
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0.0)
    except Alarm:
        return True
    return False


def timed(act):
    start = time.perf_counter()
    act()
    return time.perf_counter() - start


@cases(ALARMED)
def test_alarms_at_random_moments(name, options, tolerance):
    goal = twin(lambda: Run(name, **options), TURNS)
    typical = min(timed(run.step) for run in [Run(name, **options)] for _ in range(5))
    run, moments, rung = Run(name, **options), random.Random(name), 0
    signal.signal(signal.SIGALRM, ring)
    for _ in range(TURNS):
        if disturbed(run.step, moments.uniform(1e-5, 1.5 * typical)):
            rung += 1
            equal(run.now(), goal[run.optimizer.steps], tolerance)
            assert run.clean()
            assert torch.is_grad_enabled()
            assert signal.getsignal(signal.SIGALRM) is ring
    assert rung >= TURNS / 6
    while run.optimizer.steps < TURNS:
        run.step()
    equal(run.now(), goal[-1], tolerance)


@pytest.mark.parametrize("name", ["mezo", "svd0", "s_mezo", "zo_adamu"])
@pytest.mark.parametrize("apply", ["inplace", "forward"])
def test_an_estimate_that_is_interrupted_changes_nothing(name, apply):
    run = Run(name, apply=apply)
    run.step()
    before, goal = run.now(), run.optimizer.estimate(run.closure)
    typical = min(timed(lambda: run.optimizer.estimate(run.closure)) for _ in range(3))
    signal.signal(signal.SIGALRM, ring)
    moments, rung = random.Random(name), 0
    for _ in range(12):
        delay = moments.uniform(1e-5, 1.5 * typical)
        rung += disturbed(lambda: run.optimizer.estimate(run.closure), delay)
        equal(run.now(), before, 0.0)
    assert rung
    equal(run.optimizer.estimate(run.closure), goal, 0.0)


def at_noise(monkeypatch, number, act):
    """Act when noise is made for the `number`-th time; return the list of times."""
    calls = []

    def watched(make):
        def made(*args, **options):
            calls.append(make)
            if len(calls) == number:
                act()
            return make(*args, **options)

        return made

    for name in ("write", "normals"):
        monkeypatch.setattr(philox, name, watched(getattr(philox, name)))
    return calls


def every_time(monkeypatch, make, act, error, tolerance):
    """Act at the first, second, ... making of noise of the second step, each time in a new run."""
    goal, number = twin(make, 3), 0
    while True:
        number += 1
        run = make()
        run.step()
        with monkeypatch.context() as patch:
            calls = at_noise(patch, number, act)
            try:
                run.step()
            except error:
                pass
            else:
                assert len(calls) < number, "the interrupt was swallowed"
                return number - 1
        equal(run.now(), goal[run.optimizer.steps], tolerance)
        assert run.clean()
        run.step()
        equal(run.now(), goal[run.optimizer.steps], tolerance)


@pytest.mark.sampled
@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
@cases(SWEPT)
def test_noise_that_cannot_be_made(name, options, tolerance, error, monkeypatch):
    """Whenever it is made: while weights are perturbed, restored and updated."""

    def stop():
        raise error

    places = every_time(monkeypatch, lambda: Run(name, **options), stop, error, tolerance)
    assert places >= 3


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("kind", ["reference", "compiled"])
@pytest.mark.parametrize("name", ["mezo", "hizoo"])
def test_noise_that_fails_halfway_is_not_added_twice(name, kind, times, monkeypatch):
    """Where a part of a tensor is written already: the rest is tried again, or the part undone."""
    module = import_module(f"estimators.philox.{kind}")
    if kind == "reference":
        monkeypatch.setattr(philox, "implementation", lambda device_type: reference)
        monkeypatch.setattr(reference, "_CHUNK", 1 << 12)
    else:
        monkeypatch.setattr(module, "_PIECE", 1 << 12)
    make = lambda: Run(name, **REGENERATED)  # noqa: E731
    goal, calls = twin(make, 2), []

    def failing(make, number):
        def made(*args):
            calls.append(make)
            if number <= len(calls) < number + times:
                raise MemoryError
            return make(*args)

        return made

    at = "_write" if kind == "reference" else "_run"
    number, undone = 0, 0
    while True:
        number += 3
        run = make()
        run.step()
        calls.clear()
        with monkeypatch.context() as patch:
            patch.setattr(module, at, failing(getattr(module, at), number))
            try:
                run.step()
            except MemoryError as error:
                if hasattr(error, "__notes__"):  # the update is stored for some tensors only
                    assert times == 2
                    break
            else:
                break
        undone += run.optimizer.steps == 1
        equal(run.now(), goal[run.optimizer.steps], 1e-9)
    assert number > 15
    assert undone >= 4 or times == 1


@pytest.mark.parametrize(
    ("name", "options", "tolerance"),
    [("mezo_adam", COPIED, 0.0), ("mezo", REGENERATED, 1e-9), ("mezo", FORWARD, 0.0)],
    ids=label,
)
def test_sigterm_ends_the_process_between_steps(name, options, tolerance, monkeypatch):
    """What a batch system sends, at every block."""

    def leave(*_):
        raise SystemExit(143)

    signal.signal(signal.SIGTERM, leave)

    def send():
        os.kill(os.getpid(), signal.SIGTERM)

    places = every_time(monkeypatch, lambda: Run(name, **options), send, SystemExit, tolerance)
    assert places >= 3


@pytest.mark.parametrize("options", [{}, COPIED, FORWARD], ids=label)
def test_an_interrupt_reaches_the_closure_at_once(options):
    signal.signal(signal.SIGINT, signal.default_int_handler)
    run, reached = Run("mezo_adam", dtype=torch.float64, **options), []
    run.step()
    before = run.now()

    def closure():
        signal.raise_signal(signal.SIGINT)
        reached.append(True)
        return run.closure()

    with pytest.raises(KeyboardInterrupt):
        run.optimizer.step(closure)
    assert not reached
    equal(run.now(), before, 1e-12)
    assert run.clean()


@pytest.mark.parametrize("number", range(1, 12, 2))
def test_a_handler_that_does_not_raise_is_called_once(number, monkeypatch):
    goal, run, called = twin(lambda: Run("mezo_adam"), 2), Run("mezo_adam"), []

    def handler(signum, frame):
        called.append(signum)

    signal.signal(signal.SIGUSR1, handler)
    run.step()
    calls = at_noise(monkeypatch, number, lambda: signal.raise_signal(signal.SIGUSR1))
    run.step()
    assert called == [signal.SIGUSR1] * (len(calls) >= number)
    assert signal.getsignal(signal.SIGUSR1) is handler
    equal(run.now(), goal[2], 0.0)


def test_handlers_are_the_users_again():
    signal.signal(signal.SIGALRM, ring)
    numbers = signal.valid_signals()
    before = {number: signal.getsignal(number) for number in numbers}
    run = Run("mezo")
    run.step()
    run.optimizer.estimate(run.closure)
    with pytest.raises(ZeroDivisionError):
        run.optimizer.step(lambda: 1 / 0)
    assert {number: signal.getsignal(number) for number in numbers} == before


def test_a_handler_that_the_closure_installs_stays():
    run = Run("mezo")

    def own(*_):
        pass

    def closure():
        signal.signal(signal.SIGUSR1, own)
        return run.closure()

    run.optimizer.step(closure)
    assert signal.getsignal(signal.SIGUSR1) is own


def test_a_step_within_a_step():
    """A closure that trains another model is interrupted like any other."""
    outer, inner = Run("mezo", restore="copy"), Run("mezo_adam", restore="copy")
    signal.signal(signal.SIGALRM, ring)
    start = outer.now()

    def closure():
        inner.step()
        signal.raise_signal(signal.SIGALRM)
        return outer.closure()

    with pytest.raises(Alarm):
        outer.optimizer.step(closure)
    equal(outer.now(), start, 0.0)
    equal(inner.now(), twin(lambda: Run("mezo_adam", restore="copy"), 1)[1], 0.0)
    assert signal.getsignal(signal.SIGALRM) is ring


def test_nothing_is_installed_in_another_thread():
    """Python runs handlers in the main thread only."""
    signal.signal(signal.SIGALRM, ring)
    goal, run, seen = twin(lambda: Run("mezo"), 1), Run("mezo"), []

    def closure():
        seen.append((threading.current_thread() is MAIN, signal.getsignal(signal.SIGALRM)))
        return run.closure()

    thread = threading.Thread(target=run.optimizer.step, args=(closure,))
    thread.start()
    thread.join()
    assert seen == [(False, ring)] * 2
    equal(run.now(), goal[1], 0.0)
