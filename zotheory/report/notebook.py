"""Claims, ledgers and comparisons as they show themselves in a notebook."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import sympy as sp

from zotheory.report.description import Section, describe, printed_table
from zotheory.report.page import counts, templates
from zotheory.vocabulary import written

if TYPE_CHECKING:
    from zotheory.evidence.tables import Table
    from zotheory.ledger import Entry, Ledger
    from zotheory.vocabulary import Claim, Statement

_RELATIONS = 5  # of many in a claim's formula, as many are shown


def claim_html(claim: Claim) -> str:
    """What a claim says, the evidence it needs, and the statement that controls its checks."""
    kinds = ", ".join(dict.fromkeys(check.kind.value for check in claim.checks))
    controls = {"if it holds, refute": claim.mutant, "if not, confirm": claim.correction}
    rows = {
        "place": claim.where,
        "says": claim.statement.says,
        "setting": str(claim.setting or ""),
        "needs": ", ".join(claim.needs),
        "checks": kinds or "none yet",
        **{role: control.says for role, control in controls.items() if control},
        "pending": claim.pending,
    }
    return str(_macros().claim(claim.id, rows, *_relations(claim.statement)))


def _relations(statement: Statement) -> tuple[list[str], int]:
    """The formula to show, of one over dozens of cells a handful of relations; how many are not."""
    relations = statement.formula.args if isinstance(statement.formula, sp.And) else ()
    if len(relations) <= _RELATIONS:
        return [statement.written], 0
    told = sorted(map(written, relations))
    return told[:_RELATIONS], len(told) - _RELATIONS


def ledger_html(ledger: Ledger) -> str:
    """The tally by paper and one row a claim; of one claim alone, all that is known of it."""
    if len(ledger.claims) == 1:
        return entry_html(ledger.claims[0])
    papers = dict.fromkeys(entry.paper for entry in ledger.claims)
    tallies = {p: counts(e.verdict for e in ledger.claims if e.paper == p) for p in papers}
    return str(_macros().ledger(ledger, tallies))


def entry_html(entry: Entry) -> str:
    """An entry in full: statement, verdict, what holds instead, evidence; the rest is folded."""
    told = describe(entry)
    shown = [part for part in told.sections if part.first or _is_telling(part)]
    rest = [_numbers_alone(part) for part in told.sections if part not in shown]
    folded = [part for part in rest if part.prose or part.values or part.table or _long(part)]
    evidence = [(e.kind.value, e.verdict, entry.brief_of(e), e.summary) for e in entry.evidence]
    return str(_macros().entry(told, evidence, shown, folded))


def table_html(table: Table) -> str:
    """A table of a paper with its caption."""
    return str(_macros().printed(list(printed_table(table))))


def comparison_html(title: str, heads: list, lines: list, caption: str) -> str:
    """A comparison of estimators: heads of two lines, a row and its texts, a user's own in bold."""
    return str(_macros().comparison(title, heads, lines, caption))


def report_html(title: str, rows: list[tuple[str, str, str, str, str]]) -> str:
    """The checks of an implementation: group, name, status, what was found, why it matters."""
    return str(_macros().report(title, rows))


def _is_telling(part: Section) -> bool:
    """Whether it belongs before what is folded: a counterexample, a table that decides."""
    printed = part.table and part.table.look == "printed" and not part.folded
    return part.title == "Counterexample" or bool(printed)


def _numbers_alone(part: Section) -> Section:
    """Evidence without the summary and verdict that stand in the table already."""
    return replace(part, prose=(), verdict=None) if part.title.startswith("Evidence") else part


def _long(part: Section) -> bool:
    return bool(part.steps or part.code)


def _macros() -> Any:
    return templates().get_template("notebook.html.j2").module
