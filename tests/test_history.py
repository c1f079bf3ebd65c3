"""The history of verdicts: its end is the recorded ledger, and a change has its reason."""

from dataclasses import replace
from datetime import date
from itertools import pairwise

from zotheory.history import history, new
from zotheory.ledger import recorded
from zotheory.vocabulary import Verdict


def test_it_ends_with_what_is_recorded():
    assert new(recorded(), history(), "today") == []  # else: `python -m zotheory.history LEDGER`
    assert {entry.id for entry in recorded().claims} <= history().keys()


def test_a_change_has_its_day_and_its_reason():
    for judged in history().values():
        days = [date.fromisoformat(found.date) for found in judged]
        assert days == sorted(days)
        for before, found in pairwise(judged):
            assert found.verdict is not before.verdict
            assert found.why, (
                f"{found.claim}: why is it {found.verdict}, no longer {before.verdict}?"
            )


def test_what_is_new_is_a_verdict_that_differs_or_a_claim_that_is_not_known():
    ledger, known = recorded("tezo.thm1"), history()
    first, *others = ledger.claims
    other = Verdict.REFUTED if first.verdict is not Verdict.REFUTED else Verdict.PROVED
    changed = replace(ledger, claims=(replace(first, verdict=other), *others))
    assert [(j.claim, j.verdict) for j in new(changed, known, "2030-01-01")] == [(first.id, other)]
    unknown = {name: judged for name, judged in known.items() if name != first.id}
    assert [j.claim for j in new(ledger, unknown, "2030-01-01")] == [first.id]
