"""What tests share: the command line, and a model and its text."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from zotheory import cli

if TYPE_CHECKING:
    from zotheory.model.language_model import LanguageModel
    from zotheory.model.reviews import Example, Split

# Spinning OpenMP threads are dear; read when torch is first imported, which no import above does.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


@pytest.fixture
def command(monkeypatch, capsys) -> Callable[..., tuple[int, str, str]]:
    """Runs `zotheory ARGUMENTS...` in this process: exit status, standard output and error."""

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["zotheory", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        told = capsys.readouterr()
        return stopped.value.code or 0, told.out, told.err

    return run


@pytest.fixture
def tiny() -> LanguageModel:
    """A small language model with random weights."""
    from tests.model.tiny_model import tiny_model

    return tiny_model()


@pytest.fixture
def text() -> list[Example]:
    """Sentences that the small model can read."""
    from tests.model.tiny_model import sentences

    return sentences()


@pytest.fixture(scope="session")
def smollm2() -> LanguageModel:
    """The toolkit's own model."""
    from zotheory.model.language_model import load_model

    return load_model()


@pytest.fixture(scope="session")
def reviews() -> Split:
    """The review sentences."""
    from zotheory.model.reviews import examples, load_reviews, split

    return split(examples(load_reviews()), seed=0)
