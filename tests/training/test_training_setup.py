import shlex
from pathlib import Path

import numpy as np
import pytest
import torch

from zotheory.training import Setup, TrainingError


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"tuning": "adapter"}, "tuning must be one of full, lora, prefix"),
        ({"loss": "hinge"}, "loss must be one of"),
        ({"dtype": "int8"}, "dtype must be one of"),
        ({"passes": 0}, "passes must be a whole number of at least 1, got 0"),
        ({"batch_size": -1}, "batch_size must be a whole number of at least 1"),
        ({"validation": 0}, "validation must be a whole number of at least 1"),
        ({"lrs": (0.0,)}, "positive and finite"),
        ({"lrs": (float("nan"),)}, "positive and finite"),
        ({"lrs": (1e-3, 0.001)}, "must differ"),
        ({"lrs": "fast"}, "lrs must be numbers or \"auto\", got 'fast'"),
        ({"options": "rank=4"}, "options must be names with their values"),
        ({"steps": "10"}, "steps must be a whole number of at least 1, got '10'"),
        ({"train": None}, "train must be a whole number of at least 1, got None"),
        ({"seed": -1}, "seed must be a whole number of at least 0, got -1"),
        ({"model": 3}, "model must be a path"),
        ({"task": ["a.tsv"]}, "task must be a path"),
        ({"tuning": None}, "tuning must be one of full, lora, prefix, got None"),
        ({"method": None}, "method must be a name, got None"),
    ],
)
def test_bad_values_are_named(changes, expected):
    with pytest.raises(TrainingError, match=expected) as caught:
        Setup(**{"method": "mezo"} | changes)
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


def test_values_of_other_types_are_taken():
    plain = Setup(
        "mezo", "./a/b", "t.tsv", lrs=(1e-3,), options=(("eps", 0.1), ("rank", 4)), steps=5
    )
    taken = Setup(
        "mezo",
        Path("a/b"),
        Path("t.tsv"),
        lrs=np.float64(1e-3),
        options={"rank": 4, "eps": 0.1},
        steps=np.int64(5),
        dtype=torch.float32,
        device=torch.device("cpu"),
        seed=np.int64(0),
    )
    assert taken == plain
    assert taken.to_json() == plain.to_json()
