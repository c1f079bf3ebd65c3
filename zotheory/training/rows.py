"""A run's result as one JSON row, with what is needed to make it again."""

from __future__ import annotations

import json
import math
import platform
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from zotheory.arguments import as_path, flat
from zotheory.files import read_json
from zotheory.ledger import plain, versions
from zotheory.training.setup import Setup, TrainingError, at_most, named

ROW = 1  # the schema's version, under the key "row"; what has no such key is no row
_VERSIONED = ("zotheory", "numpy", "torch", "transformers")
_ROOT = Path(__file__).parents[2]


def describe(setup: Setup, device: torch.device) -> dict[str, Any]:
    """What a row says of the run besides its numbers."""
    found = {name: number for name, number in versions().items() if name in _VERSIONED}
    if setup.tuning != "full":
        found["peft"] = version("peft")
    return {
        "row": ROW,
        "method": setup.method,
        "tuning": setup.tuning,
        "seed": setup.seed,
        "command": setup.command(),
        "machine": machine(device),
        "threads": torch.get_num_threads(),
        "versions": found | {"python": platform.python_version()},
        "setup": setup.to_json(),
    }


def machine(device: torch.device) -> str:
    """The name of the GPU or the CPU."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if "model name" in line)
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def commit() -> str:
    """The commit of the toolkit's own repository, "+" if its code differs, "" if there is none."""
    own = str(Path(__file__).relative_to(_ROOT))
    if _git("ls-files", "--error-unmatch", own) is None:
        return ""
    found = (_git("rev-parse", "--short=12", "HEAD") or "").strip()
    changed = _git("status", "--porcelain", "--", "estimators", "zotheory")
    return f"{found}+" if changed else found


def _git(*arguments: str) -> str | None:
    try:
        ran = subprocess.run(["git", "-C", str(_ROOT), *arguments], capture_output=True, text=True)
    except OSError:
        return None
    return ran.stdout if ran.returncode == 0 else None


def dump(row: dict[str, Any]) -> str:
    """The row as one line of JSON."""
    return json.dumps(plain(row), ensure_ascii=False) + "\n"


def read_rows(places: Any) -> list[dict[str, Any]]:
    """All rows in a file or several, and in all JSON files under folders.

    Raises:
        TrainingError: a place is missing, a JSON file is damaged, or a file holds no row.
    """
    rows = []
    for place in (as_path("a place of rows", given, TrainingError) for given in flat(places)):
        paths = sorted(place.rglob("*.json")) if place.is_dir() else [place]
        found = [row for path in paths for row in _read(path)]
        if not found:
            raise TrainingError(f"{place} holds no row of `zotheory train`")
        rows += found
    return rows


def _read(path: Path) -> list[dict[str, Any]]:
    """The row of a file, or nothing if it holds something else."""
    try:
        found = read_json(path)
    except OSError as error:
        raise TrainingError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise TrainingError(f"{path} is damaged: {error}") from error
    return [found] if isinstance(found, dict) and found.get("row") == ROW else []


# Rows as a table: in a terminal, and as Markdown.


Row = Mapping[str, Any]

REFERENCES = ("zero_shot", "icl", "linear_probe", "ft_sgd", "ft_adam")
COLUMNS = (
    *("method", "lr", "accuracy", "loss", "passes", "best at", "to FT"),
    *("memory", "seeds", "machine"),
)
GOAL = "ft_adam"
# Rows that agree in all of these belong into one table.
_PROTOCOL = (
    *("model", "task", "loss", "batch_size", "train", "validation", "test"),
    *("max_tokens", "max_words"),
)
_FREE = ("seed", "lrs", "device")  # what rows of one line may differ in


def show(console: Console, rows: Sequence[Row]) -> None:
    """Print the tables and the commands that made them."""
    for title, lines in tables(rows):
        table = Table(title=title, title_justify="left", box=SIMPLE, pad_edge=False)
        for name in COLUMNS:
            table.add_column(name, justify="left" if name == "method" else "right", no_wrap=True)
        for texts in _body(lines):
            table.add_row(*texts)
        console.print(table)
    for row in sorted(rows, key=_order):
        console.print(_made_by(row), style="dim", markup=False, highlight=False, soft_wrap=True)


def markdown(rows: Sequence[Row]) -> str:
    """The tables, and a list of commands, for a README."""
    parts = []
    for title, lines in tables(rows):
        bars = ["| " + " | ".join(COLUMNS) + " |"]
        bars.append("| --- |" + " ---: |" * (len(COLUMNS) - 1))
        bars += ["| " + " | ".join(texts) + " |" for texts in _body(lines)]
        parts += [title, "\n".join(bars)]
    commands = "\n".join(_made_by(row) for row in sorted(rows, key=_order))
    fold = "<details><summary>The command that made each row</summary>"
    parts += [fold, f"```sh\n{commands}\n```", "</details>"]
    return "\n\n".join(parts) + "\n"


def tables(rows: Iterable[Row]) -> list[tuple[str, list[list[Row]]]]:
    """A title for each protocol, and its rows, those that differ in the seed alone together."""
    found: dict[str, dict[str, list[Row]]] = {}
    for row in sorted(rows, key=_order):
        protocol = {name: row["setup"].get(name) for name in _PROTOCOL}
        key = json.dumps(protocol)
        rest = {k: v for k, v in row["setup"].items() if k not in (*_PROTOCOL, *_FREE)}
        found.setdefault(key, {}).setdefault(json.dumps(rest), []).append(row)
    return [(_title(json.loads(key)), list(groups.values())) for key, groups in found.items()]


def _body(lines: Sequence[Sequence[Row]]) -> list[list[str]]:
    goal = _goal(lines)
    return [cells(group, goal) for group in lines]


def cells(rows: Sequence[Row], goal: float | None = None) -> list[str]:
    """One line of the table, from the rows of all seeds; memory is the largest on each machine.

    goal: a validation loss; "to FT" tells after how many passes a run would be there.
    """
    setup = rows[0]["setup"]
    name = rows[0]["method"]
    name += "" if setup["tuning"] == "full" else f" ({setup['tuning']})"
    name += "".join(f" {option}={value}" for option, value in setup["options"])
    name += "" if setup["dtype"] == "float32" else f" {setup['dtype']}"
    rates = {row["hyperparameters"].get("lr") for row in rows} - {None}
    memory: dict[str, int] = {}
    for row in rows:
        memory[row["machine"]] = max(memory.get(row["machine"], 0), row["peak_memory"])
    return [
        name,
        ", ".join(map(named, sorted(rates, key=_rate))) or "-",
        _spread([100 * row["test"]["accuracy"] for row in rows], 1),
        _spread([row["test"]["loss"] for row in rows], 3),
        str(round(fmean(row["passes"] for row in rows))),
        f"{_best_at(rows):.0%}" if rows[0]["steps"] else "-",
        _needed(rows, goal),
        ", ".join(f"{peak / 1e9:.2f} GB" for peak in memory.values()),
        str(len({row["seed"] for row in rows})),
        ", ".join(memory),
    ]


def _rate(lr: float | str) -> float:
    """Sorts "auto" behind the numbers."""
    return math.inf if isinstance(lr, str) else lr


def _best_at(rows: Sequence[Row]) -> float:
    """Where in the run the best evaluation was, as a share of its steps."""
    return fmean(row["best_step"] / row["steps"] for row in rows)


def _goal(lines: Sequence[Sequence[Row]]) -> float | None:
    """The mean validation loss of first-order fine-tuning of all weights."""
    losses = [
        row["validation"]["loss"]
        for group in lines
        for row in group
        if row["method"] == GOAL and row["setup"]["tuning"] == "full"
    ]
    return fmean(losses) if losses else None


def _needed(rows: Sequence[Row], goal: float | None) -> str:
    if goal is None or not rows[0]["steps"] or rows[0]["method"] == GOAL:
        return "-"
    passes = fmean(passes_to(row["history"], goal) for row in rows)
    return f"{float(f'{passes:.2g}'):.0f}" if math.isfinite(passes) else "never"


def passes_to(history: Sequence[Mapping[str, Any]], goal: float) -> float:
    """After how many passes the validation loss would reach `goal`.

    Where the run did not, its logarithm goes on falling at the mean pace of the run's second half:
    an optimistic guess, since learning slows down. Infinite where the loss did not fall there.
    """
    for point in history:
        if point["loss"] <= goal:
            return point["passes"]
    end, before = history[-1], history[:-1]
    if not before:  # it diverged at once
        return math.inf
    middle = min(before, key=lambda point: abs(2 * point["passes"] - end["passes"]))
    fallen = math.log(middle["loss"] / end["loss"])
    if fallen <= 0.0:
        return math.inf
    spent = end["passes"] - middle["passes"]
    return end["passes"] + spent * math.log(end["loss"] / goal) / fallen


def _spread(values: Sequence[float], digits: int) -> str:
    mean = f"{fmean(values):.{digits}f}"
    if len(values) == 1:
        return mean
    return f"{mean} ({min(values):.{digits}f}-{max(values):.{digits}f})"


def _title(protocol: dict[str, Any]) -> str:
    sizes = "/".join(str(protocol[part]) for part in ("train", "validation", "test"))
    limits = at_most(protocol["max_words"], protocol["max_tokens"])
    short = f", {limits}" if limits else ""
    return (
        f"{protocol['model']} on {protocol['task']} ({sizes} sentences{short}), batches of "
        f"{protocol['batch_size']}, loss over the {protocol['loss'].replace('_', ' ')}"
    )


def _made_by(row: Row) -> str:
    return f"{row['command']}  # {row['commit']}" if row["commit"] else row["command"]


def _order(row: Row) -> tuple:
    """References first, then methods by name; seeds side by side."""
    method = row["method"]
    place = REFERENCES.index(method) if method in REFERENCES else len(REFERENCES)
    return place, method, row["tuning"], row["seed"], row["command"]
