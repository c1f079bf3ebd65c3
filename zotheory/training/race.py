"""Which method needs fewer forward passes? `python -m zotheory.training.race`.

Every method trains at the rate that it measures itself, on the same seeds: the same split, batches
and initial weights. A method's passes are compared with MeZO's seed by seed, at the loss that both
have reached. Every run is a row of `zotheory train`; finished ones are read, unfinished ones gone
on with.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Annotated, Any

import numpy as np
import typer
from rich.box import SIMPLE
from rich.table import Table

from zotheory.console import console, errors, stop
from zotheory.evidence.trained import RowsError, geometric_mean, races
from zotheory.files import write_atomically
from zotheory.model.assets import AssetError
from zotheory.model.language_model import ModelError
from zotheory.statistics.intervals import student_of_logs
from zotheory.training.checkpoint import Stopped
from zotheory.training.methods import FIRST_ORDER, UNTRAINED, ZEROTH_ORDER
from zotheory.training.model import best_device
from zotheory.training.rates import PROTOCOL, REFERENCE
from zotheory.training.rows import dump, show
from zotheory.training.run import train
from zotheory.training.setup import AUTO, DTYPES, Setup, TrainingError
from zotheory.training.watch import TrainingProgress, Watch

ROWS = (
    REFERENCE,
    "mezo_greedy",
    "mezo_gv",
    "lezo",
    "s_mezo",
    "r_mezo",
    "lozo",
    "tezo",
    "svd0",
    "subzo",
    "rademacher",
    "mezo_adam",
    "tezo_adam",
    "zero_shot",
    "icl",
    "linear_probe",
    "ft_adam",
)
PASSES = 2000
LEVEL = 0.95


def setups(names: Sequence[str], seeds: int, common: Setup) -> Iterator[tuple[str, Setup]]:
    """The name and the setup of every row, methods side by side within a seed."""
    for seed in range(seeds):
        for name in names:
            method, _, tuning = name.partition("-")
            setup = replace(common, method=method, tuning=tuning or "full", seed=seed)
            if method in UNTRAINED:
                setup = replace(setup, passes=None)
            if method in ZEROTH_ORDER:
                setup = replace(setup, lrs=(AUTO,))
            if method in FIRST_ORDER and not tuning:
                setup = replace(setup, dtype="float32")
            yield name, setup


def run_all(
    names: Sequence[str],
    seeds: int,
    common: Setup,
    work: Path,
    rows: Path,
    watch: Watch | None = None,
) -> list[dict[str, Any]]:
    """Make or read every row, and keep a copy of each in `rows`; returns them.

    The first seed of a first-order method tries its grid of rates, the others take the one chosen.
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
        if setup.method in FIRST_ORDER:
            chosen.setdefault(name, row["hyperparameters"]["lr"])
        write_atomically(rows / f"{place}.json", dump(row))
        found.append(row)
    return found


# Passes of two methods to the same loss.


@dataclass(frozen=True)
class Against:
    """A method's passes over MeZO's to the same validation loss, on the seeds that both have.

    ratios: one a seed. ratio, low, high: their geometric mean and the ends of its 95% interval,
    Student's for the logarithms; 0 and infinite for one seed, or where a run lowered no loss.
    """

    method: str
    ratios: tuple[float, ...]
    ratio: float
    low: float
    high: float


def against(rows: Sequence[Mapping[str, Any]]) -> list[Against]:
    """Every trained method of the rows against MeZO, those that need fewest passes first."""
    trained = [row for row in rows if row["history"]]
    found = []
    for method in dict.fromkeys(row["method"] for row in trained):
        ratios = tuple(races(trained, method, REFERENCE).values())
        if ratios and method != REFERENCE:
            found.append(Against(method, ratios, *_interval(ratios)))
    return sorted(found, key=lambda one: one.ratio)


def _interval(ratios: Sequence[float]) -> tuple[float, float, float]:
    if not all(0.0 < ratio < math.inf for ratio in ratios):
        return fmean(ratios), 0.0, math.inf
    if len(ratios) == 1:
        return ratios[0], 0.0, math.inf
    return (geometric_mean(ratios), *student_of_logs(np.array(ratios), 1 - LEVEL))


def table(found: Sequence[Against]) -> Table:
    """A line for every method."""
    shown = Table(box=SIMPLE, pad_edge=False, title="passes over MeZO's, to the same loss")
    for name in ("method", "ratio", "95%", "seeds"):
        shown.add_column(name, justify="left" if name == "method" else "right")
    for one in found:
        between = f"{one.low:.2f} to {one.high:.2f}" if one.low > 0.0 else "-"
        shown.add_row(one.method, f"{one.ratio:.2f}", between, str(len(one.ratios)))
    return shown


def main(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[METHOD|METHOD-TUNING]...", help="Rows.")
    ] = None,
    passes: Annotated[int, typer.Option(min=1, help="Budget of every run.")] = PASSES,
    seeds: Annotated[int, typer.Option(min=1, help="Seeds 0, 1, ...")] = 4,
    dtype: Annotated[str, typer.Option(help=" or ".join(DTYPES))] = "float32",
    device: Annotated[
        str | None, typer.Option(help="cpu or cuda; cuda where there is one.")
    ] = None,
    work: Annotated[Path, typer.Option(help="Folder of the runs.")] = Path("out/race"),
    rows: Annotated[Path, typer.Option(help="Folder of the rows.")] = Path("results"),
) -> None:
    """Train every method at the rate that it measures; stop and go on freely."""
    wanted = names or ROWS
    try:
        common = replace(PROTOCOL, passes=passes, dtype=dtype, device=device or best_device())
        with TrainingProgress(console) as progress:
            found = run_all(wanted, seeds, common, work, rows, progress)
        show(console, found)
        console.print(table(against(found)))
    except (TrainingError, RowsError) as error:
        stop(error)
    except Stopped as error:
        stop(f"{error}; the same command goes on", 128 + error.signum)
    raise typer.Exit(0 if len(found) == seeds * len(wanted) else 1)


if __name__ == "__main__":
    typer.run(main)
