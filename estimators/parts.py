"""What a method is made of, in words: to tell one method's state and log from another's."""

from __future__ import annotations

from typing import Any


def described(part: Any) -> str:
    """Return a part's class with its numbers, "CP(interval=None, max_rank=64, ...)".

    A part may leave attributes out that do not change what it computes: `described_without`.

    Example:
        >>> from estimators.perturbations.low_rank import LowRank
        >>> described(LowRank(8, 100))
        'LowRank(interval=100, rank=8)'
    """
    left_out = getattr(part, "described_without", ())
    shown = {
        name: text
        for name, value in sorted(vars(part).items())
        if not name.startswith("_") and name not in left_out and (text := _value(value))
    }
    return f"{type(part).__name__}({', '.join(f'{name}={text}' for name, text in shown.items())})"


def _value(value: Any) -> str:
    if value is None or isinstance(value, bool | int | float | str):
        return repr(value)
    return described(value) if type(value).__module__.startswith("estimators.") else ""
