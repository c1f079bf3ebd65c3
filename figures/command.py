"""The command `zotheory figures`: a line for each figure."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.table import Table

from figures.data import Data, MissingData
from figures.picture import Picture, pictures
from figures.style import judged


def listing(wanted: list[str]) -> Table:
    """Name, title and claims of each figure. Raises UnknownPicture."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    for column in ("figure", "what it shows", "claims"):
        table.add_column(column)
    for picture in pictures(wanted):
        table.add_row(picture.name, picture.title, ", ".join(picture.claims))
    return table


def draw(console: Console, problems: Console, wanted: list[str], data: Data, out: Path) -> int:
    """Draw each; say what could not be drawn and go on. Returns the exit status, 1 if any.

    Raises UnknownPicture, OSError.
    """
    failed = 0
    for picture in pictures(wanted):
        try:
            _, pdf, _ = picture.write(data, out)
        except MissingData as error:
            failed = 1
            problems.print(
                f"{picture.name}: {error}", style="bold red", soft_wrap=True, markup=False
            )
            continue
        line = f"{picture.name}  {_verdicts(picture, data)}  {pdf}"
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    return failed


def _verdicts(picture: Picture, data: Data) -> str:
    return ", ".join(judged(name, data.verdict(name)) for name in picture.claims) or "no claim"
