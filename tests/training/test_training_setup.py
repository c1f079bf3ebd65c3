import shlex

import pytest

from zotheory.training import Setup, TrainingError


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"tuning": "adapter"}, "tuning is one of full, lora, prefix"),
        ({"loss": "hinge"}, "loss is one of"),
        ({"dtype": "int8"}, "dtype is one of"),
        ({"passes": 0}, "passes must be at least 1"),
        ({"batch_size": -1}, "batch_size must be at least 1"),
        ({"validation": 0}, "validation needs at least 1 sentence"),
        ({"lrs": (0.0,)}, "positive and finite"),
        ({"lrs": (float("nan"),)}, "positive and finite"),
        ({"lrs": (1e-3, 0.001)}, "must differ"),
    ],
)
def test_bad_values_are_named(changes, expected):
    with pytest.raises(TrainingError, match=expected) as caught:
        Setup("mezo", **changes)
    assert "\n" not in str(caught.value)


def test_the_command_says_what_is_not_default():
    plain = Setup("mezo", lrs=(1e-6, 1e-7))
    expected = "zotheory train --method mezo --lr 1e-06 --lr 1e-07 --device cpu --seed 0"
    assert plain.command() == expected
    full = Setup(
        "tezo",
        task="my task.tsv",
        lrs=(3e-7,),
        options=(("rank", 4), ("apply", "forward")),
        batch_size=8,
        max_tokens=20,
        seed=3,
    )
    assert shlex.split(full.command())[2:] == [
        *("--method", "tezo", "--lr", "3e-07", "--set", "rank=4", "--set", "apply=forward"),
        *("--task", "my task.tsv", "--batch-size", "8", "--max-tokens", "20", "--device", "cpu"),
        *("--seed", "3"),
    ]
