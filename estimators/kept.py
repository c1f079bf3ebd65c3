"""Attributes that are made when they are first asked for, without a lock.

Until Python 3.12 that of `functools.cached_property` is one for all instances, and an interrupt at
the wrong moment leaves it taken: the next thread to ask would wait for ever.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class kept(Generic[T]):
    """`property`, made once an instance."""

    def __init__(self, make: Callable[[Any], T]) -> None:
        self.make = make
        self.__doc__ = make.__doc__

    def __get__(self, instance: Any, owner: type | None = None) -> T:
        if instance is None:
            raise AttributeError(f"{self.make.__name__} is made for an instance")
        found = self.make(instance)
        instance.__dict__[self.make.__name__] = found
        return found
