"""The notebooks run from top to bottom, and what they keep is what the ledger says."""

import re
from functools import cache
from pathlib import Path

import nbformat
import pytest

from notebooks.execute import HERE, METADATA, executed, read
from zotheory.ledger import recorded
from zotheory.papers import ROOMS, title
from zotheory.vocabulary import MARK, Verdict

STALE = "`python -m notebooks.execute` runs the notebooks again and keeps their outputs"
VERDICT = re.compile(
    rf"^([\w-]+(?:\.[\w-]+)+): (\w+){MARK}?(?: \(correction: (\w+){MARK}?\))?$",
    flags=re.MULTILINE,
)
PLACES = ("/home/", "/root/", "/tmp/", "/usr/", "/opt/", "/Users/", "site-packages", str(HERE))
named = pytest.mark.parametrize("name", ROOMS)


@cache
def kept(name):
    return read(name)


def code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def texts(notebook):
    """Everything that the outputs show except pictures."""
    for cell in code(notebook):
        for output in cell.outputs:
            if output.output_type == "stream":
                yield output.text
            for kind, data in output.get("data", {}).items():
                if not kind.startswith("image/"):
                    yield data


def kinds(cell):
    """What kinds of output a cell has: text, tables, pictures."""
    return [sorted(o.get("data", [o.output_type])) for o in cell.outputs]


def words(cell):
    """The tables that a cell shows, without the numbers: machines may round them differently."""
    tables = [output.get("data", {}).get("text/html", "") for output in cell.outputs]
    return [re.sub(r"-?[\d.,]*\d(?:e[-+]?\d+)?", "#", table) for table in tables]


def verdicts(notebook):
    """The verdicts of claims and of their corrections that ledgers show, {id: pairs}."""
    found = {}
    for text in texts(notebook):
        for claim, *told in VERDICT.findall(text):
            found.setdefault(claim, set()).add(tuple(told))
    return found


def test_there_is_a_notebook_for_every_paper_and_one_for_our_results():
    assert {path.stem for path in HERE.glob("*.ipynb")} == set(ROOMS)


@named
def test_it_begins_with_the_papers_title(name):
    first, *_ = kept(name).cells
    line, *rest = first.source.splitlines()
    assert line == f"# {title(name)}"
    assert any(rest)


@named
def test_it_is_small_and_says_nothing_of_the_machine_it_was_run_on(name):
    path = HERE / f"{name}.ipynb"
    assert path.stat().st_size < 300_000
    notebook = kept(name)
    nbformat.validate(notebook)
    assert notebook.metadata == METADATA
    assert all(not cell.metadata for cell in notebook.cells)
    shown = "\n".join(texts(notebook))
    assert not [place for place in PLACES if place in shown]
    assert not re.search(r"\b0x[0-9a-f]{6,}|\bJudged in\b", shown)  # addresses, seconds


@named
def test_no_cell_raised_or_warned_and_all_have_run(name):
    for number, cell in enumerate(code(kept(name)), 1):
        assert cell.execution_count == number, STALE
        assert all(output.output_type != "error" for output in cell.outputs)
        assert all(output.get("name") != "stderr" for output in cell.outputs)


@named
def test_the_verdicts_it_shows_are_those_recorded(name):
    known = {
        entry.id: (entry.verdict, entry.correction.verdict if entry.correction else "")
        for entry in recorded().claims
        if entry.verdict is not Verdict.NOT_RUN
    }
    shown = verdicts(kept(name))
    assert {claim for claim in known if claim.startswith(f"{name}.")} <= shown.keys(), STALE
    ours = {claim: told for claim, told in shown.items() if claim in known}
    assert ours == {claim: {known[claim]} for claim in ours}, STALE


@named
def test_links_lead_to_files_that_are_there(name):
    for cell in kept(name).cells:
        if cell.cell_type == "markdown":
            for target in re.findall(r"\]\(([^)]+)\)", cell.source):
                assert (HERE / target).is_file(), target


@pytest.mark.slow
@named
def test_it_runs_from_top_to_bottom_and_finds_the_same(name):
    now, before = executed(name), kept(name)
    assert verdicts(now) == verdicts(before), STALE
    for cell, known in zip(code(now), code(before), strict=True):
        assert kinds(cell) == kinds(known), STALE
        assert words(cell) == words(known), STALE


def test_one_can_be_run_again_and_kept(tmp_path, monkeypatch):
    from notebooks import execute

    cell = nbformat.v4.new_code_cell("1 + 1")
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), tmp_path / "it.ipynb")
    monkeypatch.setattr(execute, "HERE", tmp_path)
    execute.keep("it")
    (cell,) = read_at(tmp_path / "it.ipynb").cells
    assert cell.outputs[0].data == {"text/plain": "2"}


def read_at(path: Path):
    return nbformat.read(path, as_version=4)
