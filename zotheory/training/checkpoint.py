"""What an interrupted run goes on from."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from types import FrameType
from typing import Any

import torch

from zotheory.files import replacing
from zotheory.training.setup import TrainingError


def save(path: Path, content: dict[str, Any]) -> None:
    """Write tensors and plain values so that a reader sees all of them or the old file.

    Raises:
        TrainingError: they cannot be written.
    """
    try:
        with replacing(path) as beside:
            torch.save(content, beside)
    except (OSError, RuntimeError) as error:  # what PyTorch raises on a full disk is no OSError
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
        raise TrainingError(f"cannot write {path} ({reason}); is the disk full?") from error


def load(path: Path, device: torch.device) -> dict[str, Any]:
    """Read what `save` wrote.

    Raises:
        TrainingError: the file is damaged.
    """
    try:
        return torch.load(path, map_location=device, weights_only=True)
    except Exception as error:  # a damaged file makes the unpickler raise almost anything
        raise TrainingError(f"{path} is damaged ({type(error).__name__}); delete it") from error


# Stopping between two steps when asked to, by Ctrl-C or SIGTERM.


class Stopped(Exception):
    """The run was asked to stop; what it has done is kept. `signum` is the signal that asked."""

    def __init__(self, signum: int) -> None:
        super().__init__(f"stopped by {signal.Signals(signum).name}")
        self.signum = signum


class Interruption:
    """Within this context a first signal is noted, and a second one stops at once.

    Signals reach the main thread alone; a run in another thread is not stopped by them.
    """

    def __init__(self) -> None:
        self._signum: int | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Interruption:
        if threading.current_thread() is threading.main_thread():
            for signum in (signal.SIGINT, signal.SIGTERM):
                self._before[signum] = signal.signal(signum, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for signum, handler in self._before.items():
            signal.signal(signum, handler)

    def check(self) -> None:
        """Raise Stopped if a signal has come."""
        if self._signum is not None:
            raise Stopped(self._signum)

    def _note(self, signum: int, frame: FrameType | None) -> None:
        if self._signum is not None:
            raise KeyboardInterrupt
        self._signum = signum
