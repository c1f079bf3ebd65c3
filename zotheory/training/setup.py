"""What a run is asked for."""

from __future__ import annotations

import json
import math
import shlex
from dataclasses import asdict, dataclass, fields
from typing import Any

from zotheory.budget import OWN_MODEL

TUNINGS = ("full", "lora", "prefix")
LOSSES = ("vocabulary", "label_words")
DTYPES = ("float32", "bfloat16")


class TrainingError(ValueError):
    """A run that cannot be made; the message says in one line why."""


@dataclass(frozen=True)
class Setup:
    """What a run depends on: the same values give the same row, apart from seconds.

    Attributes:
        method: a recipe of `estimators`, or a reference (see `zotheory.training.methods`).
        model: the causal LM: a name, a folder or a file.
        task: "reviews", or a file with a label, a tab and a sentence on each line.
        tuning: which weights are trained: "full", "lora" or "prefix".
        lrs: learning rates to try; the one with the best validation loss is reported.
        options: of the method, as pairs of a name and a value.
        loss: cross-entropy over the whole "vocabulary" or the two "label_words".
        passes: the budget in forward passes over a batch; a backward pass counts as two.
        steps: the budget in steps. Of two budgets, the one spent first ends the run.
        batch_size: sentences in a training batch.
        evaluate_every: steps between evaluations; by default there is one at every tenth of the
            budget. The run also evaluates before the first step and after the last.
        train, validation, test: sentences in each part of the text.
        max_tokens: leave out sentences whose prompt is longer.
        dtype, device: what the model is held in and where.
        seed: of the split, the order of the batches and all noise.
    """

    method: str
    model: str = OWN_MODEL
    task: str = "reviews"
    tuning: str = "full"
    lrs: tuple[float, ...] = ()
    options: tuple[tuple[str, Any], ...] = ()
    loss: str = "vocabulary"
    passes: int | None = None
    steps: int | None = None
    batch_size: int = 16
    evaluate_every: int | None = None
    train: int = 1000
    validation: int = 500
    test: int = 1000
    max_tokens: int | None = None
    dtype: str = "float32"
    device: str = "cpu"
    seed: int = 0

    def __post_init__(self) -> None:
        for name, known in (("tuning", TUNINGS), ("loss", LOSSES), ("dtype", DTYPES)):
            if getattr(self, name) not in known:
                raise TrainingError(f"{name} is one of {', '.join(known)}, got {self._told(name)}")
        for name in ("passes", "steps", "batch_size", "evaluate_every", "max_tokens"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise TrainingError(f"{name} must be at least 1, got {value}")
        for name in ("train", "validation", "test"):
            if getattr(self, name) < 1:
                raise TrainingError(f"{name} needs at least 1 sentence, got {self._told(name)}")
        for lr in self.lrs:
            if not 0.0 < lr < math.inf:
                raise TrainingError(f"a learning rate is positive and finite, got {lr}")
        if len(set(self.lrs)) < len(self.lrs):
            raise TrainingError("the learning rates must differ")

    def _told(self, name: str) -> str:
        return repr(getattr(self, name))

    def to_json(self) -> dict[str, Any]:
        """The setup as plain JSON values."""
        return json.loads(json.dumps(asdict(self)))

    def command(self) -> str:
        """The command line that asks for this run."""
        words = ["zotheory", "train", "--method", self.method]
        for lr in self.lrs:
            words += ["--lr", repr(lr)]
        for name, value in self.options:
            words += ["--set", f"{name}={value}"]
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name in ("method", "lrs", "options"):
                continue
            if value != field.default or field.name in ("device", "seed"):
                words += [f"--{field.name.replace('_', '-')}", str(value)]
        return shlex.join(words)
