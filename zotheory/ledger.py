"""The ledger: every verdict of a run, typed, as JSON, as a pandas frame, compared with another."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from importlib.metadata import PackageNotFoundError, version
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import sympy as sp

from zotheory.arguments import as_path, flat, shown
from zotheory.files import read_json, write_atomically
from zotheory.views import as_html
from zotheory.vocabulary import MARK, MARK_MEANS, Claim, Evidence, Kind, Setting, Verdict, named

if TYPE_CHECKING:
    import pandas as pd

SCHEMA = 1
RECORDED = Path(__file__).with_name("recorded") / "ledger.json"
_VERSIONED = ("zotheory", "numpy", "scipy", "sympy", "mpmath", "z3-solver", "torch", "transformers")
_LISTED = 8  # of the keys that there are, an error names as many


class LedgerError(Exception):
    """A ledger file that cannot be read or is none, or something that a ledger does not hold."""


@dataclass(frozen=True)
class Quantity:
    """What Monte Carlo found of one named quantity, a number or several at once.

    Attributes:
        estimate, interval, claimed: a number, its interval's two ends and what is claimed of it;
            lists for several numbers. One number may be claimed of all.
        tolerance: how near to the claimed value counts as equal.
        samples: how many were drawn.
        verdict: what it says of the claimed value; this and what follows if the check keeps it.
        alpha: the probability that the interval misses.
        looks: how often the decision was tried.
        method, assumption: of the interval.
        telling: the place of the number that decided.
    """

    estimate: float | list[float]
    interval: list[Any]
    claimed: float | list[float]
    tolerance: float
    samples: int
    verdict: str | None = None
    alpha: float | None = None
    looks: int | None = None
    method: str | None = None
    assumption: str | None = None
    telling: int | None = None

    @property
    def each(self) -> list[tuple[float, float, float]]:
        """Estimate and both ends of every number, be it one."""
        columns = (x if isinstance(x, list) else [x] for x in (self.estimate, *self.interval))
        return list(zip(*columns, strict=True))


@dataclass(frozen=True)
class Control:
    """What the claim's own checks say of its mutant or its correction.

    `reading` and `elsewhere` as of an `Entry`.
    """

    says: str
    verdict: Verdict
    summary: str = ""
    reading: str = ""
    elsewhere: bool = False

    @property
    def brief(self) -> str:
        """The verdict in a few words."""
        return self.verdict.brief(self.reading, self.elsewhere)

    @property
    def marked(self) -> str:
        """The verdict's word, marked where it says too much."""
        return self.verdict.marked(self.reading, self.elsewhere)


@dataclass(frozen=True, repr=False)
class Entry:
    """One claim's line in the ledger, in plain values: what is read is what was written.

    `certificate` is that of the evidence that decided; the evidence is kept without its own.
    `reason` says why a verdict is no judgement, `failed` which check raised, `missing` which asset
    could not be had. A notebook shows everything that is known of it.
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
    setting: Setting | None = None

    def __post_init__(self) -> None:
        bare = (replace(e, numbers=plain(e.numbers), certificate={}) for e in self.evidence)
        object.__setattr__(self, "evidence", tuple(bare))
        object.__setattr__(self, "certificate", plain(self.certificate))

    def __repr__(self) -> str:
        corrected = f" (correction: {self.correction.marked})" if self.correction else ""
        return f"{self.id}: {self.marked}{corrected}"

    def _repr_html_(self) -> str:
        """The entry as a notebook shows it."""
        return as_html(self)

    @property
    def reading(self) -> str:
        """What the verdict is to be read as; "" where evidence that decided bears out the word."""
        return reading_of(self.verdict, self.evidence)

    @property
    def elsewhere(self) -> bool:
        """Whether the verdict holds for another setting than the paper's."""
        return self.setting is not None and self.setting.elsewhere

    @property
    def brief(self) -> str:
        """The verdict in a few words, for a table: ``refuted (other setting)``."""
        return self.verdict.brief(self.reading, self.elsewhere)

    @property
    def told(self) -> str:
        """The verdict in full, with the setting that it holds for if it is not the paper's."""
        words = self.verdict.brief(self.reading)
        if self.setting is None or self.brief == words:
            return words
        judged, paper = self.setting.judged, self.setting.paper
        return f"{words} in another setting: {judged}; the paper's: {paper}"

    @property
    def marked(self) -> str:
        """The verdict's word, marked where it says too much."""
        return self.verdict.marked(self.reading, self.elsewhere)

    def brief_of(self, evidence: Evidence) -> str:
        """What one check found, in a few words."""
        return evidence.verdict.brief(evidence.reading, self.elsewhere)

    @property
    def snippet(self) -> str:
        """The certificate's program, which prints both numbers; "" if it has none."""
        return self.certificate.get("snippet", "")

    @property
    def steps(self) -> Sequence[str]:
        """The derivation of what is proved, line by line."""
        return self.certificate.get("steps", ())

    def evidence_of(self, kind: Kind | str) -> Evidence:
        """The evidence of one kind. Raises LedgerError if there is none, naming those there are."""
        for evidence in self.evidence:
            if evidence.kind == kind:
                return evidence
        kinds = ", ".join(e.kind for e in self.evidence) or "no evidence"
        raise LedgerError(f"{self.id} has no {kind} evidence; it has: {kinds}")

    def number(self, kind: Kind | str, *keys: str) -> Any:
        """What the evidence of this kind found, looked up key by key; without one, all of it.

        Raises LedgerError for a kind or a key that is not there, naming those that are.
        """
        found: Any = self.evidence_of(kind).numbers
        for depth, key in enumerate(keys):
            if not isinstance(found, Mapping) or key not in found:
                under = f" under {' / '.join(map(repr, keys[:depth]))}" if depth else ""
                raise LedgerError(
                    f"the {kind} evidence of {self.id} has no {key!r}{under}; {_keys(found)}"
                )
            found = found[key]
        return found

    def quantity(self, key: str) -> Quantity:
        """What Monte Carlo found of one named quantity.

        Raises LedgerError as :meth:`number`, and for what is no measured quantity.
        """
        found = self.number(Kind.MEASURED, key)
        try:
            return Quantity(**found)
        except TypeError:
            told = f"{key!r} of {self.id} is no measured quantity; {_keys(found)}"
            raise LedgerError(told) from None

    def to_json(self) -> dict[str, Any]:
        """The entry as plain JSON values; a reading or a setting that is not there is left out."""
        row = asdict(self)
        for control in filter(None, (row["correction"], row["mutant"])):
            _leave_out(_leave_out(control, "reading"), "elsewhere")
        for evidence in row["evidence"]:
            del evidence["certificate"]
            _leave_out(evidence, "reading")
        return plain(_leave_out(row, "setting"))

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> Self:
        """The entry from its JSON values. Raises LedgerError for anything else."""
        try:
            given = dict(row)
            if absent := {f.name for f in fields(cls)} - {"setting"} - given.keys():
                raise LedgerError(f"an entry lacks {', '.join(sorted(absent))}")
            for name in ("correction", "mutant"):
                given[name] = given[name] and _typed(Control, given[name])
            given["evidence"] = tuple(_typed(Evidence, found) for found in given["evidence"])
            given["setting"] = Setting(**given["setting"]) if given.get("setting") else None
            return cls(**{**given, "verdict": Verdict(given["verdict"])})
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise LedgerError(f"an entry cannot be read: {error}") from error


def reading_of(verdict: Verdict, evidence: Iterable[Evidence]) -> str:
    """What a verdict is to be read as: "" where evidence that decided bears out the bare word."""
    readings = [e.reading for e in evidence if _decides(e, verdict)]
    return readings[0] if readings and all(readings) else ""


def _decides(evidence: Evidence, verdict: Verdict) -> bool:
    """Whether a verdict rests on this evidence: on what proves, what holds, or what refutes."""
    if verdict is Verdict.CONFIRMED:
        return evidence.verdict.holds
    proves = evidence.kind.proves or verdict is not Verdict.PROVED
    return verdict.judged and evidence.verdict is verdict and proves


def _typed(what: type, row: Mapping[str, Any]) -> Any:
    kind = {"kind": Kind(row["kind"])} if "kind" in row else {}
    return what(**{**row, **kind, "verdict": Verdict(row["verdict"])})


def _leave_out(row: dict[str, Any], name: str) -> dict[str, Any]:
    if not row[name]:
        del row[name]
    return row


def _keys(found: Any) -> str:
    """The keys that there are, in a few words."""
    if not isinstance(found, Mapping):
        return f"there is {shown(found)}"
    listed = ", ".join(map(repr, list(found)[:_LISTED])) or "nothing"
    more = len(found) - _LISTED
    return f"there is: {listed}" + (f" and {more} more" if more > 0 else "")


@dataclass(frozen=True, repr=False)
class Ledger:
    """All entries of one run with what the run depended on.

    A notebook shows a table of them, or, of one alone, everything that is known of it.
    """

    seed: int
    budget: str
    versions: Mapping[str, str]
    claims: tuple[Entry, ...] = ()

    def __repr__(self) -> str:
        """One line a claim: its id, its verdict and its correction's."""
        text = "\n".join(map(repr, self.claims)) or "a ledger without claims"
        return f"{text}\n{MARK_MEANS}" if MARK in text else text

    def __getitem__(self, claim_id: str | Claim) -> Entry:
        """The entry of one claim. Raises KeyError if there is none."""
        name = claim_id.id if isinstance(claim_id, Claim) else claim_id
        for entry in self.claims:
            if entry.id == name:
                return entry
        raise KeyError(f"the ledger has no claim {name!r}")

    def of(self, *names: Any) -> Ledger:
        """The entries that ids, papers (or other beginnings of ids) and claims name, in order.

        Names may stand in lists, tuples and sets. Raises LedgerError for a name of nothing.
        """
        chosen: dict[str, Entry] = {}
        given = [name.id if isinstance(name, Claim) else name for name in flat(names)]
        if names and not given:
            raise LedgerError("an empty list names no claim")
        for name in given:
            if not isinstance(name, str):
                raise LedgerError(
                    f"{shown(name)} names no claim: give ids, papers or Claim objects"
                )
            found = set(named((c.id for c in self.claims), name))
            if not found:
                raise LedgerError(f"the ledger has no claim or paper {name!r}")
            chosen |= {c.id: c for c in self.claims if c.id in found}
        return replace(self, claims=tuple(chosen.values()))

    def to_json(self) -> dict[str, Any]:
        """The ledger in the schema of `ledger.json`."""
        head = {"seed": self.seed, "budget": self.budget, "versions": dict(self.versions)}
        return {"schema": SCHEMA, **head, "claims": [entry.to_json() for entry in self.claims]}

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
                raise LedgerError(f"it is not of schema {SCHEMA}")
            return cls(**{**found, "claims": tuple(map(Entry.from_json, found["claims"]))})
        except OSError as error:
            raise LedgerError(f"cannot read {path}: {error.strerror}") from error
        except (LedgerError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise LedgerError(f"{path} is not a ledger: {error}") from error

    def frame(self) -> pd.DataFrame:
        """One row a claim: paper, where, says, verdict, told, kinds of evidence, correction, ...

        `verdict` is the bare one, to count; `told` has the setting and the reading with it.
        """
        import pandas as pd

        rows = {
            entry.id: {
                "paper": entry.paper,
                "where": entry.where,
                "says": entry.says,
                "verdict": entry.verdict.value,
                "told": entry.told,
                "evidence": "+".join(e.kind for e in entry.evidence),
                "correction": entry.correction.says if entry.correction else "",
                "seconds": entry.seconds,
            }
            for entry in self.claims
        }
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("id")

    def _repr_html_(self) -> str:
        """The ledger as a notebook shows it."""
        return as_html(self)


def recorded(*names: Any) -> Ledger:
    """The ledger that the package carries: what its authors found, to compare a run with.

    All of it, or what ids, papers and claims name (see `Ledger.of`).
    """
    ledger = Ledger.read(RECORDED)
    return ledger.of(*names) if names else ledger


def changes(now: Iterable[Entry], before: Iterable[Entry]) -> list[tuple[str, str, str]]:
    """Claims judged in both ledgers whose verdict (or correction's verdict) differs.

    What one of the two did not run, claim or correction, is no change; nor is it one if a clock
    settles a claim on one machine and leaves it open on a busier one. Returns (id, before, now).
    """
    old = {entry.id: entry for entry in before}
    differing = []
    for entry in now:
        if entry.id not in old:
            continue
        known = old[entry.id]
        unsaid = {Verdict.NOT_RUN}
        if any(evidence.kind.by_the_clock for evidence in entry.evidence):
            unsaid.add(Verdict.INCONCLUSIVE)
        pairs = [("", known.verdict, entry.verdict)]
        if known.correction and entry.correction:
            pairs.append(("correction ", known.correction.verdict, entry.correction.verdict))
        differing += [
            (entry.id, label + a, label + b)
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
