import pytest
import torch

from tests.training.training_runs import After, objective
from zotheory.model.language_model import ModelError
from zotheory.model.prompts import LABEL_WORDS, label_word_ids, last_logits, make_batch, prompt
from zotheory.training import TrainingError, references
from zotheory.training.checkpoint import Stopped
from zotheory.training.references import icl, linear_probe, zero_shot


def nothing() -> None:
    """The check of a run that nobody stops."""


def test_zero_shot_is_the_model_as_it_is(setup):
    made, text = objective(setup("zero_shot"))
    found = zero_shot(setup("zero_shot"), made, text, nothing)
    model = made.language_model
    batch = make_batch(model.tokenizer, text.test)
    with torch.no_grad():
        two = last_logits(model, batch)[:, torch.tensor(label_word_ids(model.tokenizer))]
    assert found.test.accuracy == float((two.argmax(1) == batch.labels).double().mean())
    assert (found.validation.count, found.test.count) == (32, 48)
    assert found.training.passes == 0
    assert found.evaluation.forward == 2 + 3


@pytest.mark.parametrize("shots", [1, 3])
def test_in_context_learning_reads_the_demonstrations_first(shots, setup):
    asked = setup("icl", options=(("shots", shots),), validation=1, test=1)
    made, text = objective(asked)
    found = icl(asked, made, text, nothing)
    shown = "".join(f"{prompt(s)}{LABEL_WORDS[label]}\n\n" for s, label in text.train[:shots])
    plain = made.language_model
    whole = plain.tokenizer(shown + prompt(text.test[0].sentence), return_tensors="pt").input_ids
    logits = plain.model(input_ids=whole).logits[0, -1]
    loss = -torch.log_softmax(logits, 0)[made.words[text.test[0].label]]
    assert found.test.loss == pytest.approx(loss.item(), rel=1e-4)
    assert found.chosen == {"shots": shots}
    assert (found.training.forward, found.evaluation.forward) == (1, 2)


def test_as_many_demonstrations_as_fit(setup):
    asked = setup("icl")
    made, text = objective(asked)
    made.language_model.model.config.max_position_embeddings = 5 + 4 * 6 + 3  # six words a shot
    assert icl(asked, made, text, nothing).chosen == {"shots": 4}
    made.language_model.model.config.max_position_embeddings = 10
    with pytest.raises(ModelError, match="no room for a demonstration"):
        icl(asked, made, text, nothing)


@pytest.mark.parametrize("shots", [0, "many", 2.5])
def test_a_number_of_demonstrations_that_is_none(shots, setup):
    asked = setup("icl", options=(("shots", shots),))
    with pytest.raises(TrainingError, match="icl: shots must be"):
        icl(asked, *objective(asked), nothing)


def test_a_linear_probe_finds_what_the_features_hold(setup):
    asked = setup("linear_probe", train=200, validation=60, test=100)
    made, text = objective(asked)
    found = linear_probe(asked, made, text, nothing)
    assert found.test.accuracy > 0.6  # 50% is chance
    assert found.chosen["penalty"] in references.PENALTIES
    assert found.training.forward == 13
    assert found.evaluation.forward == 4 + 7


def test_logistic_regression_is_at_its_minimum():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(80, 3, dtype=torch.float64, generator=generator)
    y = (x[:, 0] + 0.5 * torch.randn(80, dtype=torch.float64, generator=generator) > 0.3).long()
    head = references._logistic_regression(x, y, 0.1).requires_grad_()
    chance = torch.sigmoid(x @ head[:-1] + head[-1])
    gradient = torch.cat([x.T @ (chance - y) / 80 + 0.1 * head[:-1], (chance - y).mean()[None]])
    assert gradient.abs().max() < 1e-6


@pytest.mark.parametrize("method", [zero_shot, icl, linear_probe])
def test_references_can_be_stopped(method, setup):
    asked = setup(method.__name__)
    with pytest.raises(Stopped):
        method(asked, *objective(asked), After(2).check)
