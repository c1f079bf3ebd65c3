"""Rows of training with made-up courses."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from zotheory.evidence.trained import rate
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
    for method, pace in METHODS.items():
        for seed in range(seeds):
            row = _row(method, seed, pace + 0.01 * seed)
            (folder / f"{method}-{seed}.json").write_text(dump(row))
            rows[method, seed] = row
    return rows


def rate_row(
    lr: float | str, losses: list[float], method: str = "mezo", diverged: bool = False, **more
) -> dict:
    """A run of 10 steps and 20 passes a loss, as `zotheory.training.rates` keeps it."""
    history = [
        {"step": 10 * i, "passes": 20 * i, "loss": loss, "accuracy": 0.5}
        for i, loss in enumerate(losses)
    ]
    setup = Setup(method, lrs=(lr,), passes=20 * (len(losses) - 1), max_words=10).to_json()
    grid = [{"diverged": diverged}]
    steps = history[-1]["step"]
    known = {"method": method, "seed": 0, "setup": setup, "history": history, "grid": grid}
    return {**known, "steps": steps, **more}


AUTO = {"rates": [[10, 2e-6], [20, 1e-6]], "readings": [[12, 1.0, 1e6, 0.0]]}
RATES = (
    rate_row(rate(0), [8.0, 5.0, 4.0]),
    rate_row(rate(1), [8.0, 4.0, 3.0]),
    rate_row(rate(2), [8.0, 9.0], diverged=True),
    rate_row("auto", [8.0, 8.0, 4.0, 3.5], **AUTO),
    rate_row("auto", [8.0, 8.0, 4.0, 2.0], method="lezo", **AUTO),
)


def write_rates(folder: Path) -> None:
    """MeZO at three rates, and by the rule, which the file also has of LeZO."""
    (folder / "rates.jsonl").write_text("".join(map(dump, RATES)))


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
