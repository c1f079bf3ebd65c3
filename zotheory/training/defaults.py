"""Default budgets, learning rates and options: what the papers search, scaled to a small model."""

from __future__ import annotations

from typing import Any

PASSES = 2000

_OPTIONS: dict[str, dict[str, Any]] = {
    "full": {},
    "lora": {"eps": 1e-2, "rank": 4},  # LeZO, Table 5; SVD-0, App. A.6
    "prefix": {"eps": 1e-1, "rank": 4},
}
_GRIDS: dict[str, dict[str, tuple[float, ...]]] = {
    "full": {"ft_sgd": (1e-4, 1e-3, 5e-3), "ft_adam": (1e-5, 5e-5, 8e-5)},
    "lora": {},
    "prefix": {},
}


def options(tuning: str) -> dict[str, Any]:
    """Options that adapters need other values of; a rank cannot exceed an adapter's."""
    return _OPTIONS[tuning]


def grid(method: str, tuning: str) -> tuple[float, ...]:
    """Learning rates to try."""
    return _GRIDS[tuning].get(method, (1e-7, 1e-6))
