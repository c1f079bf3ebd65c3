"""The claims as data, one module per paper, and how to find them."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from functools import cache
from hashlib import sha256
from pathlib import Path

from zotheory.files import BrokenFile, load_module
from zotheory.vocabulary import Claim, named

PAPERS = {
    "tezo": "TeZO: Empowering the Low-Rankness on the Temporal Dimension in the Zeroth-Order "
    "Optimization for Fine-tuning LLMs",
    "lezo": "LeZO: Simultaneous Computation and Memory Efficient Zeroth-Order Optimizer for "
    "Fine-Tuning Large Language Models",
    "smezo": "Sparse MeZO: Less Parameters for Better Performance in Zeroth-Order LLM Fine-Tuning",
    "svd0": "SVD-0: Enhancing Zero-Order Fine-Tuning for LLMs via Gradient-Guided Subspace "
    "Selection",
    "prior": "MeZO-GV and MeZO-Greedy: Prior-Driven Zeroth-Order Optimization for Scalable and "
    "Memory-Efficient LLM Fine-Tuning",
    "own": "Ours: conjectures and warnings",
}


ROOMS = ("tezo", "lezo", "smezo", "svd0", "prior", "own")


class UnknownClaim(Exception):
    """An id or a paper that no claim answers to."""


class BrokenClaims(Exception):
    """A claims file that cannot be loaded or declares no claims."""


@cache
def declared() -> tuple[Claim, ...]:
    """All claims of the toolkit, paper by paper, in the papers' order."""
    found: list[Claim] = []
    for paper in PAPERS:
        home = "papers" if paper in ROOMS else "claims"
        found += importlib.import_module(f"zotheory.{home}.{paper}").CLAIMS
    return tuple(found)


def claim(claim_id: str) -> Claim:
    """The claim with this id. Raises UnknownClaim if there is none."""
    for found in declared():
        if found.id == claim_id:
            return found
    raise UnknownClaim(f"no claim is called {claim_id!r}; `zotheory list` names all")


def select(names: Sequence[str]) -> tuple[Claim, ...]:
    """The claims that ids, papers and files of one's own name; all declared ones for no name.

    Raises:
        UnknownClaim: a name is neither an id, nor a paper (or another prefix of ids), nor a file.
        BrokenClaims: a file cannot be loaded.
    """
    if not names:
        return declared()
    chosen: dict[str, Claim] = {}
    for name in dict.fromkeys(names):
        found = load(Path(name)) if name.endswith(".py") else _named(name)
        for claim in found:
            if chosen.setdefault(claim.id, claim) is not claim:
                raise BrokenClaims(f"{name} declares {claim.id}, which is already chosen")
    return tuple(chosen.values())


def _named(name: str) -> tuple[Claim, ...]:
    found = set(named((c.id for c in declared()), name))
    if not found:
        raise UnknownClaim(f"no claim, paper or file is called {name!r}; `zotheory list` names all")
    return tuple(c for c in declared() if c.id in found)


def files_digest(names: Sequence[str]) -> str:
    """A fingerprint of the claims files among the names: changed claims never reuse old work."""
    files = sorted({name for name in names if name.endswith(".py")})
    return sha256(b"".join(Path(name).read_bytes() for name in files)).hexdigest() if files else ""


def load(path: Path) -> tuple[Claim, ...]:
    """Load `CLAIMS`, a sequence of `Claim`, from a Python file.

    Raises:
        BrokenClaims: the file is missing, raises, or declares no claims.
    """
    if not path.is_file():
        raise BrokenClaims(f"no claims file {path}")
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
