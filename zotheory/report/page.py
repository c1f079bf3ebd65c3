"""The ledger as one HTML file that needs nothing beside it: no network, no second file."""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from zotheory.atomic import write_atomically
from zotheory.ledger import Ledger
from zotheory.papers import title
from zotheory.report.description import MEANING, SOURCE, Description, describe
from zotheory.report.pictures import Drawn, check_verdicts
from zotheory.report.templating import HERE, counts, templates
from zotheory.vocabulary import Kind


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
    def counts(self) -> dict[str, int]:
        """How many claims have each verdict, in the order of `Verdict`."""
        return counts(claim.verdict for claim in self.claims)


def write_page(ledger: Ledger, path: Path, pictures: Sequence[Drawn] = ()) -> None:
    """Write the page of a ledger, whole or not at all."""
    write_atomically(path, page(ledger, pictures))


def page(ledger: Ledger, pictures: Sequence[Drawn] = ()) -> str:
    """The HTML of a ledger: summary by paper, filters, and every claim with all its sections.

    Figures stand behind the claims of their paper. Raises LedgerError if one shows other verdicts.
    """
    check_verdicts(pictures, ledger.claims)
    claims = [describe(entry) for entry in ledger.claims]
    style, script = (_read(f"page.{kind}") for kind in ("css", "js"))
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
            pictures=pictures,
            style=style,
            script=script,
            script_hash=_digest(f"\n{script}"),
        )
    )


def _papers(claims: Sequence[Description]) -> list[Paper]:
    names = dict.fromkeys(claim.paper for claim in claims)
    return [Paper(name, title(name), tuple(c for c in claims if c.paper == name)) for name in names]


def _filters(claims: Sequence[Description]) -> list[tuple[str, str, list[tuple[str, int]]]]:
    """Field name, legend, and the choices that occur with their numbers of claims."""
    kinds = Counter(kind for claim in claims for kind in set(claim.kinds))
    papers = Counter(claim.paper for claim in claims)
    verdicts = counts(claim.verdict for claim in claims)
    return [
        ("verdict", "Verdict", [(v, n) for v, n in verdicts.items() if n]),
        ("kind", "Evidence", [(kind.value, kinds[kind]) for kind in Kind if kinds[kind]]),
        ("paper", "Paper", list(papers.items())),
    ]


@cache
def _read(name: str) -> str:
    return (HERE / name).read_text(encoding="utf-8")


def _digest(script: str) -> str:
    """What the page's content policy names its one script by: nothing else on it can run."""
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
