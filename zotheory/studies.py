"""What several claims of a run rest on, measured once for all of them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import joblib
from filelock import FileLock

from zotheory.atomic import replacing
from zotheory.context import Context

_DONE: dict[tuple, Any] = {}


def once(what: str, context: Context, measure: Callable[[Context], Any]) -> Any:
    """What `measure(context)` returned to the first claim of the run that asked for `what`.

    It lies in the run's scratch folder, where other workers (they wait for it) and a resumed run
    find it. Raises what `measure` raises.
    """
    key = what, context.model, context.seed, context.budget
    if key not in _DONE:
        _DONE[key] = _kept(what, context, measure)
    return _DONE[key]


def _kept(what: str, context: Context, measure: Callable[[Context], Any]) -> Any:
    folder = context.scratch / "studies"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / (re.sub(r"[^\w.-]+", "-", what) + ".joblib")
    with FileLock(path.with_suffix(".lock")):
        if not path.is_file():
            with replacing(path) as beside:
                joblib.dump(measure(context), beside)
        return joblib.load(path)
