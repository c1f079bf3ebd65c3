"""What worker processes say of their progress, told in the process that a person looks at."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread

_EVERY = 0.5  # seconds


class Relay:
    """Within this context the newest line that a worker has said is told, twice a second.

    Workers say lines by appending to one file, `path`.
    """

    def __init__(self, path: Path, tell: Callable[[str], None]) -> None:
        self._path, self._tell = path, tell
        self._over = Event()
        self._listener = Thread(target=self._listen, daemon=True)

    def __enter__(self) -> Relay:
        self._path.write_text("", encoding="utf-8")
        self._listener.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._listener.join()

    def _listen(self) -> None:
        with self._path.open(encoding="utf-8") as said:
            while not self._over.wait(_EVERY):
                lines = said.read().splitlines()
                if lines:
                    self._tell(lines[-1])


def say(path: Path, words: str) -> None:
    """Say a line from a worker to the relay at `path`."""
    with path.open("a", encoding="utf-8") as file:
        file.write(words + "\n")
