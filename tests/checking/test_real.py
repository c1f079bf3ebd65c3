"""A language model in the small model's place."""

import pytest

from tests.checking import wrong
from zotheory.budget import OWN_MODEL
from zotheory.checking.lineup import of_recipe, subject_of
from zotheory.checking.real import scenes_of
from zotheory.checking.run import check, made
from zotheory.checking.suite import checks

FEW = (
    *("update_is_in_the_span", "noise_differs_between_tensors", "weights_stay_at_rate_0"),
    *("weights_survive_an_error", "nothing_else_is_touched", "losses_are_counted"),
)


def test_a_recipe_passes_what_can_be_checked_there(tiny, text):
    subject = of_recipe("mezo")
    subject.made_scene = scenes_of(tiny, text)
    assert [made(one, subject).status for one in checks(FEW)] == ["passed"] * len(FEW)
    (small,) = checks(("large_weights_are_written_as_evaluated",))
    assert made(small, subject).told == "tried on the small model only"


def test_what_is_wrong_fails_there_too(tiny, text):
    subject = subject_of(wrong.Reseeded)
    subject.made_scene = scenes_of(tiny, text)
    (one,) = checks(("update_is_in_the_span",))
    assert made(one, subject).status == "failed"


@pytest.mark.slow
def test_the_toolkits_own_model_is_taken_by_name():
    report = check("mezo", model=OWN_MODEL, only=FEW)
    assert not report.failed
