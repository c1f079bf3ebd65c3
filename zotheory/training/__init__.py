"""Fine-tuning by the papers' protocol: any recipe of `estimators`, and what it is compared with.

>>> from pathlib import Path
>>> from zotheory.training import Setup, train
>>> row = train(Setup("tezo_adam", passes=400), Path("out/tezo_adam"))
>>> row["test"]["accuracy"]
"""

from typing import Any

from zotheory.training.setup import Setup, TrainingError

__all__ = ["Setup", "TrainingError", "train"]


def __getattr__(name: str) -> Any:
    if name != "train":  # it needs PyTorch, which the command line does without
        raise AttributeError(f"module 'zotheory.training' has no attribute {name!r}")
    from zotheory.training.run import train

    return train
