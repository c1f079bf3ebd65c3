"""What a figure draws from: a ledger's numbers and verdicts, and a budget for what it computes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from zotheory.arguments import as_path, one_of, shown
from zotheory.budget import ALPHA
from zotheory.ledger import Ledger
from zotheory.vocabulary import DRAWN, Kind, Verdict

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

    def claim(self, name: str) -> Mapping[str, Any]:
        """One claim's entry. Raises MissingData if the ledger has none."""
        try:
            return self.ledger[name]
        except KeyError:
            told = f"this ledger has no claim {name}; `zotheory verify {name}` judges it"
            raise MissingData(told) from None

    def verdict(self, name: str) -> Verdict:
        """One claim's verdict. Raises MissingData as :meth:`claim`."""
        return Verdict(self.claim(name)["verdict"])

    def numbers(self, name: str, kind: Kind, *keys: str) -> Any:
        """What the claim's evidence of this kind measured, looked up key by key.

        Raises MissingData if the claim, the evidence or a key is missing.
        """
        kinds = {e["kind"]: e["numbers"] for e in self.claim(name)["evidence"]}
        found = kinds.get(str(kind))
        if not found:
            raise MissingData(f"this ledger has no {kind} evidence for {name}")
        for key in keys:
            if key not in found:
                raise MissingData(
                    f"this ledger's {kind} evidence for {name} does not hold {key!r}; "
                    f"`zotheory verify {name}` takes it anew"
                )
            found = found[key]
        return found

    def drawn(self, name: str, kind: Kind, *keys: str) -> Any:
        """The same of the arrays that the evidence keeps for figures."""
        return self.numbers(name, kind, DRAWN, *keys)

    def count(self, quick: int, standard: int) -> int:
        """A number of samples or of points, by the budget."""
        return quick if self.budget == "quick" else standard

    def rng(self, *stream: int) -> np.random.Generator:
        """A generator of its own for each stream of the ledger's seed."""
        return np.random.default_rng([self.ledger.seed, *stream])
