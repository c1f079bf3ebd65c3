"""`zotheory probe` as a user types it."""

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import estimators
import zotheory
from zotheory import cli

EXAMPLE = Path(__file__).parent.parent.parent / "examples" / "my_estimator.py"
FEW = ("--size", "8x6", "--samples", "50")


def test_the_example_is_short():
    assert len(EXAMPLE.read_text().splitlines()) < 20


def test_ones_own_stands_in_the_table_beside_the_named(command, monkeypatch):
    monkeypatch.setattr(cli.console, "_width", 100)
    status, out, error = command("probe", f"{EXAMPLE}:Coordinates", "mezo", "one_sided", *FEW)
    assert (status, error) == (0, "")
    lines = {line[:21].strip(): line.split() for line in out.splitlines()}
    assert lines["Coordinates"][1:3] == ["5", "1"]  # five losses, at the limit
    assert lines["mezo"][1] == "2"
    assert lines["one_sided orthonormal"][2] == "5"


@pytest.mark.parametrize(
    "names",
    [("with_guiding_vector", "one_sided", "s_mezo"), pytest.param((), marks=pytest.mark.slow)],
    ids=["longest", "all"],
)
def test_recipes_fit_a_terminal_of_100_columns(command, monkeypatch, names):
    monkeypatch.setattr(cli.console, "_width", 100)
    status, out, _ = command("probe", *names, *FEW)
    assert status == 0
    rows = [line for line in out.splitlines() if line and line[0].isalpha()]
    assert max(map(len, out.splitlines())) <= 100
    assert sum("with_guiding_vector CP" in line for line in rows) == 1  # nothing was folded


@pytest.mark.slow
def test_two_workers_of_the_installed_module_find_what_one_finds_here(tmp_path):
    (tmp_path / "own.py").write_text(
        "import estimators\n\ndef mine(params, seed):\n"
        "    return estimators.q_spsa(params, queries=2, seed=seed)\n"
    )
    arguments = ["probe", "own:mine", "nes", "tezo", *FEW, "--jobs", "2", "--out", "it.csv"]
    done = subprocess.run(
        [sys.executable, "-m", "zotheory", *arguments], cwd=tmp_path, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")

    def mine(params, seed):
        return estimators.q_spsa(params, queries=2, seed=seed)

    here = zotheory.probe(mine, "nes", "tezo", size=(8, 6), samples=50).frame()
    there = pd.read_csv(tmp_path / "it.csv", float_precision="round_trip")
    pd.testing.assert_frame_equal(there, here, check_dtype=False, check_exact=True)
    found = here.set_index(["estimator", "objective"]).loc[("mine", "linear")]
    assert (found["losses"], found["variance_exact"]) == (4, 24.5)  # its parts have a card


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["tezzo"], "no recipe is called 'tezzo'; did you mean tezo"),
        (["none.py:it"], "no file none.py"),
        (["none:it"], "cannot import 'none'"),
        (["bad.py:it"], "bad.py: line 1: ZeroDivisionError"),
        (["own.py:raises"], "raises(parameters, seed=...) raised ValueError: not today (own.py:2)"),
        (["own.py:nothing"], "returned NoneType, which has no method estimate"),
        (["mezo", "--size", "8"], "size must be two numbers, such as (24, 16) or 24x16, got '8'"),
        (["mezo", "--size", "1x1"], "two entries or more"),
        (["mezo", "--samples", "9"], "'--samples'"),
        (["mezo", "--objective", "cubic"], "'linear', 'quadratic', 'model'"),
        (["mezo", "--out", "it.xls"], "suffixes are"),
        (["mezo", "--out", "none/it.csv"], "cannot write none/it.csv: there is no folder none"),
        (["mezo", "--samples", "99", "--model", "x"], "--samples is for a probe without --model"),
        (["mezo", "--passes", "9"], "--passes is for a probe with --model alone"),
        (["mezo", "--groups", "kinds"], "--groups is for a probe with --model alone"),
        (["mezo", "--model", "./nope"], "'./nope': there is no such folder or file"),
        (["mezo", "--model", "no/such/model"], "cannot load a causal language model"),
    ],
)
def test_bad_input_is_one_line_and_status_2(command, tmp_path, monkeypatch, arguments, expected):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.py").write_text("1 / 0\n")
    (tmp_path / "own.py").write_text(
        "def raises(params, seed):\n    raise ValueError('not today')\n"
        "def nothing(params, seed):\n    pass\n"
    )
    status, _, error = command("probe", *arguments)
    assert status == 2
    assert error.count("\n") == 1
    assert expected in error


def test_help_says_what_a_factory_is(command):
    status, out, _ = command("probe", "--help")
    assert status == 0
    assert "my_estimator.py" in out
