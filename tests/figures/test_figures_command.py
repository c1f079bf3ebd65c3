"""`zotheory figures`."""

import sys
from pathlib import Path
from runpy import run_path

import pytest
from matplotlib.text import Text

import figures
from figures.picture import names

NAME, CLAIM = "svd0_table15", "svd0.table15.order"


def test_draws_what_is_named(command, tmp_path):
    status, told, _ = command("figures", NAME, "--budget", "quick", "--out", tmp_path)
    assert status == 0
    assert f"{CLAIM} (refuted)" in told
    files = {path.suffix: path for path in tmp_path.iterdir()}
    assert set(files) == {".pdf", ".png", ".txt"}
    assert files[".pdf"].read_bytes().startswith(b"%PDF")
    assert files[".png"].stat().st_size > 5_000
    assert "(Table 15), refuted:" in files[".txt"].read_text()


def test_the_caption_follows_the_ledger(command, tmp_path, changed, written):
    ledger = written(changed(CLAIM, lambda entry: entry.update(verdict="inconclusive")))
    status, told, _ = command("figures", NAME, "--ledger", ledger, "--out", tmp_path)
    assert status == 0
    assert f"{CLAIM} (inconclusive)" in told
    text = (tmp_path / f"{NAME}.txt").read_text()
    assert "(Table 15), inconclusive:" in text
    assert "refuted" not in text


def test_a_verdict_in_another_setting_is_marked_and_the_caption_says_which(
    command, tmp_path, changed, written
):
    def edit(row):
        row["setting"] = {"paper": "OPT-1.3B on SST-2", "judged": "SmolLM2-135M on reviews"}
        row["correction"]["elsewhere"] = True

    ledger = written(changed(CLAIM, edit))
    _, told, _ = command("figures", NAME, "--ledger", ledger, "--out", tmp_path)
    assert f"{CLAIM} (refuted†)" in told
    assert told.count("† in another setting than the paper's") == 1
    text = " ".join((tmp_path / f"{NAME}.txt").read_text().split())
    expected = "refuted in another setting: SmolLM2-135M on reviews; the paper's: OPT-1.3B on SST-2"
    assert f"(Table 15), {expected}: " in text
    assert "Correction, proved (other setting): " in text
    assert text.count("† in another setting than the paper's") == 1


def test_labels_are_marked(drawing, changed):
    setting = {"paper": "OPT-1.3B on SST-2", "judged": "SmolLM2-135M on reviews"}
    figure, _ = drawing(NAME, changed(CLAIM, lambda row: row.update(setting=setting)))
    assert "printed order (refuted†)" in [text.get_text() for text in figure.findobj(Text)]
    figure, _ = drawing(NAME)
    assert "printed order (refuted)" in [text.get_text() for text in figure.findobj(Text)]


def test_a_missing_claim_is_told_and_the_rest_drawn(command, tmp_path, without, written):
    ledger, out = written(without(CLAIM)), tmp_path / "out"
    names = NAME, "svd0_table16"
    status, told, problems = command(
        "figures", *names, "--ledger", ledger, "--out", out, "--budget", "quick"
    )
    assert status == 1
    assert told.startswith("svd0_table16")
    assert problems.count("\n") == 1
    assert CLAIM in problems
    assert {path.stem for path in out.iterdir()} == {"svd0_table16"}


def test_a_figures_module_draws_it(tmp_path, monkeypatch):
    """As `python -m figures.NAME` runs it."""
    arguments = ["--budget", "quick", "--out", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", [NAME, *arguments])
    with pytest.raises(SystemExit) as ended:
        run_path(str(Path(figures.__file__).with_name(f"{NAME}.py")), run_name="__main__")
    assert not ended.value.code
    assert (tmp_path / f"{NAME}.pdf").exists()


def test_the_same_numbers_give_the_same_files(command, tmp_path):
    for folder in ("a", "b"):
        command("figures", NAME, "--budget", "quick", "--out", tmp_path / folder)
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


def test_an_unknown_name_is_refused(command, tmp_path):
    status, _, problems = command("figures", "tezo_fig99", "--out", tmp_path)
    assert status == 2
    assert "tezo_fig99" in problems


def test_a_folder_that_is_a_file_is_told_before_any_work(command, tmp_path):
    (tmp_path / "file").touch()
    status, out, error = command("figures", "own_variance", "--out", tmp_path / "file")
    assert (status, out, error.count("\n")) == (2, "", 1)
    assert f"cannot write {tmp_path / 'file'}: Not a directory" in error


def test_lists_all(command):
    status, told, _ = command("figures", "--list")
    assert status == 0
    assert all(name in told for name in names())
