import pytest

import estimators
from tests.estimators.problems import RECIPES
from tests.training.training_runs import equal, objective, trial, weights
from zotheory.training import TrainingError
from zotheory.training.methods import (
    FIRST_ORDER,
    METHODS,
    UNTRAINED,
    ZEROTH_ORDER,
    build,
    complete,
    hyperparameters,
)
from zotheory.training.setup import TUNINGS

LOW_RANK = ("lozo", "lozo_m", "subzo", "subzo_gv", "subzo_greedy", "svd0", "svd0_adam")


def small(name):
    """Options that fit matrices of 16 columns."""
    options = {"rank": 2, "interval": 2} if name in LOW_RANK else {}
    return tuple(options.items())


def test_every_recipe_is_a_method():
    assert sorted(ZEROTH_ORDER) == sorted(RECIPES)
    assert set(METHODS) == {*UNTRAINED, *FIRST_ORDER, *ZEROTH_ORDER}


@pytest.mark.sampled
@pytest.mark.parametrize("tuning", TUNINGS)
@pytest.mark.parametrize("name", [*ZEROTH_ORDER, *FIRST_ORDER])
def test_every_method_steps_in_every_tuning(name, tuning, setup, tmp_path):
    options = small(name) if tuning == "full" else ()  # adapters have ranks of their own
    if (name, tuning) == ("lezo", "prefix"):  # a prefix is no part of any layer
        with pytest.raises(TrainingError, match="no layers are found"):
            trial(setup(name, tuning=tuning), tmp_path, lr=1e-3)
        return
    made = trial(setup(name, tuning=tuning, options=options), tmp_path, lr=1e-3)
    before = weights(made)
    made._step()
    made._step()
    assert (made.state.step, made.state.diverged) == (2, False)
    assert not equal(before, weights(made))


@pytest.mark.parametrize("tuning", TUNINGS)
@pytest.mark.parametrize("name", METHODS)
def test_grids_and_options_are_there_for_every_method(name, tuning, setup):
    if name in UNTRAINED:
        if tuning == "full":
            assert complete(setup(name)) == setup(name)
        return
    done = complete(setup(name, tuning=tuning))
    assert len(done.lrs) >= 2
    assert complete(done) == done
    expected = {"full": 1e-3, "lora": 1e-2, "prefix": 1e-1}[tuning]
    assert hyperparameters(done).get("eps") == (
        1e-8 if name == "ft_adam" else None if name == "ft_sgd" else expected
    )


def test_hyperparameters_are_those_in_effect(setup):
    made, _ = objective(complete(setup("mezo")))
    model = made.language_model.model
    options = (("candidates", 6), ("weight_decay", 0.1), ("apply", "forward"))
    guided = setup("mezo_gv", options=options)
    found = hyperparameters(guided)
    assert found["elite"] == 0.5
    optimizer = build(guided, 1e-3, model)
    assert optimizer.direction.candidates == found["candidates"] == 6
    assert optimizer.param_groups[0]["weight_decay"] == found["weight_decay"] == 0.1
    assert not optimizer.applier.moves_weights
    assert optimizer.eps == found["eps"] == 1e-3
    assert hyperparameters(setup("svd0", tuning="lora"))["rank"] == 4
    assert hyperparameters(setup("tezo", tuning="lora"))["rank"] is None  # the rule of Eq. 7
    assert hyperparameters(setup("zo_adamu", passes=600))["horizon"] == 300
    assert hyperparameters(setup("zo_adamu", steps=70))["horizon"] == 70


def test_a_budget_is_there_if_none_is_asked_for(setup):
    assert complete(setup("mezo", steps=None)).passes == 600
    assert complete(setup("mezo", steps=5)).passes is None


@pytest.mark.parametrize(
    ("method", "changes", "expected"),
    [
        ("mezzo", {}, "no method 'mezzo'; there are zero_shot, "),
        ("with_greedy", {}, "no method 'with_greedy'"),
        ("mezo", {"options": (("rank", 3),)}, "mezo has no option 'rank'; it has eps, "),
        ("s_mezo", {"options": (("apply", "forward"),)}, "s_mezo has no option 'apply'"),
        ("ft_sgd", {"options": (("eps", 3),)}, "ft_sgd has no option 'eps'; it has momentum"),
        ("icl", {"passes": 5}, "icl takes no steps: leave out passes"),
        ("zero_shot", {"lrs": (1e-3,)}, "leave out lrs"),
        ("linear_probe", {"tuning": "lora"}, "leave out tuning"),
        ("ft_adam", {"dtype": "bfloat16"}, "lost in bfloat16 weights"),
    ],
)
def test_what_does_not_apply_is_refused(method, changes, expected, setup):
    with pytest.raises(TrainingError, match=expected) as caught:
        complete(setup(method, **changes))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("method", "option"),
    [
        ("subzo", ("rank", 64)),  # of matrices with 8 rows
        ("mezo", ("eps", -1.0)),
        ("mezo", ("eps", "much")),
        ("mezo", ("apply", "sideways")),
        ("ft_adam", ("betas", 3)),
        ("ft_sgd", ("momentum", -1)),
    ],
)
def test_bad_options_are_told(method, option, setup, tmp_path):
    with pytest.raises(TrainingError, match=f"{method}: "):
        trial(setup(method, options=(option,)), tmp_path, lr=1e-3)


def test_adapters_train_over_16_bits(setup, tmp_path):
    made = trial(setup("ft_adam", dtype="bfloat16", tuning="lora"), tmp_path, lr=1e-3)
    before = weights(made)
    made._step()
    assert not equal(before, weights(made))
    assert issubclass(type(build(setup("mezo"), 1e-3, made.model)), estimators.ZerothOrder)
