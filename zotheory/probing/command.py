"""The command `zotheory probe`: text in, a table out; of a gradient, or of a model's loss."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from zotheory.probing.files import check_file
from zotheory.probing.model_probe import probe_model
from zotheory.probing.run import probe
from zotheory.probing.table import table


def run(
    console: Console,
    estimators: Sequence[str],
    objectives: Sequence[str],
    model: str | None,
    size: str,
    samples: int,
    jobs: int,
    seed: int,
    out: Path | None,
) -> None:
    """Measure and print; write `out` if given. Raises ProbeError for what cannot be done."""
    if out is not None:
        check_file(out)
    with console.status("preparing") as status:
        comparison = probe(
            *estimators,
            objectives=tuple(objectives) or ("linear", "quadratic"),
            size=size,
            samples=samples,
            seed=seed,
            jobs=jobs,
            model=model,
            tell=lambda done, total: status.update(f"{done} of {total} measured"),
        )
    console.print(table(comparison.rows))
    if out is not None:
        comparison.write(out)
        console.print(f"Written to {out}.", style="dim", highlight=False, markup=False)


def run_on_model(
    console: Console,
    methods: Sequence[str],
    model: str,
    groups: str | None,
    passes: int,
    batches: int,
    seed: int,
    out: Path | None,
) -> None:
    """Measure how far a model's loss falls, and print; write `out` if given.

    Raises ProbeError for what cannot be done.
    """
    if out is not None:
        check_file(out)
    with console.status("loading the model and the text") as status:
        falls = probe_model(
            model,
            *methods,
            groups=groups,
            passes=passes,
            batches=batches,
            seed=seed,
            tell=lambda name, done, total: status.update(f"{name}: {done} of {total} draws"),
        )
    console.print(falls.table())
    if out is not None:
        falls.write(out)
        console.print(f"Written to {out}.", style="dim", highlight=False, markup=False)
