"""The examples run as they are printed, those in docstrings, too, and their losses fall."""

import doctest
import pkgutil
import re
import runpy
from importlib import import_module
from pathlib import Path

import pytest

import estimators

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_plain_pytorch_in_under_twenty_lines(capsys):
    path = EXAMPLES / "train_plain.py"
    assert len(path.read_text().splitlines()) < 20
    runpy.run_path(str(path), run_name="__main__")
    losses = [float(x) for x in re.findall(r"loss ([\d.]+)", capsys.readouterr().out)]
    assert len(losses) >= 5
    assert losses[-1] < 0.6 * losses[0]


def test_the_trainer(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(EXAMPLES / "train_trainer.py"), run_name="__main__")
    losses = [float(x) for x in re.findall(r"'loss': '?([\d.]+)", capsys.readouterr().out)]
    assert len(losses) == 6
    assert losses[-1] < losses[0] - 0.3
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "name", [found.name for found in pkgutil.walk_packages(estimators.__path__, "estimators.")]
)
def test_docstrings(name):
    if name == "estimators.philox.gpu":
        pytest.importorskip("triton", reason="needs Triton")
    assert doctest.testmod(import_module(name), optionflags=doctest.ELLIPSIS).failed == 0
