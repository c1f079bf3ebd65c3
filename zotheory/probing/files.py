"""What a probe found, written to a file: its frame or its plot, by the suffix."""

from __future__ import annotations

from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from zotheory.arguments import as_path
from zotheory.probing.objectives import ProbeError

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


class Found(Protocol):
    """What has a frame and a plot."""

    def frame(self) -> pd.DataFrame: ...

    def plot(self, ax: Axes | None = None) -> Axes: ...


def write(found: Found, path: str | PathLike[str]) -> None:
    """Write the frame (.csv, .json) or the plot (.png, .svg, .pdf).

    Raises ProbeError for another suffix, or if the file cannot be written.
    """
    path = as_path("path", path, ProbeError)
    way = _way(path)
    try:
        way(found, path)
    except OSError as error:
        raise ProbeError(f"cannot write {path}: {error.strerror or error}") from error


def check_file(path: Path) -> None:
    """Raise ProbeError where `write` could not: before the work, not after it."""
    _way(path)
    if not path.parent.is_dir():
        raise ProbeError(f"cannot write {path}: there is no folder {path.parent}")


def check_axes(ax: Any) -> None:
    """Raise ProbeError for what is neither None nor one Axes of Matplotlib."""
    from matplotlib.axes import Axes

    if not isinstance(ax, Axes | None):
        raise ProbeError(f"ax must be one Axes of Matplotlib, got {type(ax).__name__}")


def _way(path: Path) -> Callable[[Found, Path], Any]:
    if path.suffix not in _WAYS:
        raise ProbeError(f"cannot write {path}; suffixes are {', '.join(_WAYS)}")
    return _WAYS[path.suffix]


def _draw(found: Found, path: Path) -> None:
    import matplotlib.pyplot as plt

    figure = cast("Figure", found.plot().figure)
    figure.savefig(path, dpi=150, bbox_inches="tight")
    plt.close(figure)


_WAYS: dict[str, Callable[[Found, Path], Any]] = {
    ".csv": lambda found, path: found.frame().to_csv(path, index=False),
    ".json": lambda found, path: found.frame().to_json(path, orient="records", indent=1),
    ".png": _draw,
    ".svg": _draw,
    ".pdf": _draw,
}
