"""One learning rate: the course of a run, and going on with it to the same weights, bit for bit."""

import json
import math

import pytest
import torch

import estimators
from tests.training.training_runs import After, equal, finish, trial, weights
from zotheory.training import TrainingError, checkpoint
from zotheory.training import trial as trial_module
from zotheory.training.checkpoint import Interruption, Stopped
from zotheory.training.methods import build
from zotheory.training.state import State
from zotheory.training.watch import Watch

RESUMED = [
    ("mezo", {}),
    ("mezo_adam", {}),
    ("mezo_gv", {}),
    ("tezo_adam", {}),
    ("tezo_m", {"dtype": "bfloat16"}),
    ("lozo_m", {"options": (("interval", 3), ("rank", 2))}),
    ("svd0_adam", {"options": (("interval", 4), ("rank", 2))}),
    ("s_mezo", {}),
    ("lezo", {"dtype": "bfloat16"}),
    ("hizoo", {"options": (("smoothing", 1e-3),)}),
    ("zo_adamu", {}),
    ("tezo", {"tuning": "lora"}),
    ("mezo", {"tuning": "prefix"}),
    ("ft_sgd", {"options": (("momentum", 0.9),)}),
    ("ft_adam", {}),
    ("ft_adam", {"tuning": "lora", "dtype": "bfloat16"}),
]


def same_numbers(left: State, right: State) -> bool:
    """Whether two states agree in all but time and memory."""

    def numbers(state: State) -> dict:
        found = state.to_json() | {"seconds": 0, "peak": 0}
        found["history"] = [point | {"seconds": 0} for point in found["history"]]
        return found

    return numbers(left) == numbers(right)


@pytest.mark.sampled(4)
@pytest.mark.parametrize(("name", "changes"), RESUMED)
def test_a_stopped_run_goes_on_to_the_same_weights(name, changes, setup, tmp_path):
    asked = setup(name, steps=12, evaluate_every=5, lrs=(1e-3,), **changes)
    whole = trial(asked, tmp_path / "whole")
    expected = finish(whole)
    # Checks come before every step and every batch of an evaluation: 4 evaluations of 2 batches.
    for checks in (
        1,
        7,
        9,
        1,
    ):  # in the first evaluation, in another, before a step, before the next
        with pytest.raises(Stopped):
            finish(trial(asked, tmp_path / "parts"), After(checks))
    rest = trial(asked, tmp_path / "parts")
    assert equal(expected, finish(rest))
    assert same_numbers(whole.state, rest.state)
    best = [torch.load(tmp_path / part / "best.pt") for part in ("whole", "parts")]
    assert equal(list(best[0].values()), list(best[1].values()))


def test_a_stopped_run_goes_on_measuring_its_rate(setup, tmp_path):
    """Stopped before a step whose update waits, and between readings."""
    asked = setup("mezo", tuning="prefix", steps=80, evaluate_every=40, lrs=("auto",))
    whole = trial(asked, tmp_path / "whole")
    expected = finish(whole)
    for checks in (8, 60):
        with pytest.raises(Stopped):
            finish(trial(asked, tmp_path / "parts"), After(checks))
    rest = trial(asked, tmp_path / "parts")
    assert equal(expected, finish(rest))
    assert whole.state.rates == rest.state.rates != []
    assert same_numbers(whole.state, rest.state)


@pytest.mark.parametrize("name", ["tezo_adam", "ft_adam"])
def test_a_killed_run_goes_on_from_its_last_checkpoint(name, setup, tmp_path, monkeypatch):
    asked = setup(name, steps=12, evaluate_every=4, lrs=(1e-3,))
    expected = finish(trial(asked, tmp_path / "whole"))
    monkeypatch.setattr(trial_module, "CHECKPOINT_SECONDS", -1.0)  # at every step
    made = trial(asked, tmp_path / "killed")
    monkeypatch.setattr(made, "_save", lambda save=made._save: made.state.step <= 6 and save())
    with pytest.raises(Stopped):
        finish(made, After(15))
    assert made.state.step == 9  # what came after the checkpoint of step 6 is lost
    assert torch.load(tmp_path / "killed" / "checkpoint.pt")["state"]["step"] == 6
    assert equal(expected, finish(trial(asked, tmp_path / "killed")))


@pytest.mark.parametrize(("name", "tuning"), [("tezo_adam", "full"), ("mezo", "lora")])
def test_the_log_rebuilds_the_weights(name, tuning, setup, tmp_path):
    asked = setup(name, lrs=(1e-3,), tuning=tuning)
    made = trial(asked, tmp_path)
    expected = finish(made)
    again = trial(asked, tmp_path / "again")
    before = weights(again)
    estimators.replay(again.optimizer, estimators.Log.load(tmp_path / "log.pt"))
    assert equal(expected, weights(again))
    assert not equal(before, weights(again))


@pytest.mark.parametrize(
    ("changes", "steps"),
    [
        ({"steps": 20}, [0, *range(2, 21, 2)]),
        ({"steps": 4}, [0, 1, 2, 3, 4]),
        ({"steps": 9, "evaluate_every": 4}, [0, 4, 8, 9]),
        ({"passes": 40}, [0, *range(2, 21, 2)]),
        ({"passes": 41, "steps": 7}, [0, 3, 5, 7]),
    ],
)
def test_evaluations_are_spread_over_the_budget(changes, steps, setup, tmp_path):
    made = trial(setup("mezo", lrs=(1e-4,), **changes), tmp_path)
    finish(made)
    if "passes" in changes and "steps" in changes:  # whichever is spent first
        assert made.state.step == 7
        assert made.state.history[-1].step == 7
        return
    assert [point.step for point in made.state.history] == steps


def test_the_course_of_a_run_is_told_and_kept(setup, tmp_path):
    class Told(Watch):
        def __init__(self):
            self.lines = []

        def begin(self, title, total, unit):
            self.lines.append((title, total, unit))

        def step(self, state, done):
            self.lines.append(done)

        def evaluated(self, point, best):
            self.lines.append((point.step, best))

    watch = Told()
    made = trial(setup("ft_adam", passes=12, evaluate_every=2, lrs=(1e-3,)), tmp_path)
    made.run(watch, Interruption())
    assert watch.lines[:4] == [("ft_adam  lr 0.001", 12, "passes"), 0, (0, True), 3]
    history = made.state.history
    assert [point.passes for point in history] == [0, 6, 12]
    assert history[0].train_loss is None
    assert all(math.isfinite(point.train_loss) for point in history[1:])
    kept = State.from_json(json.loads((tmp_path / "result.json").read_text()))
    assert same_numbers(kept, made.state)
    assert kept.best == min(history, key=lambda point: point.loss)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["best.pt", "result.json"]


def test_first_order_rates_fall_to_zero_and_others_stay(setup, tmp_path):
    for name, last in (("ft_sgd", 1e-3 / 6), ("mezo", 1e-3)):
        made = trial(setup(name, lrs=(1e-3,)), tmp_path / name)
        finish(made)
        assert made.optimizer.param_groups[0]["lr"] == pytest.approx(last)


@pytest.mark.parametrize("name", ["mezo", "ft_sgd"])
def test_a_run_that_diverges_ends_with_its_best_weights(name, setup, tmp_path):
    made = trial(setup(name, steps=60, evaluate_every=1), tmp_path, lr=1e12)
    finish(made)
    assert made.state.diverged
    assert made.state.step < 60
    assert all(math.isfinite(point.loss) for point in made.state.history)
    assert made.state.best.step == 0
    saved = torch.load(tmp_path / "best.pt")
    fresh = trial(setup(name), tmp_path / "fresh", lr=1.0)
    assert equal(list(saved.values()), weights(fresh))


def test_first_order_learns_the_toy_task(setup, tmp_path):
    made = trial(setup("ft_adam", steps=120, train=200, evaluate_every=20), tmp_path, lr=1e-2)
    finish(made)
    assert made.state.best.accuracy > 0.75  # 50% is chance
    assert made.state.best.loss < 0.6


def test_zeroth_order_learns_the_label_words(setup, tmp_path):
    made = trial(setup("mezo", steps=250, evaluate_every=25), tmp_path, lr=1e-3)
    finish(made)
    assert made.state.best.loss < made.state.history[0].loss - 1.0


def test_a_damaged_checkpoint_is_named(setup, tmp_path):
    (tmp_path / "checkpoint.pt").write_bytes(b"half a checkpoint")
    with pytest.raises(TrainingError, match=r"checkpoint\.pt is damaged .*; delete it"):
        finish(trial(setup("mezo"), tmp_path))
    with pytest.raises(TrainingError, match="damaged"):
        checkpoint.load(tmp_path / "none.pt", torch.device("cpu"))


def test_a_full_disk_is_named_and_the_checkpoint_before_is_kept(tmp_path, monkeypatch):
    path = tmp_path / "checkpoint.pt"
    checkpoint.save(path, {"step": 1})

    def full(content, file):
        raise RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 2 vs 1")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(TrainingError, match=r"cannot write .*checkpoint\.pt .*; is the disk full"):
        checkpoint.save(path, {"step": 2})
    assert checkpoint.load(path, torch.device("cpu")) == {"step": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["checkpoint.pt"]


def test_build_is_what_a_trial_uses(setup, tmp_path):
    made = trial(setup("tezo", options=(("rank", 3),)), tmp_path)
    assert type(made.optimizer) is type(build(made.setup, 1e-3, made.model))
    assert made.optimizer.perturbation.rank == 3
