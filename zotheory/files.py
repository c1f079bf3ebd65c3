"""Files of a user's own: Python that is loaded by path, text and JSON."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import cloudpickle


class BrokenFile(Exception):
    """A Python file that is missing or raises when it is loaded."""


def read_text(path: Path) -> str:
    """A file's text in UTF-8, without the byte order mark that some editors put before it.

    Raises OSError and UnicodeDecodeError.
    """
    return path.read_text(encoding="utf-8-sig")


def read_json(path: Path) -> Any:
    """What a JSON file holds, with or without a byte order mark.

    Raises OSError, and ValueError for a file that is empty or something else.
    """
    text = read_text(path)
    if not text.strip():
        raise ValueError("it is empty")
    return json.loads(text)


def load_module(path: Path) -> ModuleType:
    """Run a Python file as a module that worker processes can take too.

    Raises:
        BrokenFile: the file is missing or raises; the message names the line.
    """
    if not path.is_file():
        raise BrokenFile(f"no file {path}")
    spec = importlib.util.spec_from_file_location(f"file_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise BrokenFile(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    cloudpickle.register_pickle_by_value(module)  # workers cannot import it by name
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise BrokenFile(f"{path}: {_where(error, path)}") from error
    return module


def _where(error: BaseException, path: Path) -> str:
    """Type, message and line of what a file raised, in one line."""
    if isinstance(error, SyntaxError):
        return f"line {error.lineno}: {error.msg}"
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if Path(frame.filename) == path.absolute()]
    place = f"line {lines[-1]}: " if lines else ""
    return f"{place}{type(error).__name__}: {first_line(error)}"


def first_line(error: BaseException) -> str:
    """The first line of an error's message, or nothing."""
    return str(error).strip().split("\n")[0]


# Files that appear whole or not at all.


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a path beside `path` to write to; the file takes the place of `path` at the end.

    Whatever happens in between, `path` is the old file or the new one. If the block raises, the
    new one goes.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield beside
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write a file (text as UTF-8) so that a reader sees all of it or none."""
    with replacing(path) as beside:
        beside.write_bytes(content.encode() if isinstance(content, str) else content)
