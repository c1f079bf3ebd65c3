import codecs
import json
import re

import pytest

from zotheory.training import TrainingError
from zotheory.training.rows import ROW, commit, dump, machine, read_rows


def test_rows_are_found_among_other_files(tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "a.json").write_text(dump({"row": ROW, "method": "mezo"}))
    (tmp_path / "b.json").write_text(json.dumps({"row": ROW, "method": "tezo"}, indent=1))
    (tmp_path / "run.json").write_text('{"setup": 1}')
    (tmp_path / "list.json").write_text("[1]")
    found = {row["method"] for row in read_rows([tmp_path])}
    assert found == {"mezo", "tezo"}
    assert [row["method"] for row in read_rows([tmp_path / "b.json"])] == ["tezo"]


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.json", "{", "is damaged"),
        ("a.json", "{}", "holds no row"),
        ("a.json", "", "is damaged: it is empty"),
        ("none.json", None, "cannot read"),
    ],
)
def test_what_is_no_row_is_told(name, content, expected, tmp_path):
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(TrainingError, match=expected):
        read_rows([tmp_path / name])
    with pytest.raises(TrainingError, match=r"holds no row|is damaged"):
        read_rows([tmp_path])


def test_a_row_is_one_line():
    assert (
        dump({"row": 1, "x": float("nan"), "ü": (1, 2)}) == '{"row": 1, "x": "nan", "ü": [1, 2]}\n'
    )


def test_the_commit_and_the_machine_have_names():
    import torch

    assert re.fullmatch(r"([0-9a-f]{12}\+?)?", commit())
    assert machine(torch.device("cpu"))


def test_one_place_will_do_and_a_byte_order_mark_is_no_row(tmp_path):
    path = tmp_path / "a.json"
    path.write_bytes(codecs.BOM_UTF8 + dump({"row": ROW, "method": "mezo"}).encode())
    (row,) = read_rows(str(path))
    assert row["method"] == "mezo"
    assert read_rows(path) == read_rows([str(tmp_path)]) == [row]
    with pytest.raises(TrainingError, match="a place of rows must be a path"):
        read_rows(3)
