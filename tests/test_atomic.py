"""A file is the old one or the new one, never a part."""

import pytest

from zotheory.files import replacing, write_atomically


def test_a_write_leaves_one_file(tmp_path):
    write_atomically(tmp_path / "a", b"1")
    write_atomically(tmp_path / "a", "für")
    assert [(p.name, p.read_text("utf-8")) for p in tmp_path.iterdir()] == [("a", "für")]


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    path = tmp_path / "file"
    write_atomically(path, "whole")

    def half() -> None:
        with replacing(path) as beside:
            beside.write_text("half")
            raise OSError("full")

    with pytest.raises(OSError, match="full"):
        half()
    monkeypatch.setattr(type(path), "replace", lambda *_: (_ for _ in ()).throw(OSError("full")))
    with pytest.raises(OSError, match="full"):
        write_atomically(path, "half a fi")
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("file", "whole")]
