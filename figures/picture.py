"""A figure as data, and how it is written: PDF, PNG and the caption beside them."""

from __future__ import annotations

import io
import json
import textwrap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from errno import ENOTDIR
from importlib import import_module
from os import PathLike, strerror
from pathlib import Path
from pkgutil import iter_modules

from matplotlib.figure import Figure

import figures
from figures import style
from figures.data import Data
from zotheory.arguments import as_path, flat
from zotheory.files import write_atomically
from zotheory.ledger import recorded
from zotheory.papers import ROOMS
from zotheory.vocabulary import MARK, MARK_MEANS

NOTEBOOK_DPI = 130


class UnknownPicture(Exception):
    """No figure of this name."""


@dataclass(frozen=True)
class Picture:
    """One figure: the claims that it shows, and `draw(data)`, which returns it with its caption.

    The caption says what is shown, with sample sizes; the claims with their verdicts are added to
    it from the ledger.
    """

    name: str
    title: str
    claims: tuple[str, ...]
    draw: Callable[[Data], tuple[Figure, str]] = field(repr=False)

    def _repr_png_(self) -> bytes:
        """As a notebook shows it: of the recorded ledger, small, in few colours."""
        from PIL import Image

        drawn, small = io.BytesIO(), io.BytesIO()
        with style.applied():
            self.draw(Data(recorded()))[0].savefig(drawn, format="png", dpi=NOTEBOOK_DPI)
        Image.open(drawn).convert("RGB").quantize(64).save(small, "PNG", optimize=True)
        return small.getvalue()

    def write(self, data: Data, folder: str | PathLike[str]) -> list[Path]:
        """Write NAME.txt, NAME.pdf and NAME.png, which holds the caption and verdicts, too.

        Raises MissingData if the ledger lacks something, OSError if the folder cannot be written.
        """
        folder = as_path("folder", folder)
        if folder.exists() and not folder.is_dir():
            raise NotADirectoryError(ENOTDIR, strerror(ENOTDIR), str(folder))
        verdicts = [judgement(data, name) for name in self.claims]  # before any work
        if any(MARK in data.claim(name).marked for name in self.claims):
            verdicts.append(f"{MARK_MEANS}, as said.")
        with style.applied():
            figure, shown = self.draw(data)
            text = caption(f"{self.title}. {shown}", verdicts, data)
            files: dict[str, bytes | str] = {"txt": text}
            for kind, metadata in self._metadata(text, data).items():
                drawn = io.BytesIO()
                figure.savefig(drawn, format=kind, metadata=metadata)
                files[kind] = drawn.getvalue()
        folder.mkdir(parents=True, exist_ok=True)
        paths = [folder / f"{self.name}.{kind}" for kind in files]
        for path, content in zip(paths, files.values(), strict=True):
            write_atomically(path, content)
        return paths

    def _metadata(self, text: str, data: Data) -> dict[str, dict[str, str | None]]:
        """What the files say of themselves: the same numbers give the same files."""
        verdicts = json.dumps({name: data.claim(name).verdict for name in self.claims})
        return {
            "pdf": {"CreationDate": None},
            "png": {"Title": self.title, "Description": text, "Claims": verdicts},
        }


def judgement(data: Data, name: str) -> str:
    """What the ledger says of one claim, and of its correction if there is one."""
    entry = data.claim(name)
    text = f"{name} ({entry.where}), {entry.told}: {entry.says}"
    if found := entry.correction:
        text += f" Correction, {found.brief}: {found.says}"
    return text


def caption(shown: str, verdicts: list[str], data: Data) -> str:
    """The caption's text: what is shown, a paragraph a claim, the ledger's seed and budget."""
    ledger = data.ledger
    end = f"Ledger: seed {ledger.seed}, budget {ledger.budget}; figure: budget {data.budget}."
    paragraphs = [*shown.split("\n\n"), *verdicts, end]
    return (
        "\n\n".join(
            textwrap.fill(" ".join(p.split()), 96, break_on_hyphens=False) for p in paragraphs
        )
        + "\n"
    )


def names() -> list[str]:
    """The figures that there are: the modules here that are named after a paper."""
    modules = [m.name for m in iter_modules(figures.__path__)]
    return [name for paper in ROOMS for name in modules if name.startswith(f"{paper}_")]


def pictures(wanted: str | Sequence[str]) -> Iterator[Picture]:
    """The figures of these names, all for none. Raises UnknownPicture before the first."""
    known, wanted = names(), list(flat(wanted))
    for name in wanted:
        if name not in known:
            raise UnknownPicture(f"no figure {name!r}; `zotheory figures --list` names all")
    return (import_module(f"figures.{name}").PICTURE for name in wanted or known)
