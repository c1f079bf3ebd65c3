"""Finished batches of a gradient study on disk, so that a killed run goes on where it stopped.

The weights are kept after every fifth batch only, since writing them takes longer than half a step;
a run that was killed repeats the batches since then. The last batch leaves no weights: its results
end the study. All files appear by an atomic rename.
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from filelock import FileLock
from safetensors.torch import load_file, save_file
from torch import nn

WEIGHTS_EVERY = 5  # batches


def fingerprint(model: nn.Module, settings: Mapping[str, object]) -> str:
    """A study's name: a digest of the model's weights and all settings that change numbers."""
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for name, parameter in model.named_parameters():
        digest.update(name.encode())
        digest.update(parameter.detach().contiguous().numpy().data)
    return digest.hexdigest()[:24]


class Scratch:
    """Folder of one study inside ``root``, or inside a temporary folder that goes at the end."""

    def __init__(self, root: Path | None, name: str, batches: int) -> None:
        self._temporary = None
        if root is None:
            self._temporary = tempfile.TemporaryDirectory()
            root = Path(self._temporary.name)
        self.folder = Path(root) / name
        self.folder.mkdir(parents=True, exist_ok=True)
        self.batches = batches

    def __enter__(self) -> "Scratch":
        # Two processes in one folder would write over each other's unfinished files.
        self._lock = FileLock(self.folder / "lock")
        self._lock.acquire()
        return self

    def __exit__(self, *_: object) -> None:
        self._lock.release()
        if self._temporary is not None:
            self._temporary.cleanup()

    def restore(self, model: nn.Module) -> int:
        """Load the newest weights into ``model``; returns the number of batches before them."""
        if self._result(self.batches - 1).exists():
            return self.batches
        kept = max(self.folder.glob("weights-*.safetensors"), default=None)
        if kept is None:
            return 0
        saved = load_file(kept)
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                parameter.copy_(saved[name])
        return int(kept.stem.removeprefix("weights-"))

    def directions(self, places: Mapping[str, tuple[int, int]]) -> np.ndarray:
        """The normalised gradients on disk, one row a batch: float32, (batches, entries)."""
        path = self.folder / "directions.npy"
        if not path.exists():
            shape = (self.batches, max(end for _, end in places.values()))
            part = self.folder / "part"
            np.lib.format.open_memmap(part, mode="w+", dtype=np.float32, shape=shape)
            os.replace(part, path)
        return np.load(path, mmap_mode="r+")

    def finish(self, t: int, measured: Mapping[str, np.ndarray], model: nn.Module) -> None:
        """Keep what batch ``t`` gave and, in their turn, the weights after it."""
        part = self.folder / "part"
        with part.open("wb") as file:
            np.savez(file, allow_pickle=True, **measured)
        os.replace(part, self._result(t))
        if (t + 1) % WEIGHTS_EVERY == 0 and t + 1 < self.batches:
            save_file({name: p.detach() for name, p in model.named_parameters()}, part)
            os.replace(part, self._weights(t + 1))
            self._weights(t + 1 - WEIGHTS_EVERY).unlink(missing_ok=True)

    def results(self) -> list[dict[str, np.ndarray]]:
        """What each batch gave, in order; the weights and gradients kept on the way are deleted."""
        found = []
        for t in range(self.batches):
            with np.load(self._result(t)) as arrays:
                found.append(dict(arrays))
        for bulky in [self.folder / "directions.npy", *self.folder.glob("weights-*")]:
            bulky.unlink(missing_ok=True)
        return found

    def _result(self, t: int) -> Path:
        return self.folder / f"batch-{t:05}.npz"

    def _weights(self, t: int) -> Path:
        return self.folder / f"weights-{t:05}.safetensors"
