"""How the package's objects show themselves in a notebook: what draws them is registered here.

Claims and ledgers stand below the report, which knows them; they name no module of it.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_DRAWN_BY: dict[str, str] = {}


def register(**drawn_by: str) -> None:
    """Name the function, as ``package.module:function``, that draws objects of each class."""
    _DRAWN_BY.update(drawn_by)


def as_html(shown: Any) -> str:
    """An object as a notebook shows it. Raises LookupError for a class that nothing draws."""
    name = type(shown).__name__
    if name not in _DRAWN_BY:
        raise LookupError(f"nothing is registered that draws a {name}")
    module, _, function = _DRAWN_BY[name].partition(":")
    return getattr(import_module(module), function)(shown)
