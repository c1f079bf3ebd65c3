"""A ledger to draw from, whole or changed, and every figure drawn once."""

import json
from pathlib import Path

import pytest

from figures.data import Data
from figures.picture import pictures
from figures.style import applied
from tests.figures.training_rows import write_rates, write_rows
from zotheory.ledger import Entry, Ledger, recorded


@pytest.fixture(scope="session")
def data(tmp_path_factory) -> Data:
    """The recorded ledger with made-up rows of training, at the smallest budget."""
    rows = tmp_path_factory.mktemp("rows")
    write_rows(rows)
    write_rates(rows)
    return Data(recorded(), "quick", rows)


def replaced(ledger: Ledger, entries: list[Entry]) -> Ledger:
    """The ledger with these entries in the place of others of the same claims."""
    ids = {entry.id for entry in entries}
    kept = [entry for entry in ledger.claims if entry.id not in ids]
    return Ledger(ledger.seed, ledger.budget, ledger.versions, (*kept, *entries))


@pytest.fixture
def changed(data):
    """changed(id, edit): the same data after `edit(row)` of one claim's entry as JSON values."""

    def change(name, edit) -> Data:
        row = data.claim(name).to_json()
        edit(row)
        return Data(replaced(data.ledger, [Entry.from_json(row)]), data.budget, data.results)

    return change


@pytest.fixture
def without(data):
    """without(id): the same data less one claim."""

    def leave_out(name) -> Data:
        ledger = data.ledger
        claims = tuple(entry for entry in ledger.claims if entry.id != name)
        less = Ledger(ledger.seed, ledger.budget, ledger.versions, claims)
        return Data(less, data.budget, data.results)

    return leave_out


@pytest.fixture
def written(tmp_path):
    """written(data): a file with that ledger, as `--ledger` takes it."""

    def write(data) -> Path:
        path = tmp_path / "ledger.json"
        path.write_text(json.dumps(data.ledger.to_json()))
        return path

    return write


@pytest.fixture(scope="session")
def drawing(data):
    """drawing(name, other): the figure and the first part of its caption; each drawn once."""
    done = {}

    def draw(name: str, other: Data | None = None):
        if other is None and name in done:
            return done[name]
        with applied():
            figure, shown = next(pictures([name])).draw(other or data)
            figure.canvas.draw()
        if other is None:
            done[name] = figure, shown
        return figure, shown

    return draw
