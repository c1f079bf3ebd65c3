"""Movie-review sentences with human sentiment ratings, labelled as SST-2 labels its own.

The sentences and ratings are those of C. J. Hutto and E. Gilbert, "VADER: A Parsimonious Rule-based
Model for Sentiment Analysis of Social Media Text" (ICWSM 2014): each is the mean of about 15 to 20
raters, from -4 (extremely negative) to 4 (extremely positive).
"""

import io
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from zotheory.model.assets import REVIEWS, AssetError, fetch

NEGATIVE, POSITIVE = 0, 1
_ARCHIVE = "vaderSentiment-3.3.2/additional_resources/hutto_ICWSM_2014.tar.gz"
_RATINGS = "hutto_ICWSM_2014/movieReviewSnippets_GroundTruth.txt"


class Review(NamedTuple):
    """A sentence and its mean rating in [-4, 4]."""

    sentence: str
    rating: float


class Example(NamedTuple):
    """A sentence and its label, ``NEGATIVE`` (0) or ``POSITIVE`` (1)."""

    sentence: str
    label: int


@dataclass(frozen=True)
class Split:
    """Disjoint training, validation and test examples."""

    train: tuple[Example, ...]
    validation: tuple[Example, ...]
    test: tuple[Example, ...]


def load_reviews() -> list[Review]:
    """All 10,605 rated sentences, in the order of the file.

    Raises:
        AssetError: the download is missing or corrupt.
    """
    with tarfile.open(fetch(REVIEWS)) as outer:
        inner_bytes = _member(outer, _ARCHIVE)
    with tarfile.open(fileobj=io.BytesIO(inner_bytes)) as inner:
        text = _member(inner, _RATINGS).decode("utf-8")
    rows = (line.split("\t") for line in text.split("\r\n") if line)
    return [Review(sentence, float(rating)) for _, rating, sentence in rows]


def _member(archive: tarfile.TarFile, name: str) -> bytes:
    file = archive.extractfile(name)
    if file is None:
        raise AssetError(f"{name} in the download is no file")
    return file.read()


def sentiment(rating: float) -> int | None:
    """The label SST-2's rule gives a mean rating in [-4, 4], None for a neutral one.

    SST-2 maps ratings to [0, 1], calls those up to 0.4 negative and those above 0.6 positive, and
    drops the neutral ones between: here, up to -0.8 and above 0.8.

    Raises:
        ValueError: the rating is not in [-4, 4].
    """
    if not -4 <= rating <= 4:
        raise ValueError(f"a mean rating lies in [-4, 4], got {rating}")
    if rating <= -0.8:
        return NEGATIVE
    return POSITIVE if rating > 0.8 else None


def examples(reviews: Iterable[Review]) -> list[Example]:
    """Labelled examples without the neutral ones and without repetitions (the first is kept)."""
    labelled: dict[str, int] = {}
    for review in reviews:
        label = sentiment(review.rating)
        if label is not None:
            labelled.setdefault(review.sentence, label)
    return [Example(sentence, label) for sentence, label in labelled.items()]


def split(
    labelled: Iterable[Example], *, seed: int, train: int = 8000, validation: int = 500
) -> Split:
    """Shuffle with ``seed``; cut into ``train``, ``validation`` and, what is left, test examples.

    8000 training sentences are what the TeZO paper takes (Figure 5).

    Raises:
        ValueError: fewer examples than asked for, or a negative number.
    """
    labelled = list(labelled)
    if train < 1 or validation < 0:
        raise ValueError(f"need train >= 1 and validation >= 0, got {train} and {validation}")
    if train + validation > len(labelled):
        raise ValueError(
            f"{train} training and {validation} validation examples exceed the {len(labelled)}"
            " there are"
        )
    order = np.random.default_rng(seed).permutation(len(labelled))
    shuffled = tuple(labelled[i] for i in order)
    cut = train + validation
    return Split(shuffled[:train], shuffled[train:cut], shuffled[cut:])
