"""A run's result as one JSON row, with what is needed to make it again."""

from __future__ import annotations

import json
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from zotheory.arguments import as_path, flat
from zotheory.files import read_json
from zotheory.ledger import plain, versions
from zotheory.training.setup import Setup, TrainingError

ROW = 1  # the schema's version, under the key "row"; what has no such key is no row
_VERSIONED = ("zotheory", "numpy", "torch", "transformers")
_ROOT = Path(__file__).parents[2]


def describe(setup: Setup, device: torch.device) -> dict[str, Any]:
    """What a row says of the run besides its numbers."""
    found = {name: number for name, number in versions().items() if name in _VERSIONED}
    if setup.tuning != "full":
        found["peft"] = version("peft")
    return {
        "row": ROW,
        "method": setup.method,
        "tuning": setup.tuning,
        "seed": setup.seed,
        "command": setup.command(),
        "machine": machine(device),
        "threads": torch.get_num_threads(),
        "versions": found | {"python": platform.python_version()},
        "setup": setup.to_json(),
    }


def machine(device: torch.device) -> str:
    """The name of the GPU or the CPU."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if "model name" in line)
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def commit() -> str:
    """The commit of the toolkit's own repository, "+" if its code differs, "" if there is none."""
    own = str(Path(__file__).relative_to(_ROOT))
    if _git("ls-files", "--error-unmatch", own) is None:
        return ""
    found = (_git("rev-parse", "--short=12", "HEAD") or "").strip()
    changed = _git("status", "--porcelain", "--", "estimators", "zotheory")
    return f"{found}+" if changed else found


def _git(*arguments: str) -> str | None:
    try:
        ran = subprocess.run(["git", "-C", str(_ROOT), *arguments], capture_output=True, text=True)
    except OSError:
        return None
    return ran.stdout if ran.returncode == 0 else None


def dump(row: dict[str, Any]) -> str:
    """The row as one line of JSON."""
    return json.dumps(plain(row), ensure_ascii=False) + "\n"


def read_rows(places: Any) -> list[dict[str, Any]]:
    """All rows in a file or several, and in all JSON files under folders.

    Raises:
        TrainingError: a place is missing, a JSON file is damaged, or a file holds no row.
    """
    rows = []
    for place in (as_path("a place of rows", given, TrainingError) for given in flat(places)):
        paths = sorted(place.rglob("*.json")) if place.is_dir() else [place]
        found = [row for path in paths for row in _read(path)]
        if not found:
            raise TrainingError(f"{place} holds no row of `zotheory train`")
        rows += found
    return rows


def _read(path: Path) -> list[dict[str, Any]]:
    """The row of a file, or nothing if it holds something else."""
    try:
        found = read_json(path)
    except OSError as error:
        raise TrainingError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise TrainingError(f"{path} is damaged: {error}") from error
    return [found] if isinstance(found, dict) and found.get("row") == ROW else []
