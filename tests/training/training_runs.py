"""Runs in this process, stopped wherever a test likes."""

import signal
from pathlib import Path

import torch

from zotheory.model.reviews import Split
from zotheory.training.checkpoint import Interruption, Stopped
from zotheory.training.methods import complete
from zotheory.training.model import device, dtype, load, prepare, trainable
from zotheory.training.objective import Objective, make_split
from zotheory.training.setup import Setup
from zotheory.training.trial import Trial
from zotheory.training.watch import Watch


class After(Interruption):
    """Is asked to stop at the given number of checks."""

    def __init__(self, checks: int) -> None:
        super().__init__()
        self.left = checks

    def check(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise Stopped(signal.SIGTERM)


def objective(setup: Setup) -> tuple[Objective, Split]:
    """A fresh model for a setup, and its text."""
    plain = load(setup)
    text = make_split(setup, plain.tokenizer)
    prepared = prepare(plain, setup, text.train[:2])
    return Objective(prepared, setup.loss, device(setup), dtype(setup)), text


def trial(setup: Setup, folder: Path, lr: float | None = None) -> Trial:
    """A trial with the first learning rate of a setup, or with another."""
    setup = complete(setup)
    fresh, text = objective(setup)
    return Trial(setup, setup.lrs[0] if lr is None else lr, text, fresh, folder)


def finish(made: Trial, interruption: Interruption | None = None) -> list[torch.Tensor]:
    """Run a trial to its end; returns copies of the trained weights."""
    made.run(Watch(), interruption or Interruption())
    return weights(made)


def weights(made: Trial) -> list[torch.Tensor]:
    """Copies of the trained weights."""
    return [tensor.clone() for tensor in trainable(made.model).values()]


def equal(left: list[torch.Tensor], right: list[torch.Tensor]) -> bool:
    """Whether two lists of tensors are equal bit for bit."""
    return all(torch.equal(a, b) for a, b in zip(left, right, strict=True))
