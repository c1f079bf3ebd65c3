"""Text of a user's own: with a byte order mark, empty, broken."""

import codecs

import pytest

from zotheory.files import BrokenFile, load_module, read_json, read_text


def test_a_byte_order_mark_is_no_text(tmp_path):
    (tmp_path / "it.json").write_bytes(codecs.BOM_UTF8 + '{"ü": 1}'.encode())
    assert read_text(tmp_path / "it.json") == '{"ü": 1}'
    assert read_json(tmp_path / "it.json") == {"ü": 1}
    (tmp_path / "it.py").write_bytes(codecs.BOM_UTF8 + b"x = 3")
    assert load_module(tmp_path / "it.py").x == 3


@pytest.mark.parametrize("content", [b"", b"\n", codecs.BOM_UTF8])
def test_an_empty_file_is_called_so(tmp_path, content):
    (tmp_path / "it.json").write_bytes(content)
    with pytest.raises(ValueError, match="it is empty"):
        read_json(tmp_path / "it.json")


def test_a_folder_and_nothing_are_no_module(tmp_path):
    for path in (tmp_path, tmp_path / "none.py"):
        with pytest.raises(BrokenFile, match="no file"):
            load_module(path)
