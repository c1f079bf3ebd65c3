"""What recorded training runs say: learning rates on a grid, and the loss that each one ends at.

The rows are those that `python -m zotheory.training.rates` writes, one a run, of a method, a seed
and one rate: of the grid 1e-6 sqrt(3)^j, or "auto", the one that the run measures itself.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import Any

AUTO = "auto"
LOWEST, FACTOR = 1e-6, math.sqrt(3.0)
RECORDED = Path(str(files("zotheory") / "recorded" / "rates.jsonl"))

Row = Mapping[str, Any]


class RowsError(ValueError):
    """A file of rows that cannot be read; the message says what to do."""


def recorded(path: Path = RECORDED) -> list[dict[str, Any]]:
    """The rows in a file that the command has written, by default those that the package carries.

    Raises RowsError if there is none, or it is damaged.
    """
    try:
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    except OSError as error:
        told = "`python -m zotheory.training.rates` makes it"
        raise RowsError(f"cannot read {path}: {error.strerror}; {told}") from error
    except ValueError as error:
        raise RowsError(f"{path} is damaged: {error}") from error


def rate(place: int) -> float:
    """The grid's point at a place, to three digits."""
    return float(f"{LOWEST * FACTOR**place:.3g}")


def place_of(lr: float) -> int:
    """The place of the grid's point nearest to a rate, by their ratio."""
    return round(math.log(lr / LOWEST, FACTOR))


def end(row: Row) -> float:
    """The validation loss after the last step of a row's one rate; infinite if it diverged."""
    (tried,) = row["grid"]
    return math.inf if tried["diverged"] else row["history"][-1]["loss"]


def loss_at(row: Row, passes: float) -> float:
    """The validation loss after so many passes, between two evaluations by a straight line.

    Infinite where the row's one run did not come so far.
    """
    for before, point in pairwise(row["history"]):
        if before["passes"] <= passes <= point["passes"]:
            share = (passes - before["passes"]) / (point["passes"] - before["passes"])
            return before["loss"] + share * (point["loss"] - before["loss"])
    return math.inf


@dataclass(frozen=True)
class Grid:
    """One method's runs on one seed: losses at the end, by the fixed rate, and the rule's run.

    losses: infinite where the run diverged; in rising order of the rates. halfway: the same at half
    the passes. rule: the row of lr="auto", empty without one.
    """

    method: str
    seed: int
    losses: Mapping[float, float]
    halfway: Mapping[float, float]
    rule: Row

    @property
    def best(self) -> float:
        """The fixed rate with the lowest loss at the end."""
        return min(self.losses, key=lambda lr: self.losses[lr])

    @property
    def best_halfway(self) -> float:
        """The fixed rate with the lowest loss at half the passes."""
        return min(self.halfway, key=lambda lr: self.halfway[lr])

    @property
    def least(self) -> float:
        """The loss at that rate."""
        return self.losses[self.best]

    @property
    def enclosed(self) -> bool:
        """Whether both neighbours of the best rate on the grid were tried."""
        if not self.losses:
            return False
        place = place_of(self.best)
        return all(rate(place + side) in self.losses for side in (-1, 1))

    @property
    def start(self) -> float:
        """The loss before the first step."""
        return self.rule["history"][0]["loss"]

    @property
    def regret(self) -> float:
        """What the rule lost of the fall of the best fixed rate; negative where it fell further."""
        return (end(self.rule) - self.least) / (self.start - self.least)


def grids(rows: Iterable[Row]) -> list[Grid]:
    """The runs by method and seed, in the order of the rows."""
    runs: dict[tuple[str, int], dict[Any, Row]] = {}
    for row in rows:
        if row["setup"]["lrs"]:
            runs.setdefault((row["method"], row["seed"]), {})[row["setup"]["lrs"][0]] = row
    found = []
    for (method, seed), by_rate in runs.items():
        rule = by_rate.pop(AUTO, {})
        losses = {float(lr): end(by_rate[lr]) for lr in sorted(by_rate)}
        half = max((r["history"][-1]["passes"] for r in by_rate.values()), default=0) / 2
        halfway = {lr: loss_at(by_rate[lr], half) for lr in losses}
        found.append(Grid(method, seed, losses, halfway, rule))
    return found


def to_the_same_loss(history: Sequence[Row], reference: Sequence[Row]) -> float:
    """The ratio of the passes that two runs need to the lowest loss that both have reached.

    One of the two was there at its lowest loss, the other before: a run is there when its
    validation loss first is, between two evaluations by a straight line. Infinite for a run that
    lowered no loss, 0 against such a one, NaN for two.
    """
    start = reference[0]["loss"]
    lowered = [min(point["loss"] for point in run) < start for run in (history, reference)]
    if not all(lowered):
        return math.nan if not any(lowered) else (0.0 if lowered[0] else math.inf)
    goal = max(min(point["loss"] for point in run) for run in (history, reference))
    return _until(history, goal) / _until(reference, goal)


def _until(history: Sequence[Row], goal: float) -> float:
    for before, point in pairwise(history):
        if point["loss"] <= goal:
            share = (before["loss"] - goal) / (before["loss"] - point["loss"])
            return before["passes"] + share * (point["passes"] - before["passes"])
    raise AssertionError("the goal is a loss that the run has reached")


def races(rows: Iterable[Row], method: str, reference: str) -> dict[int, float]:
    """By seed, `to_the_same_loss` of two methods' runs at the rates that they measure themselves.

    Of runs that train all weights. Raises RowsError if two of them differ in more than the method:
    they are no race.
    """
    rules = {
        (row["method"], row["seed"]): row
        for row in rows
        if row["setup"]["lrs"] == [AUTO] and row["setup"]["tuning"] == "full"
    }
    found = {}
    for seed in sorted(seed for name, seed in rules if name == method):
        one, other = rules[method, seed], rules.get((reference, seed))
        if other is None:
            continue
        differ = [k for k, v in one["setup"].items() if k != "method" and v != other["setup"][k]]
        if differ:
            told = f"the runs of {method} and {reference}, seed {seed}, differ in "
            raise RowsError(told + ", ".join(differ))
        found[seed] = to_the_same_loss(one["history"], other["history"])
    return found


def geometric_mean(values: Sequence[float]) -> float:
    """Of values that may be 0 or infinite; NaN where both occur."""
    return math.prod(values) ** (1 / len(values))


def best_rates(seed: int) -> dict[str, float]:
    """The best rate of every method of which the recorded grid encloses one."""
    found = (one for one in grids(recorded()) if one.seed == seed)
    return {one.method: one.best for one in found if one.enclosed}
