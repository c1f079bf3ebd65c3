"""Rows of training with made-up courses."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from zotheory.training.rows import ROW, dump
from zotheory.training.setup import Setup

METHODS = {
    "mezo": 0.2,
    "tezo": 0.21,
    "subzo": 0.22,
    "lozo": 0.2,
    "mezo_adam": 0.5,
    "tezo_adam": 0.6,
    "s_mezo": 0.4,
}
STEPS = np.arange(0, 1001, 100)


def write_rows(folder: Path, seeds: int = 2) -> dict[tuple[str, int], dict]:
    """A row a method and seed, whose loss falls to 1 at the method's rate per 100 steps."""
    rows = {}
    for method, rate in METHODS.items():
        for seed in range(seeds):
            row = _row(method, seed, rate + 0.01 * seed)
            (folder / f"{method}-{seed}.json").write_text(dump(row))
            rows[method, seed] = row
    return rows


def _row(method: str, seed: int, rate: float) -> dict:
    losses = 1 + np.exp(-rate * STEPS / 100)
    history = [
        {
            "step": int(step),
            "passes": 2 * int(step),
            "train_loss": float(loss) if step else None,
            "loss": float(loss),
            "accuracy": float(0.5 + 0.4 * (2 - loss)),
            "seconds": 0.0,
        }
        for step, loss in zip(STEPS, losses, strict=True)
    ]
    setup = Setup(method, passes=2000, seed=seed)
    return {
        "row": ROW,
        "method": method,
        "tuning": "full",
        "seed": seed,
        "command": setup.command(),
        "setup": setup.to_json(),
        "hyperparameters": {"lr": 1e-6},
        "grid": [{"lr": 1e-6}],
        "history": history,
    }
