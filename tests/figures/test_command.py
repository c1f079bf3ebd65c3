"""`zotheory figures`."""

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


def test_a_missing_claim_is_told(command, tmp_path, without, written):
    ledger = written(without(CLAIM))
    status, told, problems = command(
        "figures", NAME, "--ledger", ledger, "--out", tmp_path / "out", "--budget", "quick"
    )
    assert status == 1
    assert not told
    assert problems.count("\n") == 1
    assert CLAIM in problems


def test_the_same_numbers_give_the_same_files(command, tmp_path):
    for folder in ("a", "b"):
        command("figures", NAME, "--budget", "quick", "--out", tmp_path / folder)
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


def test_an_unknown_name_is_refused(command, tmp_path):
    status, _, problems = command("figures", "tezo_fig99", "--out", tmp_path)
    assert status == 2
    assert "tezo_fig99" in problems


def test_lists_all(command):
    status, told, _ = command("figures", "--list")
    assert status == 0
    assert all(name in told for name in names())
