import pytest

from zotheory.training import TrainingError
from zotheory.training.methods import METHODS, ZEROTH_ORDER, complete
from zotheory.training.race import ROWS, against, run_all, setups, table
from zotheory.training.rows import read_rows


def test_every_row_of_the_table_is_a_run(setup):
    for name, asked in setups(ROWS, 2, setup("mezo", passes=30, dtype="bfloat16")):
        assert complete(asked).method in METHODS
        assert (asked.tuning == "full") == ("-" not in name)
        assert (asked.lrs == ("auto",)) == (asked.method in ZEROTH_ORDER)
        assert asked.dtype == ("float32" if name in ("ft_sgd", "ft_adam") else "bfloat16")


def test_later_seeds_take_the_rate_that_the_first_one_chose(setup, tmp_path, monkeypatch):
    monkeypatch.setattr("zotheory.training.methods.grid", lambda *_: (1e-4, 1e-3))
    common = setup("mezo", passes=16)
    names = ["zero_shot", "ft_adam"]
    found = run_all(names, 2, common, tmp_path / "work", tmp_path / "rows")
    assert [row["seed"] for row in found] == [0, 0, 1, 1]
    assert found[1]["setup"]["lrs"] == [1e-4, 1e-3]
    assert found[3]["setup"]["lrs"] == [found[1]["hyperparameters"]["lr"]]
    assert len(read_rows([tmp_path / "rows"])) == 4
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "work").rglob("row.json")}
    assert run_all(names, 2, common, tmp_path / "work", tmp_path / "rows") == found
    assert all(path.stat().st_mtime_ns == before for path, before in times.items())


AUTO = {"lrs": ["auto"], "tuning": "full"}


def test_ratios_come_with_an_interval_over_seeds():
    def row(method, seed, *losses):
        history = [{"passes": 10 * i, "loss": loss} for i, loss in enumerate(losses)]
        return {"method": method, "seed": seed, "history": history, "setup": AUTO}

    rows = [row("mezo", seed, 8, 7, 6) for seed in range(3)]
    rows += [row("lezo", 0, 8, 6, 5), row("lezo", 1, 8, 7, 6), row("tezo", 1, 8, 7.5, 7)]
    rows += [{**row("ft_adam", 0, 8, 6, 5), "setup": {**AUTO, "lrs": [1e-5, 1e-4]}}]
    rows += [{**row("mezo", 0, 8, 8, 8), "setup": {**AUTO, "tuning": "prefix"}}]
    lezo, tezo = against(rows)
    assert lezo.ratios == pytest.approx((0.5, 1.0))
    assert lezo.ratio == pytest.approx(0.5**0.5)
    assert lezo.low < lezo.ratio < lezo.high
    assert lezo.low * lezo.high == pytest.approx(0.5)
    assert (tezo.ratio, tezo.low, tezo.high) == (2.0, 0.0, float("inf"))
    assert table([lezo, tezo]).row_count == 2
    (none,) = against([row("mezo", 0, 8, 7), row("lezo", 0, 8, 9)])
    assert (none.ratio, none.low, none.high) == (float("inf"), 0.0, float("inf"))


def test_a_row_that_cannot_be_made_is_left_out(setup, tmp_path, capsys):
    common = setup("mezo", passes=60)
    places = tmp_path / "work", tmp_path / "rows"
    found = run_all(["subzo", "mezo-prefix"], 1, common, *places)
    assert [row["method"] for row in found] == ["mezo"]
    told = capsys.readouterr().err
    assert "subzo-seed0: subzo: rank must lie in" in told  # no matrix here has rank 64
    assert run_all(["rademacher"], 1, setup("mezo", passes=40), *places) == []
    told = capsys.readouterr().err
    assert (
        "rademacher-seed0: rademacher: the first readings of lr auto took the whole budget" in told
    )
    with pytest.raises(TrainingError):
        next(setups(["mezo-adapter"], 1, common))
