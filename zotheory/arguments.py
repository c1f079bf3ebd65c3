"""Arguments as people give them in a notebook: taken where their meaning is clear, or one error.

Every function here returns the value in its one form, or raises `error` (ValueError by default)
with a line that names the argument and what it may be.
"""

from __future__ import annotations

import operator
import os
from collections.abc import Callable, Iterable, Iterator, Set, ValuesView
from pathlib import Path
from typing import Any

import numpy as np


def whole(name: str, value: Any, least: int, error: type[Exception] = ValueError) -> int:
    """A whole number of at least `least`, of whatever integer type; neither 3.0 nor True is one."""
    try:
        number = operator.index(value)
    except TypeError:
        number = None
    if number is None or isinstance(value, bool | np.bool_) or number < least:
        raise error(f"{name} must be a whole number of at least {least}, got {shown(value)}")
    return number


def one_of(
    name: str, value: Any, choices: Iterable[str], error: type[Exception] = ValueError
) -> str:
    """One of some words."""
    known = list(choices)
    if not isinstance(value, str) or value not in known:
        raise error(f"{name} must be one of {', '.join(known)}, got {shown(value)}")
    return str(value)


def flag(name: str, value: Any, error: type[Exception] = ValueError) -> bool:
    """True or False."""
    if not isinstance(value, bool | np.bool_):
        raise error(f"{name} must be True or False, got {shown(value)}")
    return bool(value)


def as_path(name: str, value: Any, error: type[Exception] = ValueError) -> Path:
    """A path, given as one or as text; `~` is the home folder."""
    try:
        text = os.fspath(value)
    except TypeError:
        text = None
    if not isinstance(text, str) or not text:
        raise error(f"{name} must be a path, as text or a Path, got {shown(value)}")
    try:
        return Path(text).expanduser()
    except RuntimeError as failed:  # there is no such user
        raise error(f"{name} {text!r}: {failed}") from failed


def function(name: str, value: Any, error: type[Exception] = ValueError) -> Callable[..., Any]:
    """Something that can be called."""
    if not callable(value):
        raise error(f"{name} must be a function, got {shown(value)}")
    return value


def shown(value: Any) -> str:
    """A value as an error shows it: one short line, whatever it is."""
    text = " ".join(repr(value).split())
    return text if len(text) <= 80 else f"{text[:77]}..."


def flat(values: Any) -> Iterator[Any]:
    """The values in nested lists, tuples, sets, iterators, arrays and pandas' rows and indices.

    Those of a set, which has no order, come sorted as text. Anything else is one value.
    """
    if hasattr(values, "tolist"):
        values = values.tolist()
    if not isinstance(values, list | tuple | Set | ValuesView | Iterator):
        yield values
        return
    for value in sorted(values, key=str) if isinstance(values, Set) else values:
        yield from flat(value)
