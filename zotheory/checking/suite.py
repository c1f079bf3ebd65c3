"""All checks: they register themselves when they are imported, here."""

from __future__ import annotations

from zotheory.checking import (  # noqa: F401
    accounting,
    coefficient,
    direction,
    noise,
    ranks,
    state,
    surroundings,
    weights,
)
from zotheory.checking.registry import CHECKS
from zotheory.checking.result import Check, CheckError

_ORDER = ("direction", "coefficient", "noise", "weights", "accounting", "state", "surroundings")


def checks(names: tuple[str, ...] = ()) -> list[Check]:
    """The checks of these names, or all, in the order in which they are made.

    Raises CheckError for a name that no check has.
    """
    for name in names:
        if name not in CHECKS:
            raise CheckError(f"no check is called {name!r}; `zotheory check --list` names them")
    chosen = [one for one in CHECKS.values() if not names or one.name in names]
    return sorted(chosen, key=lambda one: _ORDER.index(one.group))
