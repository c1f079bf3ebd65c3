"""Figures of `zotheory figures`, read back from their files to stand in the ledger's page."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

from zotheory.arguments import as_path
from zotheory.ledger import LedgerError


@dataclass(frozen=True)
class Drawn:
    """A figure: its name, title and caption, the claims with the verdicts it shows, its picture.

    source: the PNG as a data URI. width, height: in pixels.
    """

    name: str
    title: str
    caption: str
    verdicts: Mapping[str, str]
    source: str
    width: int
    height: int

    @property
    def paper(self) -> str:
        """The paper whose figure it is."""
        return self.name.partition("_")[0]

    @property
    def paragraphs(self) -> list[str]:
        """The caption's."""
        return [" ".join(paragraph.split()) for paragraph in self.caption.split("\n\n")]


def read_pictures(folder: str | PathLike[str]) -> list[Drawn]:
    """The figures in a folder, by name; other PNG files there are left out.

    Raises:
        LedgerError: the folder or a picture in it cannot be read, or it holds no figure.
    """
    folder = as_path("figures", folder, LedgerError)
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix == ".png")
        found = [picture for path in paths if (picture := _read(path))]
    except OSError as error:  # what is no picture is one, too
        raise LedgerError(f"cannot read {folder}: {error.strerror or error}") from error
    if not found:
        raise LedgerError(f"{folder} holds no figure of `zotheory figures`")
    return found


def _read(path: Path) -> Drawn | None:
    from PIL import Image

    with Image.open(path) as image:
        told, (width, height) = dict(image.info), image.size
    if not {"Title", "Description", "Claims"} <= told.keys():
        return None
    return Drawn(
        path.stem,
        told["Title"],
        told["Description"],
        json.loads(told["Claims"]),
        "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode(),
        width,
        height,
    )


def check_verdicts(pictures: Iterable[Drawn], claims: Iterable[Mapping[str, Any]]) -> None:
    """Raise LedgerError if a figure shows a verdict that the ledger's entries do not have."""
    verdicts = {claim["id"]: claim["verdict"] for claim in claims}
    for picture in pictures:
        for name, verdict in picture.verdicts.items():
            if verdicts.get(name, verdict) != verdict:
                raise LedgerError(
                    f"figure {picture.name} was drawn from another ledger: {name} is {verdict}"
                    f" there, {verdicts[name]} here"
                )
