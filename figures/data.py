"""What a figure draws from: a ledger's numbers and verdicts, and a budget for what it computes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from zotheory.arguments import as_path, one_of, shown
from zotheory.budget import ALPHA
from zotheory.ledger import Entry, Ledger, LedgerError, Quantity
from zotheory.vocabulary import DRAWN, Kind

BUDGETS = ("quick", "standard")
LEVEL = f"{1 - ALPHA:.2%}"  # of the ledger's intervals


class MissingData(Exception):
    """The ledger, or another file, lacks what a figure needs; the message is one line to read."""


@dataclass(frozen=True)
class Data:
    """A ledger, how much a figure may compute beside it, and a folder with rows of training.

    Everything drawn is read from here or computed by the library; random streams start from the
    ledger's seed. Raises ValueError for a budget other than quick and standard, and for what is no
    ledger or no path.
    """

    ledger: Ledger
    budget: str = "standard"
    results: Path = Path("results")

    def __post_init__(self) -> None:
        if not isinstance(self.ledger, Ledger):
            told = "zotheory.recorded() or one that zotheory.Ledger.read has read"
            raise ValueError(f"ledger must be a Ledger, {told}, got {shown(self.ledger)}")
        one_of("budget", self.budget, BUDGETS)
        object.__setattr__(self, "results", as_path("results", self.results))

    def claim(self, name: str) -> Entry:
        """One claim's entry. Raises MissingData if the ledger has none."""
        try:
            return self.ledger[name]
        except KeyError:
            told = f"this ledger has no claim {name}; `zotheory verify {name}` judges it"
            raise MissingData(told) from None

    def number(self, name: str, kind: Kind, *keys: str) -> Any:
        """What the claim's evidence of this kind found, looked up key by key.

        Raises MissingData if the claim, the evidence or a key is missing.
        """
        entry = self.claim(name)
        try:
            return entry.number(kind, *keys)
        except LedgerError as error:
            raise MissingData(f"{error}; `zotheory verify {name}` takes it anew") from error

    def quantity(self, name: str, key: str) -> Quantity:
        """What Monte Carlo found of one of the claim's quantities. Raises as :meth:`number`."""
        entry = self.claim(name)
        try:
            return entry.quantity(key)
        except LedgerError as error:
            raise MissingData(f"{error}; `zotheory verify {name}` takes it anew") from error

    def drawn(self, name: str, kind: Kind, *keys: str) -> Any:
        """The same of the arrays that the evidence keeps for figures."""
        return self.number(name, kind, DRAWN, *keys)

    def count(self, quick: int, standard: int) -> int:
        """A number of samples or of points, by the budget."""
        return quick if self.budget == "quick" else standard

    def rng(self, *stream: int) -> np.random.Generator:
        """A generator of its own for each stream of the ledger's seed."""
        return np.random.default_rng([self.ledger.seed, *stream])
