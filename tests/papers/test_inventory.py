"""What was set out to be judged is declared: every statement of the inventory, and nothing else."""

from pathlib import Path

from zotheory.papers import declared

INVENTORY = Path(__file__).with_name("inventory.txt").read_text(encoding="utf-8").split()


def test_every_statement_is_declared_once():
    ids = [claim.id for claim in declared()]
    assert len(set(ids)) == len(ids)
    assert set(ids) == set(INVENTORY)
