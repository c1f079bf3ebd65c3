from functools import partial

import numpy as np
import pytest

from tests.statistics.heavy import MEAN, VARIANCE, more_often_than, product
from zotheory.montecarlo import MonteCarlo
from zotheory.statistics import Catoni, decide_equal, decide_less, sequential

BUDGET = {"max_shards": 64, "shard_size": 100, "first_look": 16}


def judge(target, tolerance=0.25):
    return partial(decide_equal, method=Catoni(VARIANCE), target=target, tolerance=tolerance)


def test_true_claims_are_rarely_refuted_and_false_ones_often():
    seeds, alpha = 200, 0.05
    wrong = right = 0
    for seed in range(seeds):
        mc = MonteCarlo(seed)
        claim = sequential(mc, "claim", product, judge(MEAN), alpha=alpha, **BUDGET)
        wrong += claim.verdict == "refuted"
        mutant = sequential(mc, "claim", product, judge(2 * MEAN), alpha=alpha, **BUDGET)
        right += mutant.verdict == "refuted"
    assert more_often_than(alpha, wrong, seeds) > 0.01
    assert right > 0.95 * seeds


def test_it_stops_at_the_first_verdict():
    easy = sequential(MonteCarlo(0), "claim", product, judge(10.0), **BUDGET)
    assert (easy.verdict, easy.looks, easy.samples) == ("refuted", 1, 1600)
    hard = sequential(MonteCarlo(0), "claim", product, judge(1.0, 0.01), **BUDGET)
    assert (hard.verdict, hard.looks, hard.samples) == ("inconclusive", 3, 6400)
    assert hard.alpha == 1e-4


@pytest.mark.parametrize(
    ("max_shards", "sizes"), [(64, [16, 32, 64]), (40, [16, 32, 40]), (5, [5]), (16, [16])]
)
def test_looks_and_the_alpha_they_spend(max_shards, sizes):
    seen = []

    def decide(shards, alpha):
        seen.append((len(shards), alpha))
        return judge(1.0, 1e-6)(shards, alpha=alpha)

    sequential(
        MonteCarlo(0), "claim", product, decide, max_shards=max_shards, shard_size=2, first_look=16
    )
    assert [size for size, _ in seen] == sizes
    np.testing.assert_allclose(
        [alpha for _, alpha in seen], [1e-4 / 2, 1e-4 / 6, 1e-4 / 12][: len(sizes)]
    )


def test_the_decision_does_not_depend_on_workers_or_interruption(tmp_path):
    alone = sequential(MonteCarlo(0), "claim", product, judge(1.0), **BUDGET)
    MonteCarlo(0, store=tmp_path).run("claim", product, range(11), 100)
    resumed = MonteCarlo(0, jobs=2, store=tmp_path)
    assert sequential(resumed, "claim", product, judge(1.0), **BUDGET) == alone


def test_comparing_two_columns():
    decide = partial(decide_less, method=Catoni(np.array([2.0, 8.0])))
    draw = {"max_shards": 64, "shard_size": 500}
    less = sequential(MonteCarlo(0), "claim", squares, decide, **draw)
    assert less.verdict == "confirmed"
    assert (
        sequential(MonteCarlo(0), "claim", squares, partial(decide, margin=0.45), **draw).verdict
        == "refuted"
    )


def squares(rng, size):
    """Means 1 and 2."""
    return rng.standard_normal((size, 2)) ** 2 * [1.0, 2.0]


def test_bad_input():
    for bad in ({"max_shards": 0}, {"first_look": 0}, {"alpha": 1.0}):
        with pytest.raises(ValueError, match="must"):
            sequential(MonteCarlo(0), "claim", product, judge(1.0), **(BUDGET | bad))
