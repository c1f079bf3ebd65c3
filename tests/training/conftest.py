"""A toy task for the tiny model: one letter of each sentence tells its label."""

import itertools
import random
from pathlib import Path

import pytest

from tests.model.tiny_model import WORDS, tiny_model
from zotheory.training.setup import Setup

LETTERS = WORDS[8:]


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory) -> Path:
    """The tiny model in the format of transformers."""
    folder = tmp_path_factory.mktemp("tiny")
    tiny = tiny_model()
    tiny.model.save_pretrained(folder)
    tiny.tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def task(tmp_path_factory) -> Path:
    """400 sentences of three letters; those whose last is in the alphabet's first half are 0."""
    every = list(itertools.product(LETTERS, repeat=3))
    random.Random(0).shuffle(every)
    lines = [f"{LETTERS.index(s[2]) // 10}\t{' '.join(s)}\n" for s in every[:400]]
    path = tmp_path_factory.mktemp("task") / "letters.tsv"
    path.write_text("".join(lines))
    return path


@pytest.fixture(scope="session")
def setup(model_folder, task):
    """Makes a setup of the toy task."""

    def make(method: str, **changes) -> Setup:
        small = {"train": 64, "validation": 32, "test": 48, "batch_size": 8, "steps": 6}
        if method in ("zero_shot", "icl", "linear_probe"):
            del small["steps"]
        if "passes" in changes:
            small["steps"] = None
        return Setup(method, **({"model": str(model_folder), "task": str(task)} | small | changes))

    return make
