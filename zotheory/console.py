"""Where commands print, and how they end when they cannot go on."""

from __future__ import annotations

import sys
from typing import NoReturn

import typer
from rich.console import Console

console = Console(width=None if sys.stdout.isatty() else 140)  # files are read in wide editors
errors = Console(stderr=True)


def stop(message: object, code: int = 2) -> NoReturn:
    """Print one line on standard error and exit."""
    errors.print(
        f"zotheory: {message}", style="bold red", highlight=False, soft_wrap=True, markup=False
    )
    raise typer.Exit(code)
