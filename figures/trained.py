"""Courses of training, from rows of `zotheory train`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from figures.data import Data, MissingData
from zotheory.training.rows import read_rows, tables
from zotheory.training.setup import TrainingError

Rows = Sequence[Mapping[str, Any]]


def runs(
    data: Data, needed: Sequence[str], more: Sequence[str] = ()
) -> tuple[str, dict[str, Rows]]:
    """A protocol's title and the runs of each method, of the protocol with most of them.

    Methods come in the order of `needed`, then `more`. Raises MissingData if no protocol has runs
    of every needed method.
    """
    remedy = f"`python -m zotheory.training.race {' '.join(needed)}` makes them"
    try:
        rows = read_rows([data.results])
    except TrainingError as error:
        raise MissingData(f"{error}; {remedy}") from error
    chosen: list[tuple[str, dict[str, Rows]]] = []
    for title, groups in tables(rows):
        plain = [g for g in groups if g[0]["tuning"] == "full" and not g[0]["setup"]["options"]]
        found: dict[str, Rows] = {
            m: g for m in (*needed, *more) for g in plain if g[0]["method"] == m
        }
        if found.keys() >= set(needed):
            chosen.append((title, found))
    if not chosen:
        named = " and ".join(needed)
        raise MissingData(f"{data.results} holds no runs of {named} by one protocol; {remedy}")
    return max(chosen, key=lambda protocol: sum(map(len, protocol[1].values())))


def course(rows: Rows, of: str) -> tuple[np.ndarray, np.ndarray]:
    """Steps (k,) and `of` at each (runs, k), at the evaluations that all runs share.

    of: a number of `zotheory.training.state.Point`; evaluations without it are left out.
    """
    courses = [{p["step"]: p[of] for p in row["history"] if p[of] is not None} for row in rows]
    steps = sorted(set.intersection(*(set(c) for c in courses)))
    return np.array(steps), np.array([[c[step] for step in steps] for c in courses])
