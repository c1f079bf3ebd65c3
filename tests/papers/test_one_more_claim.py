"""A claim more is one entry in one file: the toolkit lists, shows and judges it."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILE = "zotheory/papers/own/no_free_lunch.py"
ID = "own.one_more"
ENTRY = f'''    Claim(
        id="{ID}",
        where="ours",
        setting=Setting("a linear loss, any gradient matrix"),
        statement=Statement(
            "MeZO's E cos^2 is 1/(mn).", sp.Eq(MEZO, 1 / (M * N)), DOMAIN
        ),
        needs=(Kind.EXACT,),
        checks=(exact(lambda _: {{MEZO: Derivation(card("gaussian").cos2, ("the card",))}}),),
        mutant=Statement("It is 1/m.", sp.Eq(MEZO, 1 / M), DOMAIN),
    ),
)
'''


@pytest.fixture(scope="module")
def tree(tmp_path_factory) -> Path:
    """A copy of the toolkit with the entry at the end of the file's CLAIMS."""
    copy = tmp_path_factory.mktemp("toolkit")
    shutil.copytree(
        ROOT / "zotheory", copy / "zotheory", ignore=shutil.ignore_patterns("__pycache__")
    )
    for package in ("estimators", "figures", "proofs_check"):
        (copy / package).symlink_to(ROOT / package)
    text = (ROOT / FILE).read_text()
    assert text.endswith("\n)\n")
    (copy / FILE).write_text(text.removesuffix(")\n") + ENTRY)
    return copy


def run(tree: Path, *arguments: str) -> str:
    """What a command prints in the copy."""
    done = subprocess.run(
        [sys.executable, "-m", "zotheory", *arguments],
        cwd=tree,
        env=os.environ | {"PYTHONPATH": str(tree), "COLUMNS": "200"},
        capture_output=True,
        text=True,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.stdout


@pytest.mark.slow
def test_it_is_listed_judged_with_its_mutant_and_shown(tree):
    assert ID in run(tree, "list", "own")
    run(tree, "verify", ID, "--model", "none", "--out", "out")
    (entry,) = json.loads((tree / "out/ledger.json").read_text())["claims"]
    assert (entry["id"], entry["verdict"]) == (ID, "proved")
    assert entry["mutant"]["verdict"] == "refuted"
    assert "MeZO's E cos^2 is 1/(mn)." in run(tree, "show", ID, "--ledger", "out/ledger.json")
