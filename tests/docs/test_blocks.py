"""Every program on the pages written by hand runs as it is printed, and every command."""

import re
import shlex
from pathlib import Path

import pytest

from docs.sources import EXAMPLES
from zotheory.cli import main

DOCS = Path(__file__).parents[2] / "docs"
BLOCK = re.compile(r"```(python|sh)\n(.*?)```", re.S)
PAGES = sorted(path for path in DOCS.rglob("*.md") if BLOCK.search(path.read_text()))
LONG = re.compile("zotheory train|--model smollm2")  # minutes; they are tested where they are
WHOLE = "zotheory check mezo"  # every check, of which the quick tests make a sample


def blocks(path, language):
    return [text for kind, text in BLOCK.findall(path.read_text()) if kind == language]


@pytest.mark.parametrize("path", [p for p in PAGES if blocks(p, "python")], ids=lambda p: p.stem)
def test_its_programs_run_one_after_another(path):
    names = {}
    for text in blocks(path, "python"):
        exec(compile(text, str(path), "exec"), names)


COMMANDS = sorted(
    {
        line.partition("#")[0].strip()
        for path in PAGES
        for text in blocks(path, "sh")
        for line in text.splitlines()
        if line.startswith("zotheory ") and not LONG.search(line) and " ID" not in line
    }
)


@pytest.mark.parametrize(
    "line", [pytest.param(c, marks=pytest.mark.slow if c == WHOLE else ()) for c in COMMANDS]
)
def test_its_commands_run(line, tmp_path, monkeypatch):
    monkeypatch.chdir(DOCS.parent)
    _, *arguments = shlex.split(line)
    if arguments[0] == "verify":
        arguments += ["--out", str(tmp_path)]
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert not ended.value.code


def test_there_are_programs_and_commands():
    assert len(COMMANDS) >= 4
    assert {path.stem for path in PAGES if blocks(path, "python")} >= {"start", "troubles"}


def test_every_example_is_shown_and_is_run_by_a_test():
    examples, tests = DOCS.parent / "examples", DOCS.parent / "tests"
    there = {path.relative_to(examples).as_posix() for path in examples.rglob("*.py")}
    assert there == set(EXAMPLES)
    told = "".join(path.read_text(encoding="utf-8") for path in tests.rglob("test_*.py"))
    for name in EXAMPLES:
        *folders, file = name.split("/")
        assert all(f'"{part}"' in told for part in (*folders, file)), name
