"""`zotheory train` and `zotheory results` as a user types them."""

import json
import shlex

import pytest

from zotheory.training.rows import read_rows

SMALL = ("--train", 32, "--validation", 16, "--test", 16, "--batch-size", 4)


@pytest.fixture
def toy(model_folder, task):
    """The options of a small run."""
    return ("--model", model_folder, "--task", task, *SMALL)


def test_a_run_shows_its_course_and_its_row(command, toy, tmp_path):
    options = (*toy, "--passes", 8, "--lr", "1e-4", "--lr", "1e-3", "--out", tmp_path)
    status, told, errors = command("train", "--method", "mezo", *options)
    assert (status, errors) == (0, "")
    assert told.count("mezo  lr ") == 2
    assert told.count("best") >= 2
    row = read_rows([tmp_path / "row.json"])[0]
    assert row["command"] in told
    assert row["setup"]["lrs"] == [1e-4, 1e-3]


def test_a_rows_command_makes_the_row_again(command, toy, tmp_path):
    options = ("--set", "rank=3", "--set", "apply=forward", "--dtype", "bfloat16", "--seed", 2)
    more = ("--tuning", "lora", "--loss", "label_words", "--steps", 3, "--lr", 1e-3)
    command("train", "--method", "tezo", *toy, *options, *more, "--out", tmp_path / "a")
    row = read_rows([tmp_path / "a"])[0]
    again = shlex.split(row["command"])[1:]
    assert command(*again, "--out", tmp_path / "b")[0] == 0
    other = read_rows([tmp_path / "b"])[0]
    for name in ("setup", "command", "test", "grid", "hyperparameters", "tokens"):
        assert row[name] == other[name]
    assert row["hyperparameters"]["rank"] == 3


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--method", "mezzo"), "no method 'mezzo'; there are zero_shot, icl, linear_probe"),
        (("--method", "mezo", "--set", "rank=3"), "mezo has no option 'rank'"),
        (("--method", "mezo", "--set", "eps"), "--set takes NAME=VALUE, got 'eps'"),
        (("--method", "mezo", "--set", "eps=-1"), "mezo: eps must be finite and positive"),
        (("--method", "mezo", "--lr", "-1"), "a learning rate is positive and finite, got -1.0"),
        (("--method", "mezo", "--lr", "fast"), "--lr takes a number or 'auto', got 'fast'"),
        (("--method", "mezo", "--tuning", "adapter"), "Invalid value for '--tuning'"),
        (("--method", "mezo", "--passes", "0"), "Invalid value for '--passes'"),
        (("--method", "zero_shot", "--passes", "5"), "zero_shot takes no steps"),
        (("--method", "mezo", "--device", "tpu"), "device is cpu or cuda, got 'tpu'"),
        (("--method", "mezo", "--train", "5000"), "5032 sentences are asked for"),
        (("--method", "mezo", "--model", "no/such/folder"), "cannot load a causal language model"),
        (("--method", "mezo", "--task", "none.tsv"), "cannot read the task 'none.tsv'"),
        ((), "Missing option '--method'"),
    ],
)
def test_bad_input_is_one_line_and_status_2(command, toy, words, expected, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    status, _, errors = command("train", *toy, "--out", tmp_path / "out", *words)
    assert status == 2
    assert errors.count("\n") == 1
    assert errors.startswith("zotheory: ")
    assert expected in errors


def test_a_folder_that_holds_a_run_is_not_overwritten(command, toy, tmp_path):
    words = ("train", "--method", "zero_shot", *toy, "--out", tmp_path)
    assert command(*words)[0] == 0
    assert command(*words)[0] == 2
    assert command(*words, "--resume")[0] == 0


def test_results(command, toy, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert command("results")[0] == 2  # no folder `results` yet
    command("train", "--method", "zero_shot", *toy, "--out", tmp_path / "results")
    status, told, _ = command("results")
    assert status == 0
    assert "zero_shot" in told
    status, told, _ = command("results", "--markdown", tmp_path / "results" / "row.json")
    assert status == 0
    assert told.startswith(
        json.loads((tmp_path / "results" / "row.json").read_text())["setup"]["model"]
    )
    status, _, errors = command("results", tmp_path / "results" / "run.json")
    assert (status, errors.count("\n")) == (2, 1)
