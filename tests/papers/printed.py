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


def controlled(claim_id):
    """The same of a claim that its checks judge, and whose control they judge the other way."""
    entry = judged(claim_id)
    assert entry.verdict.judged
    control = entry.mutant if entry.verdict.holds else entry.correction
    assert control.verdict.judged
    assert control.verdict.holds is not entry.verdict.holds
    return entry


def judged_as(claim_id, holds):
    """It is confirmed and its mutant refuted, or else refuted and its correction confirmed."""
    entry = controlled(claim_id)
    control = entry.mutant if holds else entry.correction
    expected = (
        (Verdict.CONFIRMED, Verdict.REFUTED) if holds else (Verdict.REFUTED, Verdict.CONFIRMED)
    )
    assert (entry.verdict, control.verdict) == expected


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
