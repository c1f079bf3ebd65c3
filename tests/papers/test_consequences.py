"""What follows for somebody who trains stands on what the ledger says, and where it is told."""

from dataclasses import replace
from pathlib import Path

import pytest

from zotheory.ledger import recorded
from zotheory.papers import declared
from zotheory.papers.consequences import CONSEQUENCES, standing
from zotheory.vocabulary import Verdict

WHICH = Path(__file__).parents[2] / "docs" / "which.md"


@pytest.mark.parametrize("found", CONSEQUENCES, ids=lambda found: found.advice[:30])
def test_it_rests_on_claims_and_is_told_on_the_site(found):
    assert found.grounds.keys() <= {claim.id for claim in declared()}
    assert found.advice in " ".join(WHICH.read_text().replace("**", "").split())


def test_all_of_them_stand_by_the_recorded_ledger():
    assert standing(recorded()) == list(CONSEQUENCES)


def test_one_whose_ground_is_judged_otherwise_is_dropped():
    ledger, dropped = recorded(), CONSEQUENCES[0]
    for id, holds in dropped.grounds.items():
        other = Verdict.REFUTED if holds else Verdict.PROVED
        for verdict in (other, Verdict.INCONCLUSIVE):
            claims = [replace(e, verdict=verdict) if e.id == id else e for e in ledger.claims]
            assert dropped not in standing(replace(ledger, claims=tuple(claims)))
    without = [e for e in ledger.claims if e.id not in dropped.grounds]
    assert dropped not in standing(replace(ledger, claims=tuple(without)))
