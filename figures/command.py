"""The command `zotheory figures`: a line for each figure.

An entry point of the package: the command line imports it by that at every start, and so what draws
is imported when it is asked for.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from zotheory.console import console, errors, run_app, stop

if TYPE_CHECKING:
    from rich.table import Table

    from figures.data import Data
    from figures.picture import Picture


def figures(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME]...", help="Which to draw; all by default."),
    ] = None,
    ledger: Annotated[
        Path | None, typer.Option(help="A ledger.json; the recorded one by default.")
    ] = None,
    budget: Annotated[
        Literal["quick", "standard"],
        typer.Option(help="How much to compute where the ledger has no curve."),
    ] = "standard",
    results: Annotated[
        Path, typer.Option(help="Folder with rows of `zotheory train`, for training curves.")
    ] = Path("results"),
    out: Annotated[Path, typer.Option(help="Folder for the files.")] = Path("out/figures"),
    list_names: Annotated[bool, typer.Option("--list", help="Name the figures only.")] = False,
) -> None:
    """Draw the papers' figures and ours from a ledger: PDF, PNG and caption of each.

    Exit status: 0 all drawn; 1 the ledger or RESULTS lacks what a figure needs; 2 bad input.
    """
    from figures.data import Data
    from figures.picture import UnknownPicture
    from zotheory.ledger import Ledger, LedgerError, recorded

    try:
        if list_names:
            console.print(_listing(names or []))
            return
        found = Ledger.read(ledger) if ledger else recorded()
        status = _draw(names or [], Data(found, budget, results), out)
    except (UnknownPicture, LedgerError) as error:
        stop(error)
    except OSError as error:
        stop(f"cannot write {out}: {error.strerror}")
    except KeyboardInterrupt:
        stop("stopped", 130)
    raise typer.Exit(status)


def _listing(wanted: list[str]) -> Table:
    """Name, title and claims of each figure. Raises UnknownPicture."""
    from rich.table import Table

    from figures.picture import pictures

    table = Table(box=None, padding=(0, 2, 0, 0))
    for column in ("figure", "what it shows", "claims"):
        table.add_column(column)
    for picture in pictures(wanted):
        table.add_row(picture.name, picture.title, ", ".join(picture.claims))
    return table


def _draw(wanted: list[str], data: Data, out: Path) -> int:
    """Draw each; say what could not be drawn and go on. Returns the exit status, 1 if any.

    Raises UnknownPicture, OSError.
    """
    from figures.data import MissingData
    from figures.picture import pictures
    from zotheory.vocabulary import MARK, MARK_MEANS

    failed, lines = 0, []
    for picture in pictures(wanted):
        try:
            _, pdf, _ = picture.write(data, out)
        except MissingData as error:
            failed = 1
            errors.print(f"{picture.name}: {error}", style="bold red", soft_wrap=True, markup=False)
            continue
        lines.append(f"{picture.name}  {_verdicts(picture, data)}  {pdf}")
        console.print(lines[-1], markup=False, highlight=False, soft_wrap=True)
    if any(MARK in line for line in lines):
        console.print(f"{MARK_MEANS}, as the captions say", style="dim", highlight=False)
    return failed


def _verdicts(picture: Picture, data: Data) -> str:
    from figures.style import judged

    return ", ".join(judged(name, data.claim(name)) for name in picture.claims) or "no claim"


def main(picture: Picture) -> None:
    """Draw one figure from the command line, with the options of `zotheory figures`."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(figures)
    run_app(app, [picture.name, *sys.argv[1:]])
