"""What there is to say about one entry of a ledger; the terminal and the page both say this."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from zotheory.evidence.tables import Table as Printed
from zotheory.ledger import Control, Entry
from zotheory.papers import cited, tables
from zotheory.vocabulary import DRAWN, Evidence, Kind, Verdict

MEANING = {
    Verdict.PROVED: "derived for the whole domain, from the definition of the estimator",
    Verdict.CONFIRMED: "measured, with a stated tolerance and error probability, or counted on the "
    "code that trains, or computed from printed numbers; or a search for a counterexample found "
    "none",
    Verdict.REFUTED: "a counterexample: inputs, the claimed and the actual number, and a snippet "
    "that prints both",
    Verdict.INCONCLUSIVE: "neither; the entry says why",
    Verdict.NOT_RUN: "something is missing; the entry says what",
}
SOURCE = {
    Kind.EXACT: "derived symbolically, for every value of the domain",
    Kind.MEASURED: "Monte Carlo, with intervals that hold for heavy tails",
    Kind.SEARCH: "an adversarial search for a counterexample",
    Kind.MODEL: "measured on a language model's own layers, on real text",
    Kind.COUNTED: "counted on the estimators' own code",
    Kind.TIMED: "a ratio of two times taken side by side in one run",
    Kind.PRINTED: "arithmetic on numbers printed in the paper, which says nothing beyond them",
}
OTHER_SETTING = "judged in another setting (a model, data, sizes) than the paper's, for which the "
OTHER_SETTING += "verdict says nothing; the entry names both"
_LISTED = 4  # of a long list, as many entries are shown; the ledger's file has all
_RELATIONS = 5  # of many, as many are told: those that fail, else some that hold
_ROWS = 12  # a longer table of a paper is told by the rows that decide, the others folded
_NAMES = {"alpha": "error probability", "telling": "deciding coordinate"}


@dataclass(frozen=True)
class Table:
    """Numbers that differ from row to row; `columns` leaves out the rows' own names.

    look: "numbers", or "relations" with what the numbers make of each, or "printed" in a paper.
    marked: (row, column) of what stands out.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[str, ...]], ...]
    look: str = "numbers"
    marked: frozenset[tuple[str, str]] = frozenset()


@dataclass(frozen=True)
class Section:
    """A titled part of an entry. What it holds is told in the order of the fields.

    Attributes:
        title: what the section is about, and after a colon what is particular to it.
        verdict: what the checks found of the section's subject, and `brief` the words for it.
        prose: sentences.
        values: named values.
        table: numbers for several settings.
        steps: lines of a derivation, in order.
        code: a program to run.
        first: whether it belongs beside the statement, before any detail.
        folded: whether its table is to be asked for: it is long, and most readers want none of it.
    """

    title: str
    verdict: Verdict | None = None
    brief: str = ""
    prose: tuple[str, ...] = ()
    values: tuple[tuple[str, str], ...] = ()
    table: Table | None = None
    steps: tuple[str, ...] = ()
    code: str = ""
    first: bool = False
    folded: bool = False


@dataclass(frozen=True)
class Description:
    """An entry in words: its head, and sections from what matters most to the last detail."""

    id: str
    paper: str
    verdict: Verdict
    brief: str
    where: str
    says: str
    formula: str
    kinds: tuple[str, ...]
    seconds: str
    sections: tuple[Section, ...] = field(repr=False)

    @property
    def contents(self) -> str:
        """What the sections after the first ones are: ``derivation, control, evidence (exact)``."""
        titles = [s.title.partition(":")[0].lower() for s in self.sections if not s.first]
        listed = ", ".join(dict.fromkeys(titles))
        return f"{listed} ({', '.join(self.kinds)})" if self.kinds else listed


def describe(entry: Entry) -> Description:
    """Everything a ledger's entry says."""
    return Description(
        entry.id,
        entry.paper,
        entry.verdict,
        entry.brief,
        entry.where,
        entry.says,
        "" if _by_printed_numbers(entry) else entry.formula,  # told relation by relation instead
        tuple(e.kind.value for e in entry.evidence),
        _figure(entry.seconds),
        tuple(_sections(entry)),
    )


def _sections(entry: Entry) -> Iterator[Section]:
    shown = list(_printed(entry))
    if _by_printed_numbers(entry):
        yield _arithmetic(entry.certificate["arithmetic"], shown)
    if entry.setting:
        told = str(entry.setting) if entry.told == entry.brief else entry.told
        yield Section("Setting", prose=(f"{told[0].upper()}{told[1:]}",), first=True)
    if entry.correction:
        found = entry.correction
        yield _found("What holds instead", found, found.brief, found.says, first=True)
    for title, text in (
        ("Caution" if entry.verdict.judged else "Why there is no verdict", entry.reason),
        ("A check failed", entry.failed),
        ("Missing", entry.missing),
    ):
        if text:
            yield Section(title, prose=(text,), first=True)
    yield from _certificate(entry, shown)
    if entry.mutant:
        mutant = entry.mutant  # a statement of ours, of no paper's setting
        brief = mutant.verdict.brief(mutant.reading)
        yield _found("Control: the same checks on a false statement", mutant, brief, mutant.says)
    for evidence in entry.evidence:
        known = entry.certificate
        hidden = (DRAWN, "cells", "tables") if shown else (DRAWN,)
        numbers = {k: v for k, v in evidence.numbers.items() if k not in hidden and v != {}}
        new = {k: v for k, v in numbers.items() if k not in known or known[k] != v}
        values, table = _numbers(new)
        section = _found(f"Evidence: {evidence.kind}", evidence, entry.brief_of(evidence))
        yield replace(section, values=values, table=table)


def _found(
    title: str, found: Control | Evidence, brief: str, says: str = "", first: bool = False
) -> Section:
    """A verdict on a statement, by one check or by all."""
    prose = tuple(filter(None, (says, found.summary)))
    return Section(title, found.verdict, brief, prose, first=first)


def _certificate(entry: Entry, tables: Sequence[Section]) -> Iterator[Section]:
    """Counterexample, tables, program and derivation; counts are left to the evidence's table."""
    told = ("kind", "counts", "relation", "arithmetic")
    left = {k: v for k, v in entry.certificate.items() if k not in told}
    steps, code = left.pop("steps", ()), left.pop("snippet", "")
    inputs, cells = left.pop("inputs", {}), left.pop("cells", {})
    if left:
        against = entry.verdict is Verdict.REFUTED and "claimed" in left
        title = "Counterexample" if against else "Certificate"
        values = tuple((k, _whole(v)) for k, v in {**inputs, **left}.items())
        yield Section(title, values=values)
    yield from tables
    if cells and not tables:
        yield Section("Cells as printed", values=tuple(cells.items()))
    if code:
        needs = "numpy" if "import numpy" in code else "standard library"
        yield Section(f"Program: {needs} only, prints both numbers", code=code)
    if steps:
        yield Section("Derivation", steps=tuple(map(str, steps)))


def _by_printed_numbers(entry: Entry) -> bool:
    return entry.certificate.get("kind") == Kind.PRINTED and "arithmetic" in entry.certificate


def _arithmetic(relations: Sequence[tuple[str, str]], tables: Sequence[Section]) -> Section:
    """What the printed numbers make of the relations, at most a handful, those that fail first."""
    rows = [(said, tuple(so.rsplit(" ", 1))) for said, so in relations]
    rows.sort(key=lambda row: row[1][1] != "fails")
    more = Counter(so for _, (_, so) in rows[_RELATIONS:])
    rows[_RELATIONS:] = [(f"and {n} more {so[:-1]}", ("", "")) for so, n in more.items()]
    table = Table(("as printed", ""), tuple(rows), "relations")
    names = dict.fromkeys(part.title.partition(":")[0] for part in tables)
    of = f" of {next(iter(names))}" if len(names) == 1 else ""
    return Section(f"By the printed numbers{of}", table=table, first=True)


def _printed(entry: Entry) -> Iterator[Section]:
    """The paper's tables with the cells that decide.

    None of a paper that the toolkit does not keep, or that reads otherwise now.
    """
    cells = {
        name: text
        for evidence in entry.evidence
        if evidence.kind is Kind.PRINTED
        for name, text in evidence.numbers.get("cells", {}).items()
    }
    kept = [*tables(entry.paper).values(), *cited().values()] if cells else []
    texts = {symbol.name: n.text for table in kept for symbol, n in table.numbers.items()}
    if any(texts.get(name) != text for name, text in cells.items()):
        return
    for table in kept:
        if marked := frozenset(table.places[name] for name in cells if name in table.places):
            yield from printed_table(table, marked)


def printed_table(
    table: Printed, marked: Collection[tuple[str, str]] = frozenset()
) -> Iterator[Section]:
    """A paper's table with its caption; of a long one, the rows without a mark by themselves."""
    head, _, rest = table.about["place"].partition(", ")
    place = rest if head in table.name else table.about["place"]
    title = f"{table.name}: {place}" if place else table.name
    caption = "; ".join(filter(None, (table.about.get("title"), f"unit: {table.about['unit']}")))
    unprinted = {"": "–: left out", "?": "?: illegible in the scan"}
    deviation = table.about.get("deviation")
    told = (
        deviation and f"in parentheses: {deviation}",
        "marked: the cells that decide" if marked else "",
        *(said for text, said in unprinted.items() if text in table.cells.values()),
    )
    prose = (caption, table.about.get("note"), "; ".join(filter(None, told)))
    long = marked and len(table.rows) > _ROWS
    beside = {row for row, _ in marked} if long else set(table.rows)
    for kept in (True, False):
        rows = tuple(
            (row, tuple(table.cells[row, c] or "–" for c in table.columns))
            for row in table.rows
            if (row in beside) is kept
        )
        shown = Table(table.columns, rows, "printed", frozenset(marked))
        if kept:
            yield Section(title, prose=tuple(map(_sentence, filter(None, prose))), table=shown)
        elif rows:
            yield Section(f"{table.name}: its other rows", table=shown, folded=True)


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}"


def _numbers(numbers: Mapping[str, Any]) -> tuple[tuple[tuple[str, str], ...], Table | None]:
    """The numbers of one piece of evidence: what holds throughout, and a table of what varies."""
    values: dict[str, Any] = {}
    rows: dict[str, Mapping[str, Any]] = {}
    for name, value in numbers.items():
        if not isinstance(value, Mapping):
            values[name] = value
        elif value and all(isinstance(item, Mapping) for item in value.values()):
            rows.update({setting: _named(row) for setting, row in value.items()})
        else:
            rows[name] = _named(value)
    names = list(dict.fromkeys(name for row in rows.values() for name in row))
    common = [n for n in names if len(rows) > 1 and _is_common(n, list(rows.values()))]
    varying = [n for n in names if n not in common]
    if common and varying:
        values.update({name: next(iter(rows.values()))[name] for name in common})
        names = varying
    told = tuple((name, _figure(value)) for name, value in values.items())
    return told, _table(rows, names) if rows else None


def _named(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row's numbers under names a stranger understands; one number has no deciding coordinate."""
    told = {k: v for k, v in row.items() if k != "telling" or isinstance(row.get("estimate"), list)}
    return {_NAMES.get(name, name): value for name, value in told.items()}


def _is_common(name: str, rows: Sequence[Mapping[str, Any]]) -> bool:
    return all(name in row and row[name] == rows[0].get(name) for row in rows)


def _table(rows: Mapping[str, Mapping[str, Any]], names: Sequence[str]) -> Table:
    """Settings by names of numbers, the longer of the two downwards."""
    cells = {(s, n): _figure(row[n]) if n in row else "" for s, row in rows.items() for n in names}
    if len(rows) > len(names):
        down = tuple((s, tuple(cells[s, n] for n in names)) for s in rows)
        return Table(tuple(names), down)
    return Table(tuple(rows), tuple((n, tuple(cells[s, n] for s in rows)) for n in names))


def _figure(value: Any) -> str:
    """A number to six digits, a long list by its ends."""
    if isinstance(value, bool) or value is None:
        return str(value).lower()
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return _rounded(value)
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_figure(item)}" for name, item in value.items())
    if isinstance(value, Sequence) and not isinstance(value, str):
        if all(isinstance(item, str) for item in value):
            return ", ".join(value)
        if len(value) <= _LISTED + 1:
            return f"[{', '.join(map(_figure, value))}]"
        shown = ", ".join(map(_figure, value[: _LISTED - 1]))
        return f"[{shown}, …, {_figure(value[-1])}] ({len(value)} values)"
    return str(value)


def _rounded(value: float) -> str:
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    size = math.floor(math.log10(abs(value)))
    if not -4 <= size < 15:
        return f"{value:.6g}"
    text = f"{value:,.{max(0, 5 - size)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _whole(value: Any) -> str:
    """A certificate's value with all its digits."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
