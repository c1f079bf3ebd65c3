"""The released trainer from the outside, and the same looks at the algorithms as printed."""

from dataclasses import replace

import pytest
import torch

from zotheory.budget import BUDGETS
from zotheory.context import Context
from zotheory.papers.prior.released import CLAIMS, SHAPES, Released, watched
from zotheory.papers.shared.steps import generator
from zotheory.vocabulary import Verdict

BY_ID = {claim.id.rpartition(".")[2]: claim for claim in CLAIMS}


def verdicts(name, trainer, tmp_path):
    """Of the claim and its correction, with another trainer in the released one's place."""
    claim = BY_ID[name]
    (check,) = claim.checks
    context = Context(claim.id, 0, BUDGETS["quick"], None, None, tmp_path)
    statements = (claim.statement, claim.correction)
    return [
        check.judge(replace(s, setting={"trainer": trainer}), context).verdict for s in statements
    ]


@pytest.mark.parametrize(
    ("name", "right"),
    [
        ("guiding_vector", "as printed"),
        ("candidates", "as printed"),
        pytest.param("memory", "rebuilt", marks=pytest.mark.slow),
    ],
)
def test_a_trainer_that_does_what_is_printed_gets_the_other_verdict(name, right, tmp_path):
    refuted, confirmed = Verdict.REFUTED, Verdict.CONFIRMED
    assert verdicts(name, "released", tmp_path) == [refuted, confirmed]
    assert verdicts(name, right, tmp_path) == [confirmed, refuted]


def test_v_is_the_first_numbers_of_each_seed_in_every_tensor():
    seen, *_ = watched("released", SHAPES, 1, seed=0)
    best = 1000 + min(range(2), key=seen.losses.__getitem__)
    worst = 2001 - best
    for shape, v in zip(SHAPES, seen.v, strict=True):
        ends = [
            torch.randn(shape, dtype=torch.float64, generator=generator(s, torch.device("cpu")))
            for s in (best, worst)
        ]
        torch.testing.assert_close(v, ends[0] - ends[1], rtol=0, atol=1e-8)


def test_the_better_seed_is_kept_and_the_weights_come_back():
    weights = [torch.zeros(3, dtype=torch.float64)]
    made, asked = Released(weights, 1e-3, 0.0, 2), []

    def closure():
        asked.append(weights[0].clone())
        return float(weights[0].sum())

    for first in (0, 10, 20):
        made.step(closure, first)
        assert float(weights[0].norm()) < 1e-15
    sums = [float(w.sum()) for w in asked]
    kept = min(sums[0], sums[1])
    assert sums[5] == pytest.approx(kept)  # of two candidates and two for the difference a step
    assert sums[9] == pytest.approx(min(kept, sums[4]))
