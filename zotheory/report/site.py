"""The ledger's part of the site: a page a claim, a page a paper, as sources for Sphinx.

Markdown for what a search has to find, the page's own templates for the rest.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from zotheory.history import Judged, history
from zotheory.ledger import Entry, Ledger
from zotheory.papers import source, title
from zotheory.papers.consequences import standing
from zotheory.report.description import describe
from zotheory.report.export import address
from zotheory.report.page import Drawn, asset, check_verdicts, counts, templates
from zotheory.vocabulary import Verdict

_PUNCTUATION = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~$^&\"'=:@])")
PARTS = (
    ("What stands", lambda entry: entry.verdict.holds),
    ("What falls, and what holds instead", lambda entry: entry.verdict is Verdict.REFUTED),
    ("What is open", lambda entry: not entry.verdict.judged),
)


def write_sources(ledger: Ledger, folder: Path, pictures: Sequence[Drawn] = ()) -> None:
    """Write `claims/ID.md`, `papers/ROOM.md` and both folders' indexes into `folder`."""
    check_verdicts(pictures, ledger.claims)
    past = history()
    papers = list(dict.fromkeys(entry.paper for entry in ledger.claims))
    for entry in ledger.claims:
        shown = [picture for picture in pictures if entry.id in picture.verdicts]
        _write(folder / "claims" / f"{entry.id}.md", claim(entry, ledger, past[entry.id], shown))
    for name in papers:
        _write(folder / "papers" / f"{name}.md", paper(name, ledger, pictures))
    _write(folder / "claims" / "index.md", _index(ledger, papers))


def claim(
    entry: Entry, ledger: Ledger, past: Sequence[Judged], pictures: Sequence[Drawn] = ()
) -> str:
    """The source of a claim's page: everything that the ledger knows of it."""
    return _render(
        "site_claim.md.j2",
        claim=describe(entry),
        title=title(entry.paper),
        ledger=ledger,
        history=past,
        pictures=pictures,
        address=address(entry.id),
    )


def paper(name: str, ledger: Ledger, pictures: Sequence[Drawn] = ()) -> str:
    """The source of a paper's overview: what stands, what falls, what it changes for a user."""
    entries = [entry for entry in ledger.claims if entry.paper == name]
    whole = title(name)
    return _render(
        "site_paper.md.j2",
        room=name,
        title=whole,
        short=whole.partition(":")[0],
        source=source(name),
        counts=counts(entry.verdict for entry in entries),
        elsewhere=sum(entry.elsewhere for entry in entries),
        consequences=[
            found
            for found in standing(ledger)
            if any(g.startswith(f"{name}.") for g in found.grounds)
        ],
        parts=[(heading, list(filter(belongs, entries))) for heading, belongs in PARTS],
        pictures=[picture for picture in pictures if picture.paper == name],
    )


def tally_html(found: Mapping[Verdict, int]) -> str:
    """Counts of verdicts as the page shows them."""
    pieces: Any = templates().get_template("pieces.html.j2").module
    return str(pieces.tally(found))


def style() -> str:
    """The page's style for claims, for what has the class `judged` and nothing else."""
    colours, rest = asset("claim.css").split("}\n", 1)
    return f"{colours}}}\n.judged {{\n{rest}}}\n"


def _index(ledger: Ledger, papers: Iterable[str]) -> str:
    return _render(
        "site_claims.md.j2",
        ledger=ledger,
        papers=[
            (name, title(name), [entry for entry in ledger.claims if entry.paper == name])
            for name in papers
        ],
    )


def _render(template: str, **values: object) -> str:
    return _templates().get_template(template).render(values)


@cache
def _templates() -> jinja2.Environment:
    environment = templates().overlay()
    environment.filters = environment.filters | {"plain": plain, "linked": linked, "dense": dense}
    return environment


def plain(text: str) -> Markup:
    """Text as Markdown that shows it letter by letter."""
    return Markup(_PUNCTUATION.sub(r"\\\1", " ".join(str(text).split())))


def linked(text: str) -> Markup:
    """The same, where an address is a link."""
    pieces = re.split(r"(https?://\S+)", str(text))
    return Markup(" ").join(
        Markup(f"<{piece}>") if place % 2 else plain(piece) for place, piece in enumerate(pieces)
    )


def dense(html: str) -> Markup:
    """HTML without empty lines, at which Markdown would take over."""
    return Markup(re.sub(r"\n\s*\n", "\n", str(html)))


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(re.sub(r"\n{3,}", "\n\n", text), encoding="utf-8")
