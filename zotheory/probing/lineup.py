"""Who is probed: the named recipes at sizes that fit a matrix, and estimators of a user's own."""

from __future__ import annotations

import difflib
import importlib
import inspect
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from os import PathLike, fspath
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import Tensor

from estimators import recipes
from estimators.perturbations.cp import CP
from estimators.zeroth_order import ZerothOrder
from zotheory.arguments import shown
from zotheory.files import BrokenFile, first_line, load_module
from zotheory.probing.measure import Estimator
from zotheory.probing.objectives import ProbeError

LAYERS = 4  # LeZO sees the rows of the matrix as so many layers
QUERIES = 4  # of one-sided differences, as the recipes with several queries have by default


def rank(m: int, n: int) -> int:
    """The rank of every low-rank recipe on an m x n matrix: a quarter of the shorter side."""
    return max(1, min(m, n) // 4)


def recipe_names() -> tuple[str, ...]:
    """The names of all recipes."""
    return tuple(
        name
        for name, build in inspect.getmembers(recipes, inspect.isfunction)
        if build.__module__ == recipes.__name__ and not name.startswith("_")
    )


def lezo_by_tensor(parameters: Sequence[Tensor], **options: Any) -> ZerothOrder:
    """LeZO with every parameter a layer of its own."""
    layers = [f"parameter.{index}" for index in range(len(parameters))]
    return recipes.lezo(parameters, layers=layers, **options)


def of_recipe(name: str, m: int, n: int) -> list[Estimator]:
    """A recipe on an m x n matrix: its defaults, the ranks of `rank`, and some variants."""
    build = getattr(recipes, name)
    r, queries = rank(m, n), {"queries": min(QUERIES, m * n)}
    if name == "lezo":
        return [Estimator(name, lezo_by_tensor, layers=LAYERS)]
    if name == "one_sided":
        return [
            Estimator(name, build),
            Estimator(f"{name} q={QUERIES}", partial(build, **queries)),
            Estimator(f"{name} orthonormal", partial(build, **queries, orthonormal=True)),
        ]
    if "perturbation" in inspect.signature(build).parameters:
        return [Estimator(f"{name} CP", partial(build, perturbation=CP(r)))]
    ranked = "rank" in inspect.signature(build).parameters
    return [Estimator(name, partial(build, rank=r) if ranked else build)]


def lineup(asked: Sequence[Any], m: int, n: int) -> list[Estimator]:
    """The estimators asked for: recipes by name, "module:factory", "FILE.py:factory", callables.

    Recipes that are named limit the company of a user's own estimators; without any, all recipes
    are there.

    Raises ProbeError for a name of nothing, for a module or file that cannot be loaded, and for
    what is neither a name nor a factory.
    """
    given = [fspath(one) if isinstance(one, PathLike) else one for one in asked]
    texts = dict.fromkeys(one for one in given if isinstance(one, str))
    factories = {id(one): one for one in given if not isinstance(one, str)}  # some have no hash
    names = [text for text in texts if ":" not in text]
    own = [_own(one) for one in (*(t for t in texts if ":" in t), *factories.values())]
    for name in names:
        if name not in recipe_names():
            raise ProbeError(_unknown(name))
    named = dict.fromkeys(names) if names else recipe_names()
    return _distinct([*own, *(e for name in named for e in of_recipe(name, m, n))])


def _distinct(estimators: list[Estimator]) -> list[Estimator]:
    """The same with names told apart: "mine", "mine (2)"."""
    seen: Counter[str] = Counter()
    for i, estimator in enumerate(estimators):
        seen[estimator.name] += 1
        if (count := seen[estimator.name]) > 1:
            estimators[i] = replace(estimator, name=f"{estimator.name} ({count})")
    return estimators


def _own(target: Any) -> Estimator:
    if not callable(target) and not isinstance(target, str):
        raise ProbeError(
            f"{shown(target)} is no estimator to probe: give a recipe's name, MODULE:FACTORY,"
            " FILE.py:FACTORY, or a function of (parameters, seed) that makes one"
        )
    name, factory = factory_of(target)
    return Estimator(name, factory, own=True)


def factory_of(target: Any) -> tuple[str, Any]:
    """A factory and its name, of itself, of "module:factory" or of "FILE.py:factory".

    Raises ProbeError for a text that names nothing that can be called.
    """
    if callable(target):
        return getattr(target, "__name__", None) or type(target).__name__, target
    if ":" not in target:
        raise ProbeError(_unknown(target))
    place, _, name = target.rpartition(":")
    factory = getattr(_module(place), name, None)
    if not callable(factory):
        raise ProbeError(f"{place} has no factory {name!r} to call")
    return name, factory


def _module(place: str) -> ModuleType:
    if place.endswith(".py"):
        try:
            return load_module(Path(place))
        except BrokenFile as error:
            raise ProbeError(str(error)) from error
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.append(str(Path.cwd()))  # a module beside the user, as `python -m` finds it
    try:
        return importlib.import_module(place)
    except (Exception, SystemExit) as error:
        reason = f"{type(error).__name__}: {first_line(error)}"
        raise ProbeError(f"cannot import {place!r}: {reason}") from error


def _unknown(name: str) -> str:
    if name.endswith(".py"):
        return f"{name}: name the factory in it too, {name}:FACTORY"
    near = difflib.get_close_matches(name, recipe_names(), 3)
    hint = f"did you mean {' or '.join(near)}?" if near else f"they are {', '.join(recipe_names())}"
    return f"no recipe is called {name!r}; {hint}"
