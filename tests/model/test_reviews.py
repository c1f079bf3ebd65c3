from collections import Counter

import pytest

from zotheory.model.reviews import (
    Example,
    Review,
    examples,
    load_reviews,
    sentiment,
    split,
)


@pytest.mark.parametrize(
    ("rating", "label"),
    [(-4, 0), (-0.8, 0), (-0.79, None), (0, None), (0.8, None), (0.81, 1), (4, 1)],
)
def test_sentiment_follows_sst2(rating, label):
    assert sentiment(rating) == label


@pytest.mark.parametrize("rating", [-4.1, 5, float("nan")])
def test_sentiment_refuses_what_is_no_rating(rating):
    with pytest.raises(ValueError, match="mean rating"):
        sentiment(rating)


def test_examples_drop_neutral_ones_and_repetitions():
    reviews = [Review("a", 2.0), Review("b", 0.0), Review("a", 1.0), Review("c", -3.0)]
    assert examples(reviews) == [Example("a", 1), Example("c", 0)]


def test_split_is_a_partition_that_depends_on_the_seed_alone():
    labelled = [Example(str(i), i % 2) for i in range(50)]
    one = split(labelled, seed=3, train=30, validation=5)
    assert one == split(labelled, seed=3, train=30, validation=5)
    assert one != split(labelled, seed=4, train=30, validation=5)
    assert (len(one.train), len(one.validation), len(one.test)) == (30, 5, 15)
    assert sorted(one.train + one.validation + one.test) == sorted(labelled)


@pytest.mark.parametrize(("train", "validation"), [(0, 1), (1, -1), (9, 2)])
def test_split_refuses_impossible_sizes(train, validation):
    with pytest.raises(ValueError, match="validation"):
        split([Example(str(i), 0) for i in range(10)], seed=0, train=train, validation=validation)


@pytest.mark.slow
def test_the_real_sentences():
    reviews = load_reviews()
    assert len(reviews) == 10_605
    assert reviews[2] == Review("Effective but too tepid biopic", -0.6)
    labelled = examples(reviews)
    assert Counter(e.label for e in labelled) == {0: 4821, 1: 4771}
    assert len({e.sentence for e in labelled}) == len(labelled) == 9592
