"""When each recorded verdict was found, and why one changed: `python -m zotheory.history LEDGER`.

The command records a ledger: it takes the place of the recorded one, and what it says otherwise is
noted with the day. A verdict that changed is then given its reason in `recorded/history.csv`.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Mapping
from dataclasses import astuple, dataclass
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

from zotheory.files import write_atomically
from zotheory.ledger import RECORDED, Ledger
from zotheory.vocabulary import Verdict

KEPT = RECORDED.with_name("history.csv")


@dataclass(frozen=True)
class Judged:
    """A verdict on a claim: from which day (ISO 8601) it stood, and why the one before did not."""

    date: str
    claim: str
    verdict: Verdict
    why: str


def history(path: Path = KEPT) -> dict[str, tuple[Judged, ...]]:
    """The verdicts that were recorded of every claim, the latest last."""
    found: dict[str, tuple[Judged, ...]] = {}
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            judged = Judged(row["date"], row["claim"], Verdict(row["verdict"]), row["why"])
            found[judged.claim] = (*found.get(judged.claim, ()), judged)
    return found


def new(ledger: Ledger, known: Mapping[str, tuple[Judged, ...]], day: str) -> list[Judged]:
    """What the ledger says that is not the latest known verdict of its claim."""
    return [
        Judged(day, entry.id, entry.verdict, "")
        for entry in ledger.claims
        if entry.id not in known or known[entry.id][-1].verdict is not entry.verdict
    ]


def record(ledger: Ledger, day: str) -> list[Judged]:
    """Put the ledger in the place of the recorded one, and note what is new."""
    noted = new(ledger, history(), day)
    lines = StringIO()
    csv.writer(lines, lineterminator="\n").writerows(map(astuple, noted))
    ledger.write(RECORDED)
    write_atomically(KEPT, KEPT.read_text(encoding="utf-8") + lines.getvalue())
    return noted


if __name__ == "__main__":
    for judged in record(Ledger.read(sys.argv[1]), datetime.now(UTC).date().isoformat()):
        print(judged.claim, judged.verdict)
