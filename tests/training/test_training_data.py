import codecs
from collections import Counter

import pytest

from tests.model.tiny_model import sentences, tiny_model
from zotheory.model.prompts import prompt
from zotheory.training import TrainingError
from zotheory.training.objective import batch_at, load_task, make_split


def test_an_epoch_shows_every_sentence_once_and_each_epoch_in_its_own_order():
    train = sentences()[:10]
    rows = [batch_at(train, step, 4, seed=1) for step in range(5)]
    shown = [example for row in rows for example in row]
    first, second = shown[:10], shown[10:]
    assert Counter(first) == Counter(second) == Counter(train)
    assert first != second
    assert batch_at(train, 3, 4, seed=1) == rows[3]
    assert batch_at(train, 0, 4, seed=2) != rows[0]
    assert len(batch_at(train, 7, 25, seed=0)) == 25  # a batch of several epochs


def test_the_split_is_fixed_by_the_seed(setup):
    tokenizer = tiny_model().tokenizer
    parts = make_split(setup("mezo"), tokenizer)
    assert [len(part) for part in (parts.train, parts.validation, parts.test)] == [64, 32, 48]
    assert len({*parts.train, *parts.validation, *parts.test}) == 64 + 32 + 48
    assert parts == make_split(setup("tezo", lrs=(1.0,)), tokenizer)
    assert parts != make_split(setup("mezo", seed=1), tokenizer)


def test_long_sentences_are_left_out(tmp_path, setup):
    path = tmp_path / "task"
    path.write_text("".join(f"{i % 2}\ta {'b ' * (i % 3)}{i}\n" for i in range(30)))
    tokenizer = tiny_model().tokenizer
    sizes = {"train": 10, "validation": 5, "test": 5}
    parts = make_split(setup("mezo", task=str(path), max_tokens=5, **sizes), tokenizer)
    for example in (*parts.train, *parts.validation, *parts.test):
        assert len(tokenizer(prompt(example.sentence)).input_ids) <= 5
    with pytest.raises(TrainingError, match=r"30 sentences are asked for, .* has 20 of at most 5"):
        make_split(setup("mezo", task=str(path), max_tokens=5, **{**sizes, "train": 20}), tokenizer)


@pytest.mark.parametrize(
    "content",
    ["1 no tab\n", "2\ta label that is none\n", "0\tfine\n1\t \n", "\n", "great\tfilm\n"],
)
def test_a_line_that_is_none_is_named(tmp_path, content):
    path = tmp_path / "task"
    path.write_text(content)
    with pytest.raises(TrainingError, match=r"line \d+: need 0 or 1, a tab and a sentence"):
        load_task(str(path))


def test_a_missing_task_and_one_that_is_no_text(tmp_path):
    with pytest.raises(TrainingError, match=r"cannot read the task .* No such file"):
        load_task(str(tmp_path / "none"))
    (tmp_path / "bytes").write_bytes(b"1\t\xff\xfe")
    with pytest.raises(TrainingError, match="cannot read the task"):
        load_task(str(tmp_path / "bytes"))


def test_repeated_sentences_count_once(tmp_path):
    (tmp_path / "task").write_text("1\ta\n0\ta\n0\tb\n")
    assert load_task(str(tmp_path / "task")) == [("a", 1), ("b", 0)]


def test_a_byte_order_mark_is_no_label_and_an_empty_file_no_task(tmp_path):
    (tmp_path / "task").write_bytes(codecs.BOM_UTF8 + b"1\ta\n")
    assert load_task(str(tmp_path / "task")) == [("a", 1)]
    (tmp_path / "task").write_bytes(codecs.BOM_UTF8)
    with pytest.raises(TrainingError, match="task' is empty"):
        load_task(str(tmp_path / "task"))
