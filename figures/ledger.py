"""The recorded ledger as `zotheory verify` prints it: `python -m figures.ledger [FILE.svg]`."""

from __future__ import annotations

import io
import sys
from pathlib import Path

from rich.console import Console

from zotheory.ledger import Ledger, recorded
from zotheory.table import row


def draw(ledger: Ledger, path: Path, width: int = 132) -> None:
    """Write the ledger's rows as an SVG picture of a terminal."""
    console = Console(record=True, width=width, file=io.StringIO(), force_terminal=True)
    widest = max(len(entry["id"]) for entry in ledger.claims)
    for entry in ledger.claims:
        console.print(row(entry, widest))
    console.save_svg(str(path), title="zotheory verify")


if __name__ == "__main__":
    draw(recorded(), Path(sys.argv[1] if len(sys.argv) > 1 else "docs/ledger.svg"))
