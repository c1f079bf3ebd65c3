"""Claims and ledgers as they show themselves in a notebook."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zotheory.report.templating import counts, templates

if TYPE_CHECKING:
    from zotheory.ledger import Ledger
    from zotheory.vocabulary import Claim


def claim_html(claim: Claim) -> str:
    """What a claim says, the evidence it needs, and the statement that controls its checks."""
    kinds = ", ".join(dict.fromkeys(check.kind.value for check in claim.checks))
    controls = {"if it holds, refute": claim.mutant, "if not, confirm": claim.correction}
    rows = {
        "place": claim.where,
        "says": claim.statement.says,
        "needs": ", ".join(claim.needs),
        "checks": kinds or "none yet",
        **{role: control.says for role, control in controls.items() if control},
        "pending": claim.pending,
    }
    module = templates().get_template("notebook.html.j2").module
    return str(module.claim(claim.id, rows, claim.statement.written))


def ledger_html(ledger: Ledger) -> str:
    """The tally by paper and one row a claim, as the page has them."""
    papers = dict.fromkeys(entry["paper"] for entry in ledger.claims)
    tallies = {p: counts(e["verdict"] for e in ledger.claims if e["paper"] == p) for p in papers}
    return str(templates().get_template("notebook.html.j2").module.ledger(ledger, tallies))
