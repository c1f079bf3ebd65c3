"""A ledger to draw from, whole or changed."""

import copy
import json

import pytest

from figures.data import Data
from zotheory.ledger import Ledger, recorded


@pytest.fixture(scope="session")
def data() -> Data:
    """The recorded ledger, at the smallest budget."""
    return Data(recorded(), "quick")


@pytest.fixture
def changed(data):
    """changed(id, edit): the same data after `edit(entry)` of one claim's entry."""

    def change(name, edit) -> Data:
        ledger = copy.deepcopy(data.ledger)
        edit(next(claim for claim in ledger.claims if claim["id"] == name))
        return Data(ledger, data.budget)

    return change


@pytest.fixture
def without(data):
    """without(id): the same data less one claim."""

    def leave_out(name) -> Data:
        ledger = data.ledger
        claims = tuple(claim for claim in ledger.claims if claim["id"] != name)
        return Data(Ledger(ledger.seed, ledger.budget, ledger.versions, claims), data.budget)

    return leave_out


@pytest.fixture
def written(tmp_path):
    """written(data): a file with that ledger, as `--ledger` takes it."""

    def write(data):
        path = tmp_path / "ledger.json"
        path.write_text(json.dumps(data.ledger.to_json()))
        return path

    return write
