"""Is the measured learning rate a good one? `python -m zotheory.training.rates`.

For every method and seed there is a run at lr="auto". For seed 0 there are runs at fixed rates with
the same split, batches and budget, the passes that the rule spends on measuring included. These
rates are on the grid 1e-6 sqrt(3)^j. The search begins at the one nearest to the rule's first rate,
and goes to the neighbours of the best until both are worse: where the last loss has one minimum in
the rate, that is the best of the whole grid. Every run is a row of `zotheory train`; finished ones
are read, unfinished ones gone on with, and all rows are gathered in one file, a line each.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from statistics import fmean, median
from typing import Annotated, Any

import typer
from filelock import FileLock
from rich.box import SIMPLE
from rich.table import Table

from zotheory.console import console, errors, stop
from zotheory.evidence.trained import (
    AUTO,
    Grid,
    RowsError,
    end,
    geometric_mean,
    grids,
    place_of,
    races,
    rate,
    recorded,
)
from zotheory.files import write_atomically
from zotheory.model.assets import AssetError
from zotheory.model.language_model import ModelError
from zotheory.training.checkpoint import Stopped
from zotheory.training.methods import complete
from zotheory.training.model import best_device
from zotheory.training.rows import dump
from zotheory.training.run import train
from zotheory.training.setup import PASSES, Setup, TrainingError, named
from zotheory.training.watch import TrainingProgress, Watch

METHODS = (
    "mezo",
    "lezo",
    "lozo",
    "rademacher",
    "mezo_greedy",
    "mezo_gv",
    "tezo",
    "s_mezo",
    "svd0",
    "subzo",
    "tezo_adam",
)
REFERENCE = "mezo"
PROTOCOL = Setup("mezo", max_words=10, train=800, validation=128, test=64)


def lowest(loss: Callable[[int], float], start: int) -> int:
    """The place of the lowest loss: a walk to a place whose two neighbours are worse.

    Each place is asked for once, and the upper neighbour only where the lower one is worse. Losses
    that are not finite are worse than all others; where all are such, the walk goes down.
    """
    found: dict[int, float] = {}

    def at(place: int) -> float:
        if place not in found:
            value = loss(place)
            found[place] = value if math.isfinite(value) else math.inf
        return found[place]

    best = start
    while True:
        if at(best - 1) < at(best) or math.isinf(at(best)):
            best -= 1
        elif at(best + 1) < at(best):
            best += 1
        else:
            return best


def compared(rows: Iterable[Mapping[str, Any]]) -> list[Grid]:
    """The methods and seeds of which there is a run of the rule and one at a fixed rate."""
    return [one for one in grids(rows) if one.rule and one.losses]


@dataclass(frozen=True)
class Course:
    """A part of a run of the rule: the fall of the loss per forward pass, as its readings say.

    A step of rate eta lowers the text's loss by eta E <g_B', D> - eta^2 E D^T H D / 2, the means
    being those of the readings in the part. actual: of the validation loss.
    """

    passes: tuple[int, int]
    readings: int
    predicted: float
    actual: float


def courses(row: Mapping[str, Any], parts: int = 3) -> list[Course]:
    """The fall predicted and seen in equal parts of a run of the rule, after its first readings."""
    first = row["rates"][0][0]
    points = [point for point in row["history"] if point["step"] >= first]
    marks = [points[round(i * (len(points) - 1) / parts)] for i in range(parts + 1)]
    found = []
    for before, after in pairwise(marks):
        begin, last = before["step"], after["step"]
        inside = [r for r in row["readings"] if begin <= r[0] < last]
        spent = after["passes"] - before["passes"]
        if not inside or not spent:
            continue
        slope, curvature = (fmean(reading[i] for reading in inside) for i in (2, 3))
        rates = [_rate_at(row["rates"], step) for step in range(begin, last)]
        fall = sum(eta * slope - eta * eta * curvature / 2.0 for eta in rates)
        actual = before["loss"] - after["loss"]
        ends = before["passes"], after["passes"]
        found.append(Course(ends, len(inside), fall / spent, actual / spent))
    return found


def _rate_at(rates: Sequence[Sequence[float]], step: int) -> float:
    """The rate of a step; the first reading's steps are written with none."""
    return next((lr for since, lr in reversed(rates) if since <= step), 0.0)


def run_all(
    methods: Sequence[str],
    seeds: int,
    common: Setup,
    work: Path,
    rows: Path,
    watch: Watch | None = None,
) -> list[dict[str, Any]]:
    """Make the runs of every method on seeds 0, 1, ..., each in a folder of `work`; return them.

    Seed 0 has the grid of fixed rates too, the other seeds only the rule's run.
    Each row is added to the file `rows` when its run is done, and not made again if it is there. A
    method that cannot be run, or for which the rule finds no rate, is told and left out.
    """
    found: list[dict[str, Any]] = []
    made = {json.dumps(row["setup"]): row for row in (recorded(rows) if rows.exists() else ())}

    def run(method: str, seed: int, lr: float | str) -> dict[str, Any]:
        place = f"{method}-{named(lr)}-seed{seed}"
        console.print(place, style="bold cyan", highlight=False)
        setup = complete(replace(common, method=method, seed=seed, lrs=(lr,)))
        row = made.get(json.dumps(setup.to_json()))
        if row is None:
            row = train(setup, work / place, resume=True, watch=watch)
            with FileLock(work / "lock"):  # others may work on other methods
                _add(rows, row)
        found.append(row)
        return row

    def at(place: int) -> float:
        return end(run(method, seed, rate(place)))

    for seed in range(seeds):
        for method in methods:
            try:
                first = run(method, seed, AUTO)["rates"][0][1]
                if seed == 0:
                    lowest(at, place_of(first))
            except (TrainingError, AssetError, ModelError) as error:
                told = f"{method}, seed {seed}: {error}"
                errors.print(told, style="bold red", markup=False, soft_wrap=True)
    return found


FEW = 2  # values of which a cell shows each
HEADS = (
    *("method", "rule's rates", "loss by the rule", f"passes over {REFERENCE}'s"),
    *("best fixed rate", "its loss", "regret", "best by half", "seen/told"),
)


def cells(rows: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """A line for every method that was run by the rule, those that need fewest passes first.

    Losses at the end, and passes to the lowest loss that the method and MeZO have both reached (of
    several seeds their geometric mean); the rest is of the first seed, dashes where no other run is
    to compare with. best by half: the fixed rate with the lowest loss after half the passes.
    seen/told: the fall of the loss in the rule's run over the one that its readings predict.
    """
    ruled: dict[str, list[Grid]] = {}
    for one in sorted(grids(rows), key=lambda one: one.seed):
        if one.rule:
            ruled.setdefault(one.method, []).append(one)
    ratios = {method: list(races(rows, method, REFERENCE).values()) for method in ruled}

    def passes(method: str) -> tuple[float, float]:
        """Over MeZO's; those with nothing to compare come last, by their losses."""
        ratio = geometric_mean(ratios[method]) if ratios[method] else math.nan
        loss = fmean(end(one.rule) for one in ruled[method])
        return (math.inf if math.isnan(ratio) else ratio), loss

    return [_line(ruled[method], ratios[method]) for method in sorted(ruled, key=passes)]


def _line(seeds: Sequence[Grid], ratios: Sequence[float]) -> list[str]:
    one = seeds[0]
    chosen = [lr for _, lr in one.rule["rates"]]
    parts = courses(one.rule)
    told = sum(part.predicted * (part.passes[1] - part.passes[0]) for part in parts)
    seen = sum(part.actual * (part.passes[1] - part.passes[0]) for part in parts)
    line = [one.method, f"{_short(min(chosen))} to {_short(max(chosen))}"]
    line += [_all([end(other.rule) for other in seeds], fmean)]
    raced = one.method != REFERENCE and ratios
    line += [_all(ratios, geometric_mean) if raced else "-"]
    if one.losses:
        line += [_among(one.best, one.losses), f"{one.least:.2f}", f"{one.regret:+.1%}"]
        line += [_among(one.best_halfway, one.losses)]
    else:
        line += ["-", "-", "-", "-"]
    return [*line, f"{seen / told:.2f}" if told > 0.0 else "-"]


def _all(values: Sequence[float], mean: Callable[[Sequence[float]], float]) -> str:
    """Each of a few values, or their mean with the least and the greatest."""
    if len(values) <= FEW:
        return ", ".join(f"{value:.2f}" for value in values)
    return f"{mean(values):.2f} ({min(values):.2f} to {max(values):.2f}, {len(values)} seeds)"


def _among(lr: float, tried: Iterable[float]) -> str:
    """A rate; at an end of those tried it may be a bound only."""
    ends = {min(tried): "<=", max(tried): ">="}
    return f"{ends.get(lr, '')} {_short(lr)}".strip()


def _short(lr: float) -> str:
    return f"{lr:.1e}".replace("e-0", "e-")


def median_regret(rows: Iterable[Mapping[str, Any]]) -> tuple[float, int]:
    """Of the methods and seeds whose best rate is enclosed, with their number."""
    regrets = [one.regret for one in compared(rows) if one.enclosed]
    return (median(regrets) if regrets else math.nan), len(regrets)


def table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """The cells for a terminal."""
    shown = Table(box=SIMPLE, pad_edge=False)
    for name in HEADS:
        shown.add_column(name, justify="left" if name == "method" else "right", no_wrap=True)
    for line in cells(rows):
        shown.add_row(*line)
    regret, count = median_regret(rows)
    if count:
        shown.caption = f"median regret {regret:+.1%}, of {count} whose best rate is enclosed"
    return shown


def markdown(rows: Sequence[Mapping[str, Any]]) -> str:
    """The cells for a page."""
    lines = [HEADS, ["---" if name == "method" else "---:" for name in HEADS], *cells(rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _add(path: Path, row: dict[str, Any]) -> None:
    """Add a row to the file, in its order."""
    path.parent.mkdir(parents=True, exist_ok=True)
    found = sorted([*(recorded(path) if path.exists() else ()), row], key=_order)
    write_atomically(path, "".join(map(dump, found)))


def _order(row: Mapping[str, Any]) -> tuple[str, int, float]:
    lr = row["setup"]["lrs"][0]
    return row["method"], row["seed"], math.inf if lr == AUTO else lr


def main(
    methods: Annotated[list[str] | None, typer.Argument(metavar="[METHOD]...")] = None,
    passes: Annotated[int, typer.Option(min=1, help="Budget of every run.")] = PASSES,
    seeds: Annotated[int, typer.Option(min=1, help="0, 1, ...; fixed rates on 0.")] = 1,
    device: Annotated[
        str | None, typer.Option(help="cpu or cuda; cuda where there is one.")
    ] = None,
    work: Annotated[Path, typer.Option(help="Folder of the runs.")] = Path("out/rates"),
    rows: Annotated[Path, typer.Option(help="File of the rows.")] = Path("out/rates.jsonl"),
) -> None:
    """Compare the measured rate with a grid of fixed ones; stop and go on freely."""
    try:
        common = replace(PROTOCOL, passes=passes, device=device or best_device())
        with TrainingProgress(console) as progress:
            found = run_all(methods or METHODS, seeds, common, work, rows, progress)
        console.print(table(found))
    except (TrainingError, RowsError) as error:
        stop(error)
    except Stopped as error:
        stop(f"{error}; the same command goes on", 128 + error.signum)


if __name__ == "__main__":
    typer.run(main)
