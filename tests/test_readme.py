"""The README's numbers are the recorded ledger's, and its pages are there."""

import re
from collections import Counter
from pathlib import Path

from zotheory.evidence.trained import recorded as recorded_rates
from zotheory.ledger import recorded
from zotheory.papers import ROOMS
from zotheory.training.rates import markdown, median_regret

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_its_table_counts_the_verdicts_of_every_room():
    rows = re.findall(r"^\| [^|]+((?:\| \d+ ){4})\|", README, re.M)
    counted = [[int(number) for number in re.findall(r"\d+", row)] for row in rows]
    found = Counter((entry.paper, entry.verdict.value) for entry in recorded().claims)
    columns = (("proved",), ("confirmed",), ("refuted",), ("inconclusive", "not_run"))
    assert counted == [[sum(found[room, v] for v in of) for of in columns] for room in ROOMS]
    assert sum(map(sum, counted)) == len(recorded().claims)


def test_its_sentence_counts_the_claims_and_those_of_another_setting():
    total, elsewhere = re.search(
        r"(\d+) claims, each judged.*?; (\d+) of them", README, re.S
    ).groups()
    assert int(total) == len(recorded().claims)
    assert int(elsewhere) == sum(entry.elsewhere for entry in recorded().claims)


def test_its_table_of_rates_is_the_recorded_one():
    assert markdown(recorded_rates()) in README
    regret, _ = median_regret(recorded_rates())
    assert f"median regret is {regret:.1%} of the fall" in README


def test_what_it_links_to_is_there():
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / target).exists(), target
