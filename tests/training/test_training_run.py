"""Whole runs: the row, learning rates chosen on validation, signals, and folders in use."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from filelock import FileLock

import estimators
from zotheory.model.source import ModelError
from zotheory.training import Setup, TrainingError, train
from zotheory.training.checkpoint import Interruption, Stopped
from zotheory.training.rows import cells, read_rows

FIELDS = (
    *("row", "method", "tuning", "seed", "command", "machine", "threads", "versions", "setup"),
    *("hyperparameters", "test", "validation", "steps", "passes", "forward_passes"),
    *("backward_passes", "tokens", "evaluation_passes", "grid", "seconds", "peak_memory"),
    *("parameters", "trained_parameters", "history", "commit"),
)
TRAINED = ("start", "best_step", "rates", "readings")


def numbers(row: dict) -> dict:
    """A row without what differs from run to run."""
    rest = {k: v for k, v in row.items() if k not in ("seconds", "peak_memory", "commit")}
    rest["history"] = [{k: v for k, v in p.items() if k != "seconds"} for p in row["history"]]
    return rest


@pytest.mark.parametrize("method", ["zero_shot", "icl", "linear_probe"])
def test_a_references_row_is_complete(method, setup, tmp_path):
    row = train(setup(method), tmp_path)
    assert set(row) == set(FIELDS)
    assert (row["steps"], row["trained_parameters"], row["grid"]) == (0, 0, [])
    assert 0 <= row["test"]["accuracy"] <= 1
    assert json.loads((tmp_path / "row.json").read_text()) == row


@pytest.mark.parametrize(
    ("method", "tuning"), [("mezo", "full"), ("tezo_adam", "lora"), ("ft_adam", "prefix")]
)
def test_a_trained_row_is_complete(method, tuning, setup, tmp_path):
    rates = (1e-4, 1e-3)
    row = train(setup(method, tuning=tuning, lrs=rates), tmp_path)
    assert set(row) == {*FIELDS, *TRAINED}
    assert row["hyperparameters"]["lr"] in rates
    assert [tried["lr"] for tried in row["grid"]] == [*rates]
    assert row["steps"] == 6
    assert row["passes"] == 6 * (3 if method == "ft_adam" else 2)
    assert row["test"]["count"] == 48
    assert 0 < row["trained_parameters"] <= row["parameters"]
    assert row["peak_memory"] > 1e6
    assert {"torch", "transformers", "python", "zotheory"} <= row["versions"].keys()
    assert shlex.split(row["command"])[:4] == ["zotheory", "train", "--method", method]
    if method != "ft_adam":
        assert len(estimators.Log.load(tmp_path / "lr-0.001" / "log.pt")) == 6
    assert not list(tmp_path.rglob("best.pt"))
    assert not list(tmp_path.rglob("checkpoint.pt"))


def test_a_measured_rate_has_its_course_and_its_cost_in_the_row(setup, tmp_path):
    asked = setup("mezo", tuning="prefix", steps=70, lrs=("auto",))
    assert "--lr auto" in asked.command()
    row = train(asked, tmp_path)
    assert row["hyperparameters"]["lr"] == "auto"
    (first, rate), *_ = row["rates"]
    assert 16 <= first <= 64
    assert rate > 0
    log = estimators.Log.load(tmp_path / "lr-auto" / "log.pt")
    assert row["passes"] == sum(map(len, log.losses)) > 140
    assert log.rates_at(first) == dict.fromkeys(log.tensors, (rate, 0.0))
    assert cells([row])[1] == "auto"


def test_curvature_that_is_rounding_has_no_measured_rate(setup, tmp_path):
    asked = setup("mezo", steps=70, lrs=("auto",), options=(("eps", 1e-6),))
    with pytest.raises(TrainingError, match=r"mezo: no step size.* rounding alone makes"):
        train(asked, tmp_path)
    with pytest.raises(TrainingError, match="ft_sgd computes gradients: its lr is a number"):
        train(setup("ft_sgd", lrs=("auto",)), tmp_path / "other")


def test_the_learning_rate_with_the_best_validation_loss_is_tested(setup, tmp_path):
    asked = setup("ft_adam", steps=40, lrs=(1e-6, 1e-2, 1e3))
    row = train(asked, tmp_path / "all")
    assert row["hyperparameters"]["lr"] == 1e-2
    losses = {tried["lr"]: tried["loss"] for tried in row["grid"]}
    assert losses[1e-2] == min(losses.values()) == row["validation"]["loss"]
    assert row["validation"]["loss"] < row["start"]["loss"]
    alone = train(setup("ft_adam", steps=40, lrs=(1e-2,)), tmp_path / "one")
    for name in ("test", "validation", "history", "passes"):
        assert numbers(alone)[name] == numbers(row)[name]


def test_a_row_is_a_function_of_its_seed(setup, tmp_path):
    rows = [
        numbers(train(setup("tezo", lrs=(1e-3,), seed=seed), tmp_path / str(place)))
        for place, seed in enumerate((0, 0, 1))
    ]
    assert rows[0] == rows[1]
    assert rows[0]["test"] != rows[2]["test"]


def test_saved_weights_are_the_best_ones(setup, tmp_path):
    row = train(setup("ft_adam", lrs=(1e-2,), steps=30), tmp_path / "first", save=True)
    again = setup("zero_shot", model=str(tmp_path / "first" / "model"))
    tested = train(again, tmp_path / "second")
    assert tested["test"]["accuracy"] == row["test"]["accuracy"]
    assert tested["test"]["loss"] == pytest.approx(row["test"]["loss"], rel=1e-5)


def test_a_finished_run_is_read_and_an_unknown_one_left_alone(setup, tmp_path):
    asked = setup("mezo", lrs=(1e-3,))
    row = train(asked, tmp_path, resume=True)  # nothing there yet: begun
    assert train(asked, tmp_path, resume=True) == row
    with pytest.raises(TrainingError, match="holds a run already: go on with --resume"):
        train(asked, tmp_path)
    with pytest.raises(TrainingError, match="holds a run with seed 0, not 1: give another --out"):
        train(setup("mezo", lrs=(1e-3,), seed=1), tmp_path, resume=True)
    (tmp_path / "run.json").write_text("{")
    with pytest.raises(TrainingError, match="is damaged; delete"):
        train(asked, tmp_path, resume=True)


@pytest.mark.parametrize(
    ("changes", "options", "kind", "expected"),
    [
        ({"model": "./nope"}, {}, ModelError, "'./nope': there is no such folder or file"),
        ({"model": __file__}, {}, ModelError, "it is a file"),
        ({"task": "none.tsv"}, {}, TrainingError, "cannot read the task 'none.tsv': No such file"),
        ({}, {"resume": "no"}, TrainingError, "resume must be True or False"),
        ({}, {"watch": print}, TrainingError, "watch must be a Watch"),
    ],
)
def test_what_cannot_be_run_is_told_before_any_work(
    changes, options, kind, expected, setup, tmp_path
):
    with pytest.raises(kind, match=expected):
        train(setup("mezo", **changes), str(tmp_path / "out"), **options)
    assert not (tmp_path / "out").exists()


def test_a_name_is_no_setup(tmp_path):
    with pytest.raises(TrainingError, match=r"setup must be a Setup, such as Setup\('mezo'\)"):
        train("mezo", tmp_path)


def test_a_folder_in_use_and_one_that_cannot_be(setup, tmp_path):
    (tmp_path / "a").mkdir()
    with (
        FileLock(tmp_path / "a" / "lock"),
        pytest.raises(TrainingError, match="another process works in"),
    ):
        train(setup("zero_shot"), tmp_path / "a")
    (tmp_path / "file").write_text("")
    with pytest.raises(TrainingError, match="cannot use"):
        train(setup("zero_shot"), tmp_path / "file" / "b")


@pytest.mark.parametrize("device", ["tpu", "cuda:0", "meta"])
def test_a_device_that_is_not_there(device, setup, tmp_path):
    if device.startswith("cuda") and torch.cuda.is_available():
        pytest.skip("there is one")
    with pytest.raises(TrainingError, match="device"):
        train(setup("mezo", device=device), tmp_path / "out")
    assert not (tmp_path / "out").exists()


# --- signals ------------------------------------------------------------------------------------


def start(asked: Setup, out: Path) -> subprocess.Popen:
    command = [sys.executable, "-m", *shlex.split(asked.command())]
    return subprocess.Popen(
        [*command, "--out", str(out), "--resume", "--save"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def stop(process: subprocess.Popen, out: Path, signum: int) -> str:
    """Send a signal once a checkpoint was written; returns what is told on standard error."""
    before = {path.stat().st_mtime_ns for path in out.glob("lr-*/checkpoint.pt")}
    deadline = time.monotonic() + 60
    while {path.stat().st_mtime_ns for path in out.glob("lr-*/checkpoint.pt")} <= before:
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.002)
    os.kill(process.pid, signum)
    return process.communicate(timeout=60)[1]


@pytest.mark.slow
def test_stopped_and_killed_commands_resume_to_the_same_bits(setup, tmp_path):
    asked = setup("tezo_adam", lrs=(1e-4,), steps=400, evaluate_every=50)
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    rows = [train(asked, whole, save=True)]

    process = start(asked, parts)
    told = stop(process, parts, signal.SIGTERM)
    assert process.returncode == 128 + signal.SIGTERM
    assert told == "zotheory: stopped by SIGTERM; the same command with --resume goes on\n"
    process = start(asked, parts)
    stop(process, parts, signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert not (parts / "row.json").exists()
    process = start(asked, parts)
    _, told = process.communicate(timeout=120)
    assert process.returncode == 0, told

    rows += read_rows([parts / "row.json"])
    assert numbers(rows[0]) == numbers(rows[1])
    logs = [estimators.Log.load(folder / "lr-0.0001" / "log.pt") for folder in (whole, parts)]
    assert logs[0].losses == logs[1].losses
    assert len(logs[0]) == 400
    saved = [(folder / "model" / "model.safetensors").read_bytes() for folder in (whole, parts)]
    assert saved[0] == saved[1]


def test_a_second_signal_stops_at_once():
    with Interruption() as interruption:
        interruption.check()
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(Stopped, match="SIGINT"):
            interruption.check()
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt):  # as before
        os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.slow
@pytest.mark.parametrize(("method", "lr"), [("mezo", 1e-5), ("ft_adam", 5e-5)])
def test_the_real_model_learns_on_the_reviews(method, lr, tmp_path):
    small = {"train": 256, "validation": 64, "test": 64, "max_tokens": 20}
    row = train(Setup(method, lrs=(lr,), passes=60, **small), tmp_path)
    assert row["validation"]["loss"] < row["start"]["loss"] - 0.3
    assert row["seconds"] > 0
    assert row["test"]["accuracy"] > (0.7 if method == "ft_adam" else 0.4)
