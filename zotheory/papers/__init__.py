"""The papers, one room each, and how to find claims: an id names its paper, then its place."""

from __future__ import annotations

import re
from collections.abc import Container, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from hashlib import sha256
from importlib import import_module
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zotheory.arguments import as_path, flat, shown
from zotheory.files import BrokenFile, load_module
from zotheory.vocabulary import Claim, Setting, named

if TYPE_CHECKING:
    from zotheory.evidence.tables import Table
    from zotheory.ledger import Entry

ROOMS = ("tezo", "lezo", "smezo", "svd0", "prior", "own", "cross")

PRINTED_AS = {  # what other papers' claims call the tables of these
    "tezo": "TeZO",
    "lezo": "LeZO",
    "smezo": "S-MeZO",
    "svd0": "SVD-0",
    "prior": "MeZO-GV",
}


class UnknownClaim(Exception):
    """An id or a paper that no claim answers to, or something that is no name at all."""


class BrokenClaims(Exception):
    """A claims file that cannot be loaded or declares no claims, or an id that is taken."""


def title(paper: str) -> str:
    """A paper's title; the name itself if there is no such room."""
    return import_module(f"zotheory.papers.{paper}").TITLE if paper in ROOMS else paper


def source(paper: str) -> str:
    """Who wrote a paper, when, and where it is; nothing if there is no such room."""
    return import_module(f"zotheory.papers.{paper}").SOURCE if paper in ROOMS else ""


@cache
def of(paper: str) -> tuple[Claim, ...]:
    """The claims of one paper, in its order; none if there is no such room."""
    return import_module(f"zotheory.papers.{paper}.claims").CLAIMS if paper in ROOMS else ()


def declared() -> tuple[Claim, ...]:
    """All claims of the toolkit, paper by paper, in the papers' order."""
    return tuple(claim for paper in ROOMS for claim in of(paper))


@cache
def tables(paper: str) -> Mapping[str, Table]:
    """The tables kept of one paper, by name ("Table 7"), in its order; none without such a room.

    Of a grid of hyperparameters, whose cells are lists, how many values they have, and the largest.
    """
    from zotheory.evidence.grids import Grid
    from zotheory.evidence.tables import Table

    room = Path(__file__).parent / paper
    kept = paper in ROOMS
    found = [Table.read(path) for path in (room.glob("tables/*.csv") if kept else ())]
    grids = [Grid.read(path) for path in (room.glob("grids/*.csv") if kept else ())]
    found += [table for grid in grids for table in (grid.sizes(), grid.largest())]
    return {table.name: table for table in sorted(found, key=lambda table: _order(table.name))}


@cache
def cited() -> Mapping[str, Table]:
    """All papers' tables, by what the claims of another paper call them: "SVD-0 Table 3"."""
    found = {}
    for paper, called in PRINTED_AS.items():
        for table in tables(paper).values():
            name = f"{called} {table.name}"
            found[name] = replace(table, name=name)
    return found


def cited_table(paper: str, number: int) -> Table:
    """A paper's table for another's claims; its cells name the paper: "SVD-0 Table 3: MeZO, CB"."""
    return cited()[f"{PRINTED_AS[paper]} Table {number}"]


def _order(name: str) -> list[tuple[int, str]]:
    """Table 3 before Table 10."""
    return [(int(d or 0), text) for text, d in re.findall(r"(\D+)(\d*)", name)]


def claim(claim_id: str) -> Claim:
    """The claim with this id. Raises UnknownClaim if there is none."""
    for found in of(str(claim_id).partition(".")[0]):
        if found.id == claim_id:
            return found
    raise UnknownClaim(f"no claim is called {claim_id!r}; `zotheory list` names all")


def listed(names: Sequence[Any]) -> list[str | Path | Claim]:
    """The names in nested lists, tuples and sets, each once; claims files as paths.

    Raises UnknownClaim for what is no name, and for lists without any.
    """
    found: dict[Hashable, str | Path | Claim] = {}
    for name in flat(list(names)):
        if isinstance(name, Claim):
            found.setdefault(id(name), name)
        elif isinstance(name, PathLike) or (isinstance(name, str) and name.endswith(".py")):
            file = as_path("a claims file", name, UnknownClaim)
            found.setdefault(file.resolve(), file)
        elif isinstance(name, str):
            found.setdefault(name, name)
        else:
            raise UnknownClaim(
                f"{shown(name)} names no claim: give ids, papers, claims files or Claim objects"
            )
    if names and not found:
        raise UnknownClaim("an empty list names no claim; all are judged where no name is given")
    return list(found.values())


def select(names: Sequence[Any]) -> tuple[Claim, ...]:
    """The claims that ids, papers, files of one's own and claims themselves name, nested or not.

    All declared ones for no name.

    Raises:
        UnknownClaim: a name is neither an id, nor a paper (or another prefix of ids), nor a file.
        BrokenClaims: a file cannot be loaded, or an id is that of another claim.
    """
    if not names:
        return declared()
    chosen: dict[str, Claim] = {}
    for name in listed(names):
        for claim in _found(name):
            if chosen.setdefault(claim.id, claim) is not claim:
                raise BrokenClaims(f"{_told(name)} declares {claim.id}, which is already chosen")
            if not is_declared(claim) and claim.id in {known.id for known in of(claim.paper)}:
                raise BrokenClaims(
                    f"{_told(name)} declares {claim.id}, which is a claim of the toolkit's own:"
                    " give it another id"
                )
    return tuple(chosen.values())


def is_declared(claim: Claim) -> bool:
    """Whether it is one of the toolkit's own claims, and not merely called like one."""
    return any(known is claim for known in of(claim.paper))


def _found(name: str | Path | Claim) -> tuple[Claim, ...]:
    if isinstance(name, Claim):
        return (name,)
    return load(name) if isinstance(name, Path) else _named(name)


def _told(name: str | Path | Claim) -> str:
    return "a Claim object" if isinstance(name, Claim) else str(name)


def _named(name: str) -> tuple[Claim, ...]:
    claims = of(name.partition(".")[0])
    found = set(named((c.id for c in claims), name))
    if not found:
        raise UnknownClaim(f"no claim, paper or file is called {name!r}; `zotheory list` names all")
    return tuple(c for c in claims if c.id in found)


@dataclass(frozen=True)
class Listed:
    """A claim in a list: what it says of what, and its recorded entry if there is one."""

    id: str
    where: str
    says: str
    setting: Setting | None
    found: Entry | None


def outline(names: Sequence[str], record: Sequence[Entry]) -> list[Listed]:
    """What `select` finds, in the words of a list.

    What the record knows by these names is read there: a paper is imported only if it has a claim
    that was not recorded yet. Raises as `select` does.
    """
    known = {e.id: Listed(e.id, e.where, e.says, e.setting, e) for e in record}
    found: dict[str, Listed] = {}
    for name in names or ROOMS:
        ids = [] if _unrecorded(name.partition(".")[0], known) else named(known, name)
        rows = [known[id] for id in ids] or [_row(claim, known) for claim in select([name])]
        found |= {row.id: row for row in rows}
    return list(found.values())


def _unrecorded(paper: str, record: Container[str]) -> bool:
    """Whether the paper's files name a claim that the record does not know."""
    written = re.compile(rf'\bid="({re.escape(paper)}\.[\w.-]+)"')
    files = (Path(__file__).parent / paper).glob("*.py") if paper in ROOMS else ()
    return any(id not in record for path in files for id in written.findall(path.read_text()))


def _row(claim: Claim, record: Mapping[str, Listed]) -> Listed:
    known = record.get(claim.id)
    says = claim.statement.says
    return Listed(claim.id, claim.where, says, claim.setting, known and known.found)


def files_digest(names: Sequence[Any]) -> str:
    """A fingerprint of the claims files among the names: changed claims never reuse old work."""
    files = sorted(name for name in listed(names) if isinstance(name, Path))
    return sha256(b"".join(file.read_bytes() for file in files)).hexdigest() if files else ""


def load(path: Path) -> tuple[Claim, ...]:
    """Load `CLAIMS`, a sequence of `Claim`, from a Python file.

    Raises:
        BrokenClaims: the file is missing, raises, or declares no claims.
    """
    if path.is_dir():
        raise BrokenClaims(f"{path} is a folder, not a claims file")
    if not path.is_file():
        raise BrokenClaims(f"no claims file {path}")
    if path.suffix != ".py":
        raise BrokenClaims(f"{path} is no claims file: the name of one ends in .py")
    try:
        module = load_module(path)
    except BrokenFile as error:
        raise BrokenClaims(str(error)) from error
    claims = getattr(module, "CLAIMS", None)
    if not isinstance(claims, Sequence) or not claims:
        raise BrokenClaims(f"{path} declares no CLAIMS (a list of zotheory.Claim)")
    if not all(isinstance(claim, Claim) for claim in claims):
        raise BrokenClaims(f"{path}: every entry of CLAIMS must be a zotheory.Claim")
    repeated = {c.id for c in claims if sum(d.id == c.id for d in claims) > 1}
    if repeated:
        raise BrokenClaims(f"{path} declares {', '.join(sorted(repeated))} more than once")
    return tuple(claims)
