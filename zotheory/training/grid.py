"""The whole table, row by row, resumable: `python -m zotheory.training.grid`.

Every row is a run of `zotheory train`; finished ones are read, unfinished ones gone on with. The
first seed tries the learning rates of a method's grid, the other seeds take the one it chose.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from zotheory.console import console, errors, stop
from zotheory.files import write_atomically
from zotheory.model.assets import AssetError
from zotheory.model.language_model import ModelError
from zotheory.training.checkpoint import Stopped
from zotheory.training.methods import FIRST_ORDER, UNTRAINED
from zotheory.training.model import best_device
from zotheory.training.rows import dump, show
from zotheory.training.run import train
from zotheory.training.setup import DTYPES, PASSES, Setup, TrainingError
from zotheory.training.watch import TrainingProgress

ROWS = (
    "zero_shot",
    "icl",
    "linear_probe",
    "ft_sgd",
    "ft_adam",
    "ft_adam-lora",
    "mezo",
    "mezo-lora",
    "mezo-prefix",
    "mezo_adam",
    "lozo",
    "subzo",
    "svd0",
    "tezo",
    "tezo_adam",
    "s_mezo",
    "r_mezo",
    "lezo",
    "mezo_gv",
    "mezo_greedy",
)


def setups(names: Sequence[str], seeds: int, common: Setup) -> Iterator[tuple[str, Setup]]:
    """The name and the setup of every row, methods side by side within a seed."""
    for seed in range(seeds):
        for name in names:
            method, _, tuning = name.partition("-")
            setup = replace(common, method=method, tuning=tuning or "full", seed=seed)
            if method in UNTRAINED:
                setup = replace(setup, passes=None)
            if method in FIRST_ORDER and not tuning:
                setup = replace(setup, dtype="float32")
            yield name, setup


def run_all(
    names: Sequence[str], seeds: int, common: Setup, work: Path, rows: Path, watch: Any = None
) -> list[dict[str, Any]]:
    """Make or read every row, and keep a copy of each in `rows`; returns them.

    A row that cannot be made is told and left out.
    """
    found: list[dict[str, Any]] = []
    chosen: dict[str, float] = {}
    rows.mkdir(parents=True, exist_ok=True)
    for name, setup in setups(names, seeds, common):
        if name in chosen:
            setup = replace(setup, lrs=(chosen[name],))
        place = f"{name}-seed{setup.seed}"
        console.print(place, style="bold cyan", highlight=False)
        try:
            row = train(setup, work / place, resume=True, watch=watch)
        except (TrainingError, AssetError, ModelError) as error:
            errors.print(f"{place}: {error}", style="bold red", markup=False, soft_wrap=True)
            continue
        if row["grid"]:
            chosen.setdefault(name, row["hyperparameters"]["lr"])
        write_atomically(rows / f"{place}.json", dump(row))
        found.append(row)
    return found


def main(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[METHOD|METHOD-TUNING]...", help="Rows.")
    ] = None,
    passes: Annotated[int, typer.Option(min=1, help="Budget of every run.")] = PASSES,
    seeds: Annotated[int, typer.Option(min=1, help="Seeds 0, 1, ...")] = 2,
    max_tokens: Annotated[int | None, typer.Option(min=1, help="Longest prompt.")] = None,
    dtype: Annotated[str, typer.Option(help=" or ".join(DTYPES))] = "float32",
    device: Annotated[
        str | None, typer.Option(help="cpu or cuda; cuda where there is one.")
    ] = None,
    work: Annotated[Path, typer.Option(help="Folder of the runs.")] = Path("out/table"),
    rows: Annotated[Path, typer.Option(help="Folder of the rows.")] = Path("results"),
) -> None:
    """Make every row of the table at an equal budget of forward passes; stop and go on freely."""
    try:
        common = Setup(
            "mezo",
            passes=passes,
            max_tokens=max_tokens,
            dtype=dtype,
            device=device or best_device(),
        )
        with TrainingProgress(console) as progress:
            found = run_all(names or ROWS, seeds, common, work, rows, progress)
    except TrainingError as error:
        stop(error)
    except Stopped as error:
        name = signal.Signals(error.signum).name
        stop(f"stopped by {name}; the same command goes on", 128 + error.signum)
    show(console, found)
    raise typer.Exit(0 if len(found) == seeds * len(names or ROWS) else 1)


if __name__ == "__main__":
    typer.run(main)
