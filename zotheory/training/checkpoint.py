"""What an interrupted run goes on from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from zotheory.atomic import replacing
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
