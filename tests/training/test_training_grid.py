import pytest

from zotheory.training import TrainingError
from zotheory.training.grid import ROWS, run_all, setups
from zotheory.training.methods import METHODS, complete
from zotheory.training.rows import read_rows


def test_every_row_of_the_table_is_a_run(setup):
    for name, asked in setups(ROWS, 2, setup("mezo", passes=30, dtype="bfloat16")):
        assert complete(asked).method in METHODS
        assert (asked.tuning == "full") == ("-" not in name)
        assert asked.dtype == ("float32" if name in ("ft_sgd", "ft_adam") else "bfloat16")


def test_later_seeds_take_the_rate_that_the_first_one_chose(setup, tmp_path, monkeypatch):
    monkeypatch.setattr("zotheory.training.methods.grid", lambda *_: (1e-4, 1e-3))
    common = setup("mezo", passes=16)
    names = ["zero_shot", "mezo", "tezo-lora"]
    found = run_all(names, 2, common, tmp_path / "work", tmp_path / "rows")
    assert len(found) == 6
    assert [row["seed"] for row in found] == [0, 0, 0, 1, 1, 1]
    for first, second in zip(found[:3], found[3:], strict=True):
        rate = first["hyperparameters"].get("lr")
        assert second["setup"]["lrs"] == ([rate] if rate else [])
    assert len(read_rows([tmp_path / "rows"])) == 6
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "work").rglob("row.json")}
    assert run_all(names, 2, common, tmp_path / "work", tmp_path / "rows") == found
    assert all(path.stat().st_mtime_ns == before for path, before in times.items())


def test_a_row_that_cannot_be_made_is_left_out(setup, tmp_path, capsys):
    common = setup("mezo", passes=8, lrs=(1e-3,))
    found = run_all(["subzo", "mezo"], 1, common, tmp_path / "work", tmp_path / "rows")
    assert [row["method"] for row in found] == ["mezo"]  # no matrix here has rank 64
    assert "subzo-seed0: subzo: rank must lie in" in capsys.readouterr().err
    with pytest.raises(TrainingError):
        next(setups(["mezo-adapter"], 1, common))
