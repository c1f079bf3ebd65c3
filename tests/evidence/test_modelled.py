"""The sentences that batches are taken from."""

from zotheory.budget import BUDGETS
from zotheory.context import Context
from zotheory.evidence.modelled import sentences
from zotheory.model.reviews import Review


def test_sentences_are_training_sentences_of_at_most_so_many_words(monkeypatch):
    texts = [f"{'very ' * (i % 12)}{i}" for i in range(9000)]  # of 1 to 12 words
    reviews = [Review(text, 2.0 if i % 2 else -2.0) for i, text in enumerate(texts)]
    monkeypatch.setattr("zotheory.model.reviews.load_reviews", lambda: reviews)
    context = Context("a.b", 0, BUDGETS["quick"], None, "tiny", None)
    every, short = sentences(context), sentences(context, 10)
    assert len(every) == 8000
    assert short == tuple(e for e in every if len(e.sentence.split()) <= 10)
    assert {len(e.sentence.split()) for e in short} == set(range(1, 11))
