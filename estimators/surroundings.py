"""What PyTorch is set to around a step: the closure gets it, nothing of ours depends on it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import torch


class Surroundings:
    """Autocast and inference mode as they are where a step is called.

    Both are off while noise is made and weights are written: autocast would round factors, and
    what is written in inference mode could not be written outside of it. The closure runs with
    both as they were. Autocast keeps its casts of the weights while a context is open, so they
    are forgotten whenever the weights have moved.
    """

    def __init__(self, devices: Iterable[str]) -> None:
        self._cast = [d for d in {"cpu", *devices} - {"meta"} if torch.is_autocast_enabled(d)]
        self._inference = torch.is_inference_mode_enabled()

    @contextmanager
    def left(self) -> Iterator[None]:
        """Leave them for the time of a step."""
        with torch.inference_mode(False) if self._inference else nullcontext(), torch.no_grad():
            self._set(False)
            try:
                yield
            finally:
                torch.clear_autocast_cache()
                self._set(True)

    def call(self, closure: Callable[[], Any]) -> Any:
        """Return what the closure returns in them."""
        torch.clear_autocast_cache()
        self._set(True)
        try:
            with torch.inference_mode() if self._inference else nullcontext():
                return closure()
        finally:
            self._set(False)

    def _set(self, enabled: bool) -> None:
        for device in self._cast:
            torch.set_autocast_enabled(device, enabled)
