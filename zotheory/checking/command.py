"""The command `zotheory check`: a factory in, a table and an exit status out."""

from __future__ import annotations

import json as json_
from functools import partial

from rich.console import Console
from rich.status import Status

from zotheory.checking.result import Report
from zotheory.checking.run import check
from zotheory.checking.suite import checks
from zotheory.checking.table import table


def names(console: Console) -> None:
    """Print every check with why it matters."""
    for one in checks():
        console.print(f"{one.group:13} [bold]{one.name}[/bold]", highlight=False)
        console.print(f"              {one.why}", style="dim", markup=False, highlight=False)


def _tell(status: Status, target: str, name: str) -> None:
    status.update(f"{target}: {name}")


def run(
    console: Console,
    targets: list[str],
    only: list[str],
    card: str | None,
    lr: float,
    seed: int,
    model: str | None,
    json: bool,
    failures: bool,
) -> list[Report]:
    """Check and print. Raises CheckError for what cannot be checked."""
    reports = []
    for target in targets:
        with console.status(target) as status:
            reports.append(
                check(
                    target,
                    only=only,
                    card=card,
                    lr=lr,
                    seed=seed,
                    model=model,
                    tell=partial(_tell, status, target),
                )
            )
        if not json:
            console.print(table(reports[-1], failures=failures))
    if json:
        found = [json_.loads(report.json()) for report in reports]
        print(json_.dumps(found[0] if len(found) == 1 else found, indent=1, ensure_ascii=False))
    return reports
