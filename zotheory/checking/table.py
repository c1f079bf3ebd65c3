"""A report as a table, in a terminal and in a notebook."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text

from zotheory.checking.result import Report
from zotheory.report.notebook import report_html

STYLES = {"passed": "green", "failed": "bold red", "not applicable": "dim"}
MARKS = {"passed": "passed", "failed": "FAILED", "not applicable": "n/a"}


def title(report: Report) -> str:
    """What a report comes to, in a line."""
    parts = ", ".join(f"{count} {status}" for status, count in report.counts.items())
    return f"{report.subject}: {parts}"


def table(report: Report, *, failures: bool = False) -> Table:
    """The table for a terminal. failures: only the checks that failed, with why they matter."""
    shown = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), title=title(report))
    shown.title_style, shown.title_justify = "bold", "left"
    shown.add_column("check", no_wrap=True)
    shown.add_column("", no_wrap=True)
    shown.add_column("what was found", overflow="fold")
    group = ""
    for result in report.results:
        if failures and result.status != "failed":
            continue
        if result.group != group:
            group = result.group
            shown.add_row(Text(group, "bold"))
        told = Text(result.told)
        if result.status == "failed":
            told.append(f"\n{result.why}", "dim")
        shown.add_row(f"  {result.check}", Text(MARKS[result.status], STYLES[result.status]), told)
    return shown


def html(report: Report) -> str:
    """The table for a notebook."""
    rows = [(r.group, r.check, MARKS[r.status], r.told, r.why) for r in report.results]
    return report_html(title(report), rows)
