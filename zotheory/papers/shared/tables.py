"""Tables of one paper for the claims of another: data, read where its own paper keeps it."""

from __future__ import annotations

from zotheory.evidence.tables import Table
from zotheory.papers import PRINTED_AS, cited


def of_paper(paper: str, number: int) -> Table:
    """A paper's table by its number, whose cells name the paper, too: "SVD-0 Table 3: MeZO, CB"."""
    return cited()[f"{PRINTED_AS[paper]} Table {number}"]
