"""The examples run as they are printed, those in docstrings, too, and their losses fall."""

import doctest
import os
import pkgutil
import re
import runpy
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import estimators

EXAMPLES = Path(__file__).parents[2] / "examples"


def losses(out, word="loss "):
    return [float(x) for x in re.findall(rf"{word}([\d.]+)", out)]


def test_plain_pytorch_in_under_twenty_lines(capsys):
    path = EXAMPLES / "train_plain.py"
    assert len(path.read_text().splitlines()) < 20
    runpy.run_path(str(path), run_name="__main__")
    found = losses(capsys.readouterr().out)
    assert len(found) >= 5
    assert found[-1] < 0.6 * found[0]


def test_the_trainer(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(EXAMPLES / "train_trainer.py"), run_name="__main__")
    found = losses(capsys.readouterr().out, "'loss': '?")
    assert len(found) == 6
    assert found[-1] < found[0] - 0.3
    assert not list(tmp_path.iterdir())


def test_adapters_learn(capsys):
    runpy.run_path(str(EXAMPLES / "train_lora.py"), run_name="__main__")
    found = losses(capsys.readouterr().out)
    assert len(found) == 7
    assert found[-1] < found[0] - 0.5


@pytest.mark.slow
def test_a_reward_without_gradient_is_earned(capsys):
    runpy.run_path(str(EXAMPLES / "train_reward.py"), run_name="__main__")
    found = losses(capsys.readouterr().out, "repetition ")
    assert len(found) == 5
    assert found[-1] < 0.85 * found[0]


@pytest.mark.slow
def test_two_processes_make_the_steps_of_one(capsys):
    """They halve the data that the plain example has, and average: its losses up to rounding."""
    runpy.run_path(str(EXAMPLES / "train_plain.py"), run_name="__main__")
    one = losses(capsys.readouterr().out)
    command = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [sys.executable, *command, str(EXAMPLES / "train_data_parallel.py")],
        capture_output=True,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        cwd=EXAMPLES.parent,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert losses(done.stdout) == pytest.approx(one, abs=2e-3)


@pytest.mark.parametrize(
    "name", [found.name for found in pkgutil.walk_packages(estimators.__path__, "estimators.")]
)
def test_docstrings(name):
    if name == "estimators.philox.gpu":
        pytest.importorskip("triton", reason="needs Triton")
    assert doctest.testmod(import_module(name), optionflags=doctest.ELLIPSIS).failed == 0
