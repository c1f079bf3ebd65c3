"""The checks by name, in the order in which they are made."""

from __future__ import annotations

from collections.abc import Callable

from zotheory.checking.result import Check, CheckError, Passed
from zotheory.checking.subject import Subject

_CHECKS: dict[str, Check] = {}


def check(
    group: str, why: str
) -> Callable[[Callable[[Subject], Passed]], Callable[[Subject], Passed]]:
    """Register a function as the check of its name. why: one sentence on why it matters."""

    def register(make: Callable[[Subject], Passed]) -> Callable[[Subject], Passed]:
        _CHECKS[make.__name__] = Check(make.__name__, group, why, make)
        return make

    return register


def checks(names: tuple[str, ...] = ()) -> list[Check]:
    """The checks of these names, or all. Raises CheckError for a name that no check has."""
    # They register themselves when they are imported.
    from zotheory.checking import (  # noqa: F401
        accounting,
        coefficient,
        direction,
        noise,
        state,
        surroundings,
        weights,
    )

    order = ("direction", "coefficient", "noise", "weights", "accounting", "state", "surroundings")
    known = sorted(_CHECKS.values(), key=lambda one: order.index(one.group))
    for name in names:
        if name not in _CHECKS:
            raise CheckError(f"no check is called {name!r}; `zotheory check --list` names them")
    return [one for one in known if not names or one.name in names]
