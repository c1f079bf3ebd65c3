"""The ledger as one HTML file that needs nothing beside it: no network, no second file."""

from __future__ import annotations

import base64
import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from os import PathLike
from pathlib import Path

import jinja2
from markupsafe import Markup
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from zotheory.arguments import as_path
from zotheory.files import write_atomically
from zotheory.ledger import Entry, Ledger, LedgerError
from zotheory.papers import title
from zotheory.papers.consequences import standing
from zotheory.report.description import MEANING, OTHER_SETTING, SOURCE, Description, describe
from zotheory.report.formulas import relations
from zotheory.vocabulary import Kind, Verdict


@dataclass(frozen=True)
class Paper:
    """A paper's claims under its title; `short` is the title's part before a colon."""

    name: str
    title: str
    claims: tuple[Description, ...]

    @property
    def short(self) -> str:
        """A name for lists."""
        return self.title.partition(":")[0] if ":" in self.title else self.name

    @property
    def counts(self) -> dict[Verdict, int]:
        """How many claims have each verdict, in the order of `Verdict`."""
        return counts(claim.verdict for claim in self.claims)


def write_page(ledger: Ledger, path: str | PathLike[str], pictures: Sequence[Drawn] = ()) -> None:
    """Write the page of a ledger, whole or not at all."""
    write_atomically(as_path("the page's file", path), page(ledger, pictures))


def page(ledger: Ledger, pictures: Sequence[Drawn] = ()) -> str:
    """The HTML of a ledger: summary by paper, filters, and every claim with all its sections.

    Figures stand behind the claims of their paper. Raises LedgerError if one shows other verdicts.
    """
    check_verdicts(pictures, ledger.claims)
    claims = [describe(entry) for entry in ledger.claims]
    style, script = asset("claim.css") + asset("page.css"), asset("page.js")
    return (
        templates()
        .get_template("page.html.j2")
        .render(
            ledger=ledger,
            claims=claims,
            counts=counts(claim.verdict for claim in claims),
            papers=_papers(claims),
            filters=_filters(claims),
            meanings=MEANING,
            sources=SOURCE,
            other_setting=OTHER_SETTING,
            consequences=standing(ledger),
            pictures=pictures,
            style=style,
            script=script,
            script_hash=_digest(f"\n{script}"),
        )
    )


def _papers(claims: Sequence[Description]) -> list[Paper]:
    names = dict.fromkeys(claim.paper for claim in claims)
    return [Paper(name, title(name), tuple(c for c in claims if c.paper == name)) for name in names]


def _filters(claims: Sequence[Description]) -> list[tuple[str, str, list[tuple[str, str, int]]]]:
    """Field name, legend, and the choices that occur, their words and their numbers of claims."""
    kinds = Counter(kind for claim in claims for kind in set(claim.kinds))
    papers = Counter(claim.paper for claim in claims)
    verdicts = counts(claim.verdict for claim in claims)
    return [
        ("verdict", "Verdict", [(v, v.word, n) for v, n in verdicts.items() if n]),
        ("kind", "Evidence", [(k, k, kinds[k]) for k in map(str, Kind) if kinds[k]]),
        ("paper", "Paper", [(name, name, n) for name, n in papers.items()]),
    ]


@cache
def asset(name: str) -> str:
    """A style sheet or script of the page."""
    return (HERE / name).read_text(encoding="utf-8")


def _digest(script: str) -> str:
    """What the page's content policy names its one script by: nothing else on it can run."""
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


# The templates' environment, and what the page and the tables in a notebook both count.


HERE = Path(__file__).parent


def counts(verdicts: Iterable[Verdict]) -> dict[Verdict, int]:
    """How often each verdict occurs, in the order of `Verdict`."""
    found = Counter(verdicts)
    return {verdict: found[verdict] for verdict in Verdict}


@cache
def templates() -> jinja2.Environment:
    """The environment: everything escaped, a missing name an error."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"relations": relations, "highlighted": _highlighted}
    return environment


@cache
def _highlighted(code: str) -> Markup:
    """A program with its words marked for colouring; its text stays what it is."""
    lexer = PythonLexer(stripnl=False, ensurenl=False)
    return Markup(highlight(code, lexer, HtmlFormatter(nowrap=True)))


# Figures of `zotheory figures`, read back from their files to stand in the ledger's page.


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
        """The caption's: what is shown, then one a claim, then which ledger it is."""
        return [" ".join(paragraph.split()) for paragraph in self.caption.split("\n\n")]

    @property
    def led(self) -> list[tuple[str, str]]:
        """The same, each parted from what it begins with: its title, a claim's id, or nothing."""
        leads = (f"{self.title}.", *self.verdicts)
        return [self._parted(paragraph, leads) for paragraph in self.paragraphs]

    @staticmethod
    def _parted(paragraph: str, leads: Sequence[str]) -> tuple[str, str]:
        lead = next((lead for lead in leads if paragraph.startswith(f"{lead} ")), "")
        return lead, paragraph.removeprefix(lead)


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


def check_verdicts(pictures: Iterable[Drawn], claims: Iterable[Entry]) -> None:
    """Raise LedgerError if a figure shows a verdict that the ledger's entries do not have."""
    verdicts = {entry.id: entry.verdict for entry in claims}
    for picture in pictures:
        for name, verdict in picture.verdicts.items():
            if verdicts.get(name, verdict) != verdict:
                raise LedgerError(
                    f"figure {picture.name} was drawn from another ledger: {name} is {verdict}"
                    f" there, {verdicts[name]} here"
                )
