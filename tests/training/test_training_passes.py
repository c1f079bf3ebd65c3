"""What a run costs is counted at the model, and agrees with what the methods say of themselves."""

import pytest
import torch

from tests.training.training_runs import finish, objective, trial
from zotheory.training.methods import complete
from zotheory.training.state import Tally


@pytest.mark.parametrize("name", ["mezo", "mezo_gv", "mezo_greedy", "svd0", "hizoo", "q_spsa"])
def test_passes_are_the_evaluations_in_the_log(name, setup, tmp_path):
    options = (("rank", 4), ("interval", 2)) if name == "svd0" else ()
    made = trial(setup(name, options=options, lrs=(1e-6,)), tmp_path)
    finish(made)
    cost = made.state.steps_cost
    assert cost.passes == cost.forward == sum(map(len, made.optimizer.log.losses))
    assert cost.backward == 0
    assert made.state.evaluations_cost.forward == 2 * len(made.state.history)  # 32 sentences each


@pytest.mark.parametrize("tuning", ["full", "lora", "prefix"])
def test_first_order_steps_cost_three_passes(tuning, setup, tmp_path):
    made = trial(setup("ft_adam", tuning=tuning), tmp_path)
    finish(made)
    cost = made.state.steps_cost
    assert (cost.forward, cost.backward, cost.passes) == (6, 6, 18)


def test_tokens_are_those_of_the_prompts(setup):
    made, text = objective(complete(setup("mezo")))
    tally = Tally()
    with made.counter.into(tally), torch.no_grad():
        made.loss(made.batch(text.train[:3]))
    made.loss(made.batch(text.train[:3]))  # elsewhere
    assert tally == Tally(forward=1, backward=0, tokens=15)  # three letters, "It was"
    tally.add(tally)
    assert (tally.forward, tally.tokens) == (2, 30)


def test_a_budget_in_passes_ends_the_run(setup, tmp_path):
    made = trial(setup("mezo_gv", passes=20), tmp_path)  # six a step
    finish(made)
    assert made.state.step == 4
    assert made.state.steps_cost.passes == 24
