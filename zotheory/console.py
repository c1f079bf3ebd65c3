"""Where commands print, and how they end when they cannot go on."""

from __future__ import annotations

import sys
from typing import Any, NoReturn

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


def run_app(app: typer.Typer, arguments: list[str] | None = None) -> NoReturn:
    """Run commands to their end; wrong usage gets one line and exit status 2.

    arguments: those of the command line by default.
    """
    # Of click, or of the copy of it that typer carries.
    usage_error: Any = typer.BadParameter.__base__
    try:
        status = app(arguments, standalone_mode=False)
    except usage_error as error:
        message = " ".join(error.format_message().split())
        if not message:  # the help was asked for by giving no argument, and has been shown
            raise SystemExit(2) from None
        errors.print(f"zotheory: {message}", style="bold red", soft_wrap=True, markup=False)
        raise SystemExit(2) from None
    raise SystemExit(status)
