"""What a person sees in a terminal: verdicts as they arrive, the summary, one claim in full."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console, ConsoleOptions, Group
from rich.markup import escape
from rich.panel import Panel
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.progress import Progress as Bar
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from zotheory.judge import CONTRADICTION
from zotheory.ledger import Entry
from zotheory.papers import Listed
from zotheory.report.description import Section, describe
from zotheory.report.description import Table as Numbers
from zotheory.vocabulary import MARK, MARK_MEANS, Claim, Verdict

STYLES = {
    Verdict.PROVED: "bold green",
    Verdict.CONFIRMED: "green",
    Verdict.REFUTED: "bold red",
    Verdict.INCONCLUSIVE: "yellow",
    Verdict.NOT_RUN: "dim",
}
_DECIDES = "▸"  # before a cell that decides: seen without colours, too
_GAP = 2  # between columns
_WIDEST = max(len(verdict.word) for verdict in Verdict)


class Progress:
    """A table that grows by a row as each verdict arrives, over a bar that shows the rest."""

    def __init__(self, console: Console, claims: Sequence[Claim]) -> None:
        self._console = console
        self._widest = max(len(claim.id) for claim in claims)
        self._bar = Bar(
            SpinnerColumn(),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.description}"),
            console=console,
            transient=True,
        )
        self._task = self._bar.add_task("", total=len(claims))

    def __enter__(self) -> Progress:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def tell(self, what: str) -> None:
        """Show what is being worked on."""
        self._bar.update(self._task, description=escape(what))

    def add(self, entry: Entry) -> None:
        """Print one claim's row."""
        self._console.print(row(entry, self._widest))
        self._bar.update(self._task, advance=1, description="")


def row(entry: Entry, widest: int) -> Table:
    """One claim in one line: verdict, id, what decided it, seconds."""
    line = Table.grid(padding=(0, 2), expand=True)
    line.add_column(width=_WIDEST + len(MARK))
    line.add_column(width=widest)
    line.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
    line.add_column(width=6, justify="right", style="dim")
    line.add_row(
        _verdict(entry.verdict, entry.marked),
        escape(entry.id),
        escape(_gist(entry)),
        f"{entry.seconds:.1f}s",
    )
    return line


def _gist(entry: Entry) -> str:
    """The line behind a verdict: what decided it, or why nothing did."""
    if entry.reason:
        return entry.reason
    deciding = [e for e in entry.evidence if e.verdict is entry.verdict]
    return (deciding or entry.evidence)[0].summary if entry.evidence else ""


def summary(
    console: Console,
    entries: Sequence[Entry],
    changed: Iterable[tuple[str, str, str]],
    path: Path,
) -> None:
    """Counts by paper and verdict, corrections of what is refuted, and what has changed."""
    table = Table(title="Verdicts", title_justify="left", box=None, pad_edge=False)
    table.add_column("paper")
    for verdict, style in STYLES.items():
        table.add_column(verdict.word, style=style, justify="right")
    for paper in dict.fromkeys(e.paper for e in entries):
        counts = Counter(e.verdict for e in entries if e.paper == paper)
        table.add_row(paper, *(str(counts[v]) if counts[v] else "·" for v in STYLES))
    console.print()
    if any(MARK in entry.marked for entry in entries):
        console.print(f"{MARK_MEANS}: `zotheory show ID` says it\n", style="dim", highlight=False)
    console.print(table)
    corrected = [(entry, entry.correction) for entry in entries if entry.correction]
    if corrected:
        console.print("\nRefuted, and what holds instead", style="bold")
    for entry, found in corrected:
        narrower = f"{entry.brief}; instead: " if MARK in entry.marked else ""
        console.print(Text.assemble((f"  {entry.id}  ", "bold"), narrower, found.says))
        console.print(Text(f"    {found.brief}", style=STYLES[found.verdict]))
    for entry in entries:
        for trouble in filter(None, (entry.failed, entry.missing)):
            console.print(f"{entry.id}: {trouble}", style="bold red", markup=False)
        if CONTRADICTION in entry.reason:
            console.print(f"{entry.id}: {entry.reason}", style="bold white on red")
    for name, before, now in changed:
        console.print(f"{name}: recorded as {before}, now {now}", style="bold red", markup=False)
    console.print(
        f"\n{path} holds every certificate; {path.with_suffix('.html')} shows all, "
        "`zotheory show ID` one.",
        highlight=False,
    )


def listing(claims: Sequence[Listed]) -> Table:
    """Claims with what they say of which setting, and the recorded verdict, if there is one."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("recorded", max_width=len("(other setting)"))
    for name in ("id", "place"):
        table.add_column(name, overflow="fold")
    table.add_column("says", ratio=1)
    for claim in claims:
        found = claim.found
        shown = _verdict(found.verdict, found.brief.replace(" (", "\n(")) if found else ""
        says = Text(claim.says)
        if claim.setting:
            says.append(f"\n{claim.setting}", style="dim")
        table.add_row(shown, claim.id, escape(claim.where), says)
    return table


def details(console: Console, entry: Entry) -> None:
    """One claim in full: what is said, what was found, the certificate with its snippet."""
    told = describe(entry)
    said = Text(f"{told.where}\n\n{told.says}")
    if told.formula:
        said.append(f"\n\n{told.formula}", style="cyan")
    console.print(Panel(said, title=told.id, subtitle=_verdict(told.verdict, told.brief)))
    for section in told.sections:
        console.print()
        title = Text(section.title, style="bold")
        if section.verdict:
            title.append("  ").append(_verdict(section.verdict, section.brief))
        console.print(title)
        console.print(_section(section))
    console.print(f"\nJudged in {told.seconds} s", style="dim", highlight=False)


def _verdict(verdict: Verdict, words: str) -> Text:
    return Text(words, style=STYLES[verdict])


def _section(section: Section) -> Group:
    shown: list[Any] = [Text(line) for line in section.prose]
    shown += [Text.assemble((f"{name}: ", "dim"), value) for name, value in section.values]
    if section.table:
        every = range(len(section.table.columns))
        printed = section.table.look == "printed"
        shown.append(_Blocks(section.table) if printed else _table(section.table, every))
    shown += [Text(f"{k}. {step}") for k, step in enumerate(section.steps, 1)]
    if section.code:
        shown.append(Syntax(section.code, "python", background_color="default"))
    return Group(*shown)


def _table(found: Numbers, columns: Sequence[int]) -> Table:
    """Some columns of a table, by their numbers."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for head in ("", *(found.columns[k] for k in columns)):
        table.add_column(head, overflow="fold")
    for name, cells in found.rows:
        shown = [
            Text(f"{_DECIDES}{cells[k]}", style="bold")
            if (name, found.columns[k]) in found.marked
            else Text(cells[k])
            for k in columns
        ]
        table.add_row(Text(name, style="dim"), *shown)
    return table


@dataclass(frozen=True)
class _Blocks:
    """A paper's table: as many columns side by side as there is room for, the others below."""

    found: Numbers

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Table]:
        names = max(len(name) for name, _ in self.found.rows)
        block: list[int] = []
        used = names
        for k, column in enumerate(self.found.columns):
            cells = (f"{_DECIDES}{cells[k]}" for _, cells in self.found.rows)
            width = _GAP + max(map(len, (column, *cells)))
            if block and used + width > options.max_width:
                yield _table(self.found, block)
                block, used = [], names
            block.append(k)
            used += width
        yield _table(self.found, block)
