"""The ledger: every verdict of a run, as JSON, as a pandas frame, and compared with another."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from importlib.metadata import PackageNotFoundError, version
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sympy as sp

from zotheory.arguments import as_path, flat, shown
from zotheory.files import read_json, write_atomically
from zotheory.vocabulary import Claim, Evidence, Kind, Verdict, named

if TYPE_CHECKING:
    import pandas as pd

SCHEMA = 1
_VERSIONED = ("zotheory", "numpy", "scipy", "sympy", "mpmath", "z3-solver", "torch", "transformers")


class LedgerError(Exception):
    """A ledger file that is missing, unreadable or not a ledger."""


@dataclass(frozen=True)
class Control:
    """What the claim's own checks say of its mutant or its correction."""

    says: str
    verdict: Verdict
    summary: str = ""


@dataclass(frozen=True)
class Entry:
    """One claim's line in the ledger.

    `reason` says why a verdict is no judgement, `failed` which check raised, `missing` which asset
    could not be had.
    """

    id: str
    paper: str
    where: str
    says: str
    formula: str
    verdict: Verdict
    evidence: tuple[Evidence, ...] = ()
    correction: Control | None = None
    mutant: Control | None = None
    certificate: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""
    failed: str = ""
    missing: str = ""
    seconds: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """The entry as plain JSON values; an evidence's own certificate stays with the claim."""
        row = asdict(self)
        row["evidence"] = [
            {"kind": e.kind, "verdict": e.verdict, "summary": e.summary, "numbers": e.numbers}
            for e in self.evidence
        ]
        return plain(row)


@dataclass(frozen=True, repr=False)
class Ledger:
    """All entries of one run (as JSON values) with what the run depended on.

    A notebook shows a table of them, or, of one alone, everything that is known of it.
    """

    seed: int
    budget: str
    versions: Mapping[str, str]
    claims: tuple[Mapping[str, Any], ...] = ()

    def __repr__(self) -> str:
        """One line a claim: its id, its verdict and its correction's."""
        return "\n".join(map(_line, self.claims)) or "a ledger without claims"

    def __getitem__(self, claim_id: str | Claim) -> Mapping[str, Any]:
        """The entry of one claim. Raises KeyError if there is none."""
        name = claim_id.id if isinstance(claim_id, Claim) else claim_id
        for claim in self.claims:
            if claim["id"] == name:
                return claim
        raise KeyError(f"the ledger has no claim {name!r}")

    def of(self, *names: Any) -> Ledger:
        """The entries that ids, papers (or other beginnings of ids) and claims name, in order.

        Names may stand in lists, tuples and sets. Raises LedgerError for a name of nothing.
        """
        chosen: dict[str, Mapping[str, Any]] = {}
        given = [name.id if isinstance(name, Claim) else name for name in flat(names)]
        if names and not given:
            raise LedgerError("an empty list names no claim")
        for name in given:
            if not isinstance(name, str):
                raise LedgerError(
                    f"{shown(name)} names no claim: give ids, papers or Claim objects"
                )
            found = set(named((c["id"] for c in self.claims), name))
            if not found:
                raise LedgerError(f"the ledger has no claim or paper {name!r}")
            chosen |= {c["id"]: c for c in self.claims if c["id"] in found}
        return replace(self, claims=tuple(chosen.values()))

    def to_json(self) -> dict[str, Any]:
        """The ledger in the schema of `ledger.json`."""
        return {"schema": SCHEMA, **asdict(self)}

    def write(self, path: str | PathLike[str]) -> None:
        """Write `ledger.json` so that a reader never sees half a file."""
        content = json.dumps(self.to_json(), indent=1, ensure_ascii=False) + "\n"
        write_atomically(as_path("the ledger's file", path), content)

    @classmethod
    def read(cls, path: str | PathLike[str]) -> Ledger:
        """Read a ledger file.

        Raises:
            LedgerError: the file is missing, not JSON, or of another schema.
        """
        path = as_path("a ledger", path, LedgerError)
        try:
            found = read_json(path)
            if found.pop("schema") != SCHEMA:
                raise LedgerError(f"{path} is not a ledger of schema {SCHEMA}")
            names = {field.name for field in fields(Entry)}
            if not all(names <= claim.keys() for claim in found["claims"]):
                raise LedgerError(f"{path} is not a ledger: an entry lacks some of its fields")
            for claim in found["claims"]:
                Verdict(claim["verdict"])
            return cls(**{**found, "claims": tuple(found["claims"])})
        except OSError as error:
            raise LedgerError(f"cannot read {path}: {error.strerror}") from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise LedgerError(f"{path} is not a ledger: {error}") from error

    def frame(self) -> pd.DataFrame:
        """One row a claim: paper, where, says, verdict, evidence kinds, correction, seconds."""
        import pandas as pd

        rows = {
            claim["id"]: {
                "paper": claim["paper"],
                "where": claim["where"],
                "says": claim["says"],
                "verdict": claim["verdict"],
                "evidence": "+".join(e["kind"] for e in claim["evidence"]),
                "correction": (claim["correction"] or {}).get("says", ""),
                "seconds": claim["seconds"],
            }
            for claim in self.claims
        }
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("id")

    def _repr_html_(self) -> str:
        """The ledger as a notebook shows it."""
        from zotheory.report.notebook import ledger_html

        return ledger_html(self)


def recorded(*names: Any) -> Ledger:
    """The ledger that the package carries: what its authors found, to compare a run with.

    All of it, or what ids, papers and claims name (see `Ledger.of`).
    """
    ledger = Ledger.read(Path(__file__).with_name("recorded") / "ledger.json")
    return ledger.of(*names) if names else ledger


def _line(claim: Mapping[str, Any]) -> str:
    correction = claim["correction"]
    corrected = f" (correction: {correction['verdict']})" if correction else ""
    return f"{claim['id']}: {claim['verdict']}{corrected}"


def changes(
    now: Iterable[Mapping[str, Any]], before: Iterable[Mapping[str, Any]]
) -> list[tuple[str, str, str]]:
    """Claims judged in both ledgers whose verdict (or correction's verdict) differs.

    What one of the two did not run, claim or correction, is no change; nor is it one if a clock
    settles a claim on one machine and leaves it open on a busier one. Returns (id, before, now).
    """
    old = {claim["id"]: claim for claim in before}
    differing = []
    for claim in now:
        if claim["id"] not in old:
            continue
        known = old[claim["id"]]
        unsaid = {Verdict.NOT_RUN}
        clocks = {kind for kind in Kind if kind.by_the_clock}
        if any(evidence["kind"] in clocks for evidence in claim["evidence"]):
            unsaid.add(Verdict.INCONCLUSIVE)
        pairs = [("", known["verdict"], claim["verdict"])]
        if known["correction"] and claim["correction"]:
            of = known["correction"]["verdict"], claim["correction"]["verdict"]
            pairs.append(("correction ", *of))
        differing += [
            (claim["id"], label + a, label + b)
            for label, a, b in pairs
            if a != b and not unsaid & {a, b}
        ]
    return differing


def versions() -> dict[str, str]:
    """The installed versions of what the verdicts depend on."""
    found = {}
    for name in _VERSIONED:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def plain(value: Any) -> Any:
    """Plain JSON values: SymPy expressions become text or numbers, arrays become lists."""
    if isinstance(value, str | bool | int) or value is None:
        return value
    if isinstance(value, float):
        return value if value == value and abs(value) != float("inf") else str(value)
    if isinstance(value, sp.Basic):
        return int(value) if value.is_Integer else sp.sstr(value)
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    return str(value)
