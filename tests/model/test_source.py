"""A folder, a file and a hub's name told apart, without loading anything."""

from pathlib import Path

import pytest

from zotheory.model.source import ModelError, model_source


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """The working folder: an own model, a model file, a text and a folder without a model."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for file in ("own/config.json", "own/weights", "it.gguf", "notes.txt", "empty/notes.txt"):
        Path(file).parent.mkdir(exist_ok=True)
        Path(file).touch()


@pytest.mark.parametrize("name", ["own", "./own", "it.gguf", Path("own"), Path("it.gguf")])
def test_paths_are_taken(name):
    assert model_source(name) == str(Path(name))


def test_the_home_folder_is_found(tmp_path):
    assert model_source("~/own") == str(tmp_path / "own")


@pytest.mark.parametrize("name", ["gpt2", "facebook/opt-125m", "HuggingFaceTB/SmolLM2-135M"])
def test_a_hubs_name_is_taken_unseen(name):
    assert model_source(name) == name


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("./my-model", "'./my-model': there is no such folder or file"),
        ("/nowhere/nope", "'/nowhere/nope': there is no such folder or file"),
        ("../nope", "no such folder or file"),
        ("~/nope", "'~/nope': there is no such folder or file"),
        ("a/b/c", "no such folder or file"),
        ("a model", "no such folder or file"),
        ("own/nope/", "no such folder or file"),
        ("nope.gguf", "no such folder or file"),
        (Path("nope"), "'nope': there is no such folder or file"),
        ("notes.txt", "'notes.txt': it is a file, neither a folder nor a .gguf file"),
        ("own/weights", "it is a file"),
        ("empty", "'empty': the folder holds no config.json"),
        (".", "the folder holds no config.json"),
        ("", "model must be the name of one or a path"),
        (3, "model must be the name of one or a path"),
        (["own"], "model must be the name of one or a path"),
        ("x" * 5000, "File name too long"),
    ],
)
def test_what_is_no_model_is_told_in_one_line(name, expected):
    with pytest.raises(ModelError) as told:
        model_source(name)
    assert expected in str(told.value)
    assert "\n" not in str(told.value)
