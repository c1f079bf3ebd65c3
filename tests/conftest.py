"""What tests share: the command line, a model and its text; which cases the quick tests take."""

from __future__ import annotations

import gc
import os
import sys
from collections import defaultdict
from collections.abc import Callable
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest

from zotheory import cli

if TYPE_CHECKING:
    from zotheory.model.language_model import LanguageModel
    from zotheory.model.reviews import Example, Split

# Spinning OpenMP threads are dear; read when torch is first imported, which no import above does.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark those cases of sampled tests slow that the quick tests leave out."""
    tests = defaultdict(list)
    for item in items:
        if item.get_closest_marker("sampled"):
            tests[item.nodeid.partition("[")[0]].append(item)
    for cases in tests.values():
        kept = sample(cases, *cases[0].get_closest_marker("sampled").args)
        for item in cases:
            if item not in kept:
                item.add_marker(pytest.mark.slow)


def pytest_collection_finish() -> None:
    """Let no garbage collection look at what was imported and collected: Trainers ask for many."""
    gc.collect()
    gc.freeze()


def sample(cases: list[pytest.Item], most: int | None = None) -> list[pytest.Item]:
    """Cases, `most` at most, that show every value of every parameter, each at least once.

    Greedily: always one that shows the most values not shown yet. The names' hashes decide among
    equals, so that tests with the same parameters combine them differently, and a new case
    moves few others.
    """
    left = sorted(cases, key=lambda item: sha256(item.nodeid.encode()).digest())
    values = {i: {(k, id(v)) for k, v in i.callspec.params.items()} for i in cases}
    missing, kept = set().union(*values.values()), []
    while missing and len(kept) != most:
        kept.append(max(left, key=lambda item: len(values[item] & missing)))
        missing -= values[kept[-1]]
    return kept


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
