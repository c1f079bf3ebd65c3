import pytest

from tests.model.tiny_model import sentences, tiny_model
from zotheory.model.language_model import LanguageModel, load_model
from zotheory.model.reviews import Example, Split, examples, load_reviews, split


@pytest.fixture
def tiny() -> LanguageModel:
    return tiny_model()


@pytest.fixture
def text() -> list[Example]:
    return sentences()


@pytest.fixture(scope="session")
def smollm2() -> LanguageModel:
    return load_model()


@pytest.fixture(scope="session")
def reviews() -> Split:
    return split(examples(load_reviews()), seed=0)
