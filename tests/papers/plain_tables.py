"""Tables read a second way: plain Python on the CSV files, nothing of the toolkit."""

import csv
import re
from decimal import Decimal
from pathlib import Path

PAPERS = Path(__file__).parents[2] / "zotheory" / "papers"
NUMBER = re.compile(r"(-?\d+(?:\.\d+)?)(?: \((\d+(?:\.\d+)?)\))?")


def numbers(paper: str, table: str) -> dict[str, dict[str, Decimal]]:
    """Rows of the printed numbers by column."""
    return _read(paper, table, 1)


def deviations(paper: str, table: str) -> dict[str, dict[str, Decimal]]:
    """Rows of the printed deviations by column."""
    return _read(paper, table, 2)


def mean(values) -> Decimal:
    """The mean of some numbers."""
    values = list(values)
    return sum(values) / len(values)


def _read(paper: str, table: str, group: int) -> dict[str, dict[str, Decimal]]:
    lines = (PAPERS / paper / "tables" / f"{table}.csv").read_text(encoding="utf-8").splitlines()
    header, *rows = csv.reader(line for line in lines if not line.startswith("#"))
    found = {}
    for name, *texts in rows:
        matches = [(c, NUMBER.fullmatch(t)) for c, t in zip(header[1:], texts, strict=True)]
        found[name] = {c: Decimal(m[group]) for c, m in matches if m and m[group]}
    return found
