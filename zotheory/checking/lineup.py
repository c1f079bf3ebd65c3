"""Who is checked: our recipes, and implementations of others."""

from __future__ import annotations

from functools import partial
from typing import Any

import estimators
from estimators import CP
from zotheory.arguments import shown
from zotheory.checking.result import CheckError
from zotheory.checking.subject import Subject
from zotheory.probing.lineup import factory_of, recipe_names
from zotheory.probing.objectives import ProbeError

RANK, INTERVAL = 2, 3  # of low-rank recipes on the small model
_SMALL: dict[str, dict[str, Any]] = {
    **{name: {"rank": RANK} for name in ("tezo", "tezo_m", "tezo_adam")},
    **{
        name: {"rank": RANK, "interval": INTERVAL}
        for name in ("lozo", "lozo_m", "subzo", "svd0", "svd0_adam", "subzo_gv", "subzo_greedy")
    },
    "one_sided": {"queries": 3},
    "zo_adamu": {"horizon": 20},
    "hizoo": {"smoothing": 1e-3},
}


def of_recipe(name: str, *, apply: str = "inplace", seed: int = 0, card: Any = None) -> Subject:
    """A recipe with a rank and an interval that suit the small model."""
    options: dict[str, Any] = {"apply": apply, **_SMALL.get(name, {})}
    if name == "s_mezo" and apply == "forward":
        options["implementation"] = "forward"
    if name in ("with_guiding_vector", "with_greedy"):
        options["perturbation"] = CP(RANK)
    build = partial(getattr(estimators, name), **options)
    label = name if apply == "inplace" else f"{name} ({apply})"
    return Subject(label, build, seed=seed, card=card, takes_both=True, recipe=name)


def subject_of(target: Any, *, seed: int = 0, card: Any = None, lr: float = 1e-2) -> Subject:
    """What is checked: a recipe's name, MODULE:FACTORY, FILE.py:FACTORY, or a factory.

    Raises CheckError for what is none of these.
    """
    if isinstance(target, Subject):
        return target
    if isinstance(target, str) and ":" not in target and target in recipe_names():
        return of_recipe(target, seed=seed, card=card)
    if not callable(target) and not isinstance(target, str):
        raise CheckError(
            f"{shown(target)} is nothing to check: give a recipe's name, MODULE:FACTORY,"
            " FILE.py:FACTORY, or a factory"
        )
    try:
        name, factory = factory_of(target)
    except ProbeError as error:
        raise CheckError(str(error)) from error
    if factory in (getattr(estimators, recipe) for recipe in recipe_names()):
        return of_recipe(name, seed=seed, card=card)
    return Subject(name, factory, lr=lr, seed=seed, card=card)
