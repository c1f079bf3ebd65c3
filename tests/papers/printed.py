"""Claims on printed tables, judged as a run judges them."""

from zotheory.budget import BUDGETS
from zotheory.context import Context
from zotheory.evidence.printed import changed
from zotheory.judge import combine, judge
from zotheory.papers import claim
from zotheory.vocabulary import Verdict

CONTEXT = Context("a claim", 0, BUDGETS["quick"], None, None, None)


def judged(claim_id):
    """The ledger's entry of a claim."""
    entry = judge(claim(claim_id), CONTEXT)
    assert not entry.failed
    assert not entry.reason
    return entry


def would_hold(claim_id, cells):
    """The entry of a claim that is refuted with its correction confirmed, and holds with others."""
    entry = judged(claim_id)
    assert entry.verdict == "refuted"
    assert entry.correction.verdict == "confirmed"
    assert with_cells(claim_id, cells) == "confirmed"
    return entry


def with_cells(claim_id, cells) -> Verdict:
    """What the claim's checks say of it where tables print other numbers in these cells."""
    it = claim(claim_id)
    statement = changed(it.statement, cells)
    found = [check.judge(statement, CONTEXT) for check in it.checks]
    return combine(found, it.needs)[0]
