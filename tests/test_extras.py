"""What is needed by whom: the optimisers PyTorch, the judge what the extra `verify` installs."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import zotheory

ROOT = Path(__file__).parents[1]
IMPORTED = {"z3-solver": "z3", "pillow": "PIL"}  # distributions that are imported by other names
OF_TORCH = {"sympy", "mpmath", "jinja2", "markupsafe", "filelock"}  # PyTorch needs these itself

STEP = """
import sys

class Without:
    def __init__(self, finder):
        self.finder = finder

    def find_spec(self, name, path=None, target=None):
        hidden = name.partition(".")[0] in {hidden!r}
        return None if hidden else self.finder.find_spec(name, path, target)

    def __getattr__(self, name):
        return getattr(self.finder, name)

sys.meta_path[:] = map(Without, sys.meta_path)
import torch
import estimators

layer = torch.nn.Linear(4, 3)
for name in ("mezo", "tezo_adam", "svd0"):
    rank = {{"rank": 2}} if name != "mezo" else {{}}
    optimizer = getattr(estimators, name)(layer, seed=0, **rank)
    assert optimizer.step(lambda: layer(torch.ones(2, 4)).square().sum()) > 0
"""


def extra(name):
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    found = [re.split("[>=<[]", line)[0] for line in declared["optional-dependencies"][name]]
    return {IMPORTED.get(name, name) for name in found}


def run(code, *options):
    return subprocess.run(
        [sys.executable, *options, "-c", code], cwd=ROOT, capture_output=True, text=True
    )


def test_the_judge_looks_for_all_that_its_extra_installs():
    assert set(zotheory._NEEDED) == extra("verify")


def test_without_the_extra_one_line_says_how_to_install_it():
    # -S: without site-packages, as if nothing were installed.
    found = run(f"import sys; sys.path.insert(0, {str(ROOT)!r}); import zotheory", "-I", "-S")
    assert found.returncode == 1
    last = found.stderr.strip().splitlines()[-1]
    assert last.startswith("ModuleNotFoundError: zotheory needs packages that are not installed")
    assert "sympy" in last
    assert last.endswith("pip install zotheory[verify]")


def test_the_optimisers_step_without_the_judges_packages():
    found = run(STEP.format(hidden=extra("verify") - OF_TORCH))
    assert found.returncode == 0, found.stderr
