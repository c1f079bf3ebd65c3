"""The checks by name."""

from __future__ import annotations

from collections.abc import Callable

from zotheory.checking.result import Check, Passed
from zotheory.checking.subject import Subject

CHECKS: dict[str, Check] = {}


def check(
    group: str, why: str
) -> Callable[[Callable[[Subject], Passed]], Callable[[Subject], Passed]]:
    """Register a function as the check of its name. why: one sentence on why it matters."""

    def register(make: Callable[[Subject], Passed]) -> Callable[[Subject], Passed]:
        CHECKS[make.__name__] = Check(make.__name__, group, why, make)
        return make

    return register
