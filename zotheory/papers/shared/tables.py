"""Tables of one paper for the claims of another: data, read where its own paper keeps it."""

from __future__ import annotations

from pathlib import Path

from zotheory.evidence.printed import Table

PRINTED_AS = {
    "tezo": "TeZO",
    "lezo": "LeZO",
    "smezo": "S-MeZO",
    "svd0": "SVD-0",
    "prior": "MeZO-GV",
}


def of_paper(paper: str, number: int) -> Table:
    """A paper's table by its number, whose cells name the paper, too: "SVD-0 Table 3: MeZO, CB"."""
    path = Path(__file__).parents[1] / paper / "tables" / f"table{number}.csv"
    return Table.read(path, name=f"{PRINTED_AS[paper]} Table {number}")
