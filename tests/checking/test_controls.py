"""The checks' own controls: what is right passes them all, and for each something is wrong."""

import inspect

import pytest

from tests.checking import wrong
from tests.checking.controls import CARDS, CONTROLS
from tests.checking.right import Right
from zotheory.checking.lineup import subject_of
from zotheory.checking.run import made
from zotheory.checking.suite import checks

SHARDED = "sharded_weights_are_trained_or_refused"  # takes two processes ten seconds
PROCESSES = {"a_new_process_goes_on", SHARDED}


def results(name, *only):
    """The results of a wrong optimiser, or of the right one, by check."""
    factory = getattr(wrong, name, Right)
    subject = subject_of(factory, card=CARDS.get(name))
    return {one.name: made(one, subject) for one in checks(only)}


def test_what_is_right_fails_nothing():
    names = [one.name for one in checks() if one.name not in PROCESSES]
    found = results("Right", *names)
    assert {n: r.told for n, r in found.items() if r.status == "failed"} == {}
    skipped = {n for n, r in found.items() if r.status == "not applicable"}
    assert skipped == {
        "moments_are_those_of_the_card",  # no card is given
        "wrapped_models_have_the_same_noise",  # it takes parameters
    }


def test_what_is_right_has_the_moments_of_its_card():
    subject = subject_of(Right, card="mezo")
    for one in checks(("scale_of_the_mean", "moments_are_those_of_the_card", "noise_is_isotropic")):
        assert made(one, subject).status == "passed"


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(PROCESSES))
def test_what_is_right_passes_in_processes_of_its_own(name):
    assert results("Right", name)[name].status == "passed"


def test_each_check_has_a_control_and_each_wrong_optimiser_a_check():
    assert {fails[0] for fails in CONTROLS.values()} == {one.name for one in checks()}
    kinds = {n for n, c in vars(wrong).items() if inspect.isclass(c) and issubclass(c, Right)}
    assert {n for n in kinds if not n.startswith("_")} == {*CONTROLS, "Right", "Careless"}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(n, marks=pytest.mark.slow if fails[0] in PROCESSES else ())
        for n, fails in CONTROLS.items()
    ],
)
def test_what_is_wrong_fails_its_check(name):
    first = CONTROLS[name][0]
    found = results(name, first)[first]
    assert found.status == "failed", found.told


@pytest.mark.slow
@pytest.mark.parametrize("name", CONTROLS)
def test_what_is_wrong_fails_its_check_and_what_follows_alone(name):
    """The whole matrix of checks and controls; shards with those alone that say nothing there."""
    names = [one.name for one in checks() if one.name != SHARDED or SHARDED in CONTROLS[name]]
    failed = {n for n, r in results(name, *names).items() if r.status == "failed"}
    assert failed == set(CONTROLS[name])


@pytest.mark.parametrize("name", ["Reseeded", "UnevenCoefficients", "Unrounded", "SmallOnly"])
def test_a_wrong_step_is_no_shaped_one(name):
    assert subject_of(getattr(wrong, name)).plain() == ""


def test_steps_that_weigh_their_noise_by_a_second_moment_are_seen():
    assert "weighs the entries of its noise" in subject_of("zo_adamu").plain()
    assert subject_of("mezo").plain() == ""
